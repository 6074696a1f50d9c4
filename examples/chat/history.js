/** The last messages of one room. Their number and their bytes are limited, and so is memory. */
class History {
  static MESSAGE_LIMIT = 100;
  static BYTE_LIMIT = 4 * 1024 * 1024;

  /** @type {object[]} oldest first */
  #messages = [];
  #bytes = 0;

  /**
   * Adds a message, and drops the oldest ones beyond the limits.
   *
   * @param {object} message
   */
  add(message) {
    this.#messages.push(message);
    this.#bytes += size(message);
    while (this.#messages.length > History.MESSAGE_LIMIT || this.#bytes > History.BYTE_LIMIT) {
      this.#bytes -= size(this.#messages.shift());
    }
  }

  /**
   * Adds messages of other nodes, ordered by time.
   *
   * @param {object[]} messages
   * @returns {object[]} the messages that are new
   */
  merge(messages) {
    const news = new Map(messages.map((message) => [message.id, message]));
    for (const { id } of this.#messages) news.delete(id);
    const all = [...this.#messages, ...news.values()].sort((a, b) => a.at - b.at);
    this.#messages = [];
    this.#bytes = 0;
    for (const message of all) this.add(message);
    return all.filter(({ id }) => news.has(id));
  }

  /**
   * @param {string} id
   * @returns {object | undefined} the message with this id
   */
  find(id) {
    return this.#messages.find((message) => message.id === id);
  }

  /**
   * @param {unknown} id the last message that the reader has, if any
   * @returns {object[]} the messages after it, or all messages if it is unknown
   */
  after(id) {
    return this.#messages.slice(this.#messages.findIndex((message) => message.id === id) + 1);
  }
}

/**
 * @param {object} message
 * @returns {number} its approximate size in bytes
 */
function size({ text, image }) {
  return image ? image.data.length : 2 * text.length;
}

module.exports = { History };
