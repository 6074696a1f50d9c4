const { History } = require("./history.js");
const { InputError } = require("./input.js");

/**
 * The rooms that exist and what was said in them. Who is in a room is known to Socket.IO alone.
 * Permanent rooms are always there; any other lasts as long as somebody is in it.
 */
class Rooms {
  static PERMANENT = ["lobby", "random", "help"];
  static LIMIT = 32;

  /** @type {Map<string, History>} */
  #histories = new Map(Rooms.PERMANENT.map((name) => [name, new History()]));

  /** @returns {string[]} the permanent rooms first, then the others by age */
  names() {
    return [...this.#histories.keys()];
  }

  /**
   * @param {string} name
   * @returns {History | undefined}
   */
  history(name) {
    return this.#histories.get(name);
  }

  /**
   * @param {string} name
   * @returns {boolean} whether the room is new
   * @throws {InputError} when there are too many rooms
   */
  open(name) {
    if (this.#histories.has(name)) return false;
    if (this.#histories.size >= Rooms.LIMIT) throw new InputError("There are too many rooms");
    this.#histories.set(name, new History());
    return true;
  }

  /**
   * @param {string} name
   * @returns {boolean} whether the room is gone, which permanent ones never are
   */
  close(name) {
    return !Rooms.PERMANENT.includes(name) && this.#histories.delete(name);
  }
}

module.exports = { Rooms };
