import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Socket;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.json.JSONArray;
import org.json.JSONObject;

/**
 * The program of socket.io-client for Java: {@code Main URL TRANSPORT RECOVERY-URL}. It does what
 * ../javascript/program.js does, and prints one line of JSON for each feature.
 */
public class Main {
  /** In seconds. */
  private static final int PATIENCE = 30;

  private static final int HEARTBEATS = 6;
  private static final int MIB = 1024 * 1024;
  private static final String TEXT = "žluťoučký kůň 你好 😀 \u0000\u2028";

  private static String url;
  private static String transport;
  private static BlockingQueue<Object[]> alive;

  /** A test of a feature; its result is a note. */
  private interface Test {
    String run(Socket socket) throws Exception;
  }

  /** The values of events, anew: the library takes binary data out of them. */
  private static Object[] values() throws Exception {
    JSONObject three = new JSONObject().put("three", TEXT);
    JSONArray nested = new JSONArray().put(1).put(new JSONArray().put(2).put(three));
    return new Object[] {TEXT, 0, -1.5, true, JSONObject.NULL, nested, new JSONObject()};
  }

  private static byte[] octets(int length) {
    byte[] octets = new byte[length];
    for (int i = 0; i < length; i++) octets[i] = (byte) i;
    return octets;
  }

  private static Socket open(String namespace, Map<String, String> auth) throws Exception {
    IO.Options options = new IO.Options();
    options.transports =
        transport.equals("upgrade")
            ? new String[] {"polling", "websocket"}
            : new String[] {transport};
    options.forceNew = true;
    options.reconnectionDelay = 20;
    options.reconnectionDelayMax = 100;
    options.auth = auth;
    return IO.socket(url + namespace, options);
  }

  private static Socket enter(String namespace, Map<String, String> auth) throws Exception {
    Socket socket = open(namespace, auth);
    BlockingQueue<Object[]> connected = inbox(socket, Socket.EVENT_CONNECT);
    socket.connect();
    take(connected, "connect");
    return socket;
  }

  /** Returns the arguments of each event that is received from now on. */
  private static BlockingQueue<Object[]> inbox(Socket socket, String event) {
    BlockingQueue<Object[]> events = new LinkedBlockingQueue<>();
    socket.on(event, events::add);
    return events;
  }

  private static Object[] take(BlockingQueue<Object[]> events, String what) throws Exception {
    Object[] args = events.poll(PATIENCE, TimeUnit.SECONDS);
    if (args == null) throw new Exception("no " + what);
    return args;
  }

  /** Emits an event, and returns the arguments of its acknowledgement. */
  private static Object[] call(Socket socket, String event, Object... args) throws Exception {
    BlockingQueue<Object[]> answers = new LinkedBlockingQueue<>();
    socket.emit(event, args, (Ack) answers::add);
    return take(answers, "answer to " + event);
  }

  private static void same(Object[] actual, Object... expected) throws Exception {
    String text = text(actual);
    String wanted = text(expected);
    if (text.equals(wanted)) return;
    throw new Exception(start(text) + " is not " + start(wanted));
  }

  private static String start(String text) {
    return text.substring(0, Math.min(text.length(), 200));
  }

  /** Returns a value as text, in which binary data is an array of numbers. */
  private static String text(Object value) throws Exception {
    if (value instanceof byte[] octets) return Arrays.toString(octets);
    StringBuilder text = new StringBuilder();
    if (value instanceof Object[] values) {
      for (Object each : values) text.append(text(each)).append(",");
    } else if (value instanceof JSONArray array) {
      for (int i = 0; i < array.length(); i++) text.append(text(array.get(i))).append(";");
    } else if (value instanceof JSONObject object && object != JSONObject.NULL) {
      for (var keys = object.keys(); keys.hasNext(); ) {
        Object key = keys.next();
        text.append(key).append(":").append(text(object.get((String) key)));
      }
    } else {
      text.append(value);
    }
    return "(" + text + ")";
  }

  private static String testTransport(Socket socket) throws Exception {
    String name = transport.equals("upgrade") ? "websocket" : transport;
    same(call(socket, "carrier", name), name);
    return "";
  }

  private static String testEvents(Socket socket) throws Exception {
    BlockingQueue<Object[]> said = inbox(socket, "said");
    socket.emit("say", values());
    same(take(said, "said"), values());
    return "";
  }

  private static String testAcknowledgements(Socket socket) throws Exception {
    same(call(socket, "echo", values()), values());
    return "";
  }

  private static String testAnswers(Socket socket) throws Exception {
    socket.on("question", args -> ((Ack) args[1]).call(args[0] + "!"));
    same(call(socket, "ask", TEXT), TEXT + "!");
    return "";
  }

