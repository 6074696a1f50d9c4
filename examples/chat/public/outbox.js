/** How long the server has to acknowledge a message, in milliseconds; longer than its own limit. */
const ACK_TIMEOUT = 15_000;

/**
 * Messages on their way. Each waits here until the server has acknowledged it; those that a lost
 * connection leaves open go out again, in their order, when the page is back. They keep their ids,
 * by which the server tells a message that it already has.
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

  /** Sends all that waits. To be called once after each connect, after the rooms were joined. */
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
