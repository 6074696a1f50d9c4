import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Socket;

/** A client of Socket.IO: it connects, sends an event, and prints the answer of the server. */
public class Hello {
  public static void main(String[] args) throws Exception {
    Socket socket = IO.socket(args.length > 0 ? args[0] : "http://localhost:3000");
    Ack printAndLeave =
        answer -> {
          System.out.println(answer[0]);
          socket.disconnect();
          System.exit(0);
        };
    socket.on(
        Socket.EVENT_CONNECT,
        it -> socket.emit("hello", new Object[] {"Java"}, printAndLeave));
    socket.on(Socket.EVENT_CONNECT_ERROR, problem -> System.err.println(problem[0]));
    socket.connect();
    Thread.currentThread().join();
  }
}
