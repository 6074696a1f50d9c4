const { InputError } = require("./input.js");

/** Who is connected, by name. A name belongs to one page at a time. */
class People {
  /** @type {Map<string, import("socket.io").Socket>} by the name in lower case */
  #sockets = new Map();

  /**
   * @param {string} name in any case
   * @returns {import("socket.io").Socket | undefined}
   */
  find(name) {
    return this.#sockets.get(name.toLowerCase());
  }

  /**
   * @param {{ name: string, page: string }} person
   * @throws {InputError} when another page has that name
   */
  check({ name, page }) {
    const holder = this.find(name);
    if (holder && holder.data.page !== page) throw new InputError(`The name ${name} is taken`);
  }

  /**
   * Gives the socket its name. A page that has come back before its old connection was found dead
   * takes the name over from it.
   *
   * @param {import("socket.io").Socket} socket
   * @throws {InputError} when another page has that name
   */
  add(socket) {
    this.check(socket.data);
    this.find(socket.data.name)?.disconnect(true);
    this.#sockets.set(socket.data.name.toLowerCase(), socket);
  }

  /** @param {import("socket.io").Socket} socket */
  remove(socket) {
    const key = socket.data.name.toLowerCase();
    if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
  }
}

module.exports = { People };