  private static String testRooms(Socket socket) throws Exception {
    Socket other = enter("/", null);
    BlockingQueue<Object[]> told = inbox(socket, "told");
    BlockingQueue<Object[]> otherTold = inbox(other, "told");
    call(socket, "join", "room");
    socket.emit("tell", "room", "not to me");
    socket.emit("announce", "nobody", "to nobody");
    socket.emit("announce", "room", "to one");
    call(socket, "echo");
    call(other, "join", "room");
    socket.emit("tell", "room", "to the other");
    socket.emit("announce", "room", "to both");
    same(take(told, "told"), "to one");
    same(take(told, "told"), "to both");
    same(take(otherTold, "told"), "to the other");
    same(take(otherTold, "told"), "to both");
    return "";
  }

  /** Has the server send back octets. */
  private static String testBinary(Socket socket, int length) throws Exception {
    BlockingQueue<Object[]> said = inbox(socket, "said");
    socket.emit("say", octets(length));
    same(take(said, "said"), (Object) octets(length));
    return "";
  }

  private static String testNestedBinary(Socket socket) throws Exception {
    same(call(socket, "echo", deep()), deep());
    return "";
  }

  private static JSONObject deep() throws Exception {
    return new JSONObject().put("deep", new JSONArray().put(octets(256)));
  }

  /** Enters a namespace, and asks the server for it. */
  private static String testNamespace(String namespace, Map<String, String> auth)
      throws Exception {
    same(call(enter(namespace, auth), "where"), namespace);
    return "";
  }

  private static String testRefusal(Socket socket) throws Exception {
    Socket refused = open("/private", Collections.singletonMap("token", "wrong"));
    BlockingQueue<Object[]> errors = inbox(refused, Socket.EVENT_CONNECT_ERROR);
    refused.connect();
    JSONObject error = (JSONObject) take(errors, "connect_error")[0];
    same(new Object[] {error.get("message")}, "wrong token, žluťoučký");
    same(new Object[] {error.get("data")}, new JSONObject().put("code", 7));
    return testNamespace("/private", Collections.singletonMap("token", "right"));
  }

  private static String testLarge(Socket socket) throws Exception {
    String text = TEXT.repeat(MIB / TEXT.length());
    same(call(socket, "echo", text), text);
    return testBinary(socket, MIB);
  }

  private static String testDisconnection(Socket socket) throws Exception {
    Socket leaver = enter("/", null);
    BlockingQueue<Object[]> gone = inbox(leaver, Socket.EVENT_DISCONNECT);
    leaver.emit("leave");
    return (String) take(gone, "disconnect")[0];
  }

  private static String testRestart(Socket socket) throws Exception {
    BlockingQueue<Object[]> gone = inbox(socket, Socket.EVENT_DISCONNECT);
    BlockingQueue<Object[]> back = inbox(socket, Socket.EVENT_CONNECT);
    socket.emit("restart");
    take(gone, "disconnect");
    take(back, "connect");
    same(call(socket, "echo", TEXT), TEXT);
    return "";
  }

  private static void report(Socket socket, String feature, Test test) throws Exception {
    JSONObject line = new JSONObject().put("feature", feature);
    try {
      line.put("note", test.run(socket)).put("ok", true);
    } catch (Exception error) {
      line.put("note", String.valueOf(error.getMessage())).put("ok", false);
    }
    System.out.println(line);
  }

  public static void main(String[] args) throws Exception {
    url = args[0];
    transport = args[1];
    Socket socket = enter("/", null);
    Socket idle = enter("/", null);
    alive = inbox(idle, "alive");
    idle.emit("idle", HEARTBEATS);
    report(socket, "transport", Main::testTransport);
    report(socket, "events", Main::testEvents);
    report(socket, "acknowledgements", Main::testAcknowledgements);
    report(socket, "answers", Main::testAnswers);
    report(socket, "rooms", Main::testRooms);
    report(socket, "binary", it -> testBinary(it, 256));
    report(socket, "nested binary", Main::testNestedBinary);
    report(socket, "namespaces", it -> testNamespace("/news", null));
    report(socket, "refusal", Main::testRefusal);
    report(socket, "dynamic namespaces", it -> testNamespace("/room-42", null));
    report(socket, "1 MiB", Main::testLarge);
    report(
        socket,
        "recovery",
        it -> {
          throw new Exception("not in this library");
        });
    report(
        socket,
        "heartbeats",
        it -> {
          same(take(alive, "alive"), HEARTBEATS);
          return "";
        });
    report(socket, "disconnection", Main::testDisconnection);
    report(socket, "restart", Main::testRestart);
    System.exit(0);
  }
}
