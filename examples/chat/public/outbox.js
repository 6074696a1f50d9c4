/** Time in which the server must acknowledge a message, in milliseconds; longer than its own limit. */
const ACK_TIMEOUT = 15_000;

/**
 * Messages that the server has not acknowledged yet. When the page reconnects, they are sent again,
 * in order. They keep their ids, so the server recognises messages that it already has.
 */
export class Outbox {
  /** @type {Map<string, object>} by message id */
  #waiting = new Map();
  #isOpen = false;

  /**
   * @param {object} socket
   * @param {(id: string, answer: { ok: boolean, error?: string, at?: number }) => void} onAnswer
   */
  constructor(socket, onAnswer) {
    this.socket = socket;
    this.onAnswer = onAnswer;
    socket.on("disconnect", () => {
      this.#isOpen = false;
    });
  }

  /** @param {{ id: string }} message */
  send(message) {
    this.#waiting.set(message.id, message);
    if (this.#isOpen) this.#emit(message);
  }

  /** Sends all waiting messages. To be called once after each connect, when the rooms are joined. */
  flush() {
    this.#isOpen = true;
    for (const message of this.#waiting.values()) this.#emit(message);
  }

  /** @param {{ id: string }} message */
  #emit(message) {
    this.socket.timeout(ACK_TIMEOUT).emit("message", message, (error, answer) => {
      if (error && !this.#isOpen) return;
      this.#waiting.delete(message.id);
      this.onAnswer(message.id, error ? { ok: false, error: "The server did not answer" } : answer);
    });
  }
}
