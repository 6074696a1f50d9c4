const { History } = require("./history.js");
const { InputError } = require("./input.js");

/**
 * The rooms and their messages. Permanent rooms always exist; any other room exists as long as a
 * person is in it.
 */
class Rooms {
  static PERMANENT = ["lobby", "random", "help"];
  static LIMIT = 32;

  /** @type {Map<string, { since: number, history: History }>} */
  #rooms = new Map(Rooms.PERMANENT.map((name) => [name, { since: 0, history: new History() }]));

  /** @returns {string[]} the permanent rooms first, then the others by age */
  names() {
    return [...this.#rooms].sort(([, a], [, b]) => a.since - b.since).map(([name]) => name);
  }

  /**
   * @param {string} name
   * @returns {number | undefined} the time when it was opened, in milliseconds since the epoch
   */
  since(name) {
    return this.#rooms.get(name)?.since;
  }

  /**
   * @param {string} name
   * @returns {History | undefined}
   */
  history(name) {
    return this.#rooms.get(name)?.history;
  }

  /**
   * @param {string} name
   * @returns {boolean} true if the room is new
   * @throws {InputError} if there are too many rooms
   */
  open(name) {
    if (this.#rooms.has(name)) return false;
    if (this.#rooms.size >= Rooms.LIMIT) throw new InputError("There are too many rooms");
    this.add(name, Date.now());
    return true;
  }

  /**
   * Adds a room that another node has opened.
   *
   * @param {string} name
   * @param {number} since the time when it was opened, in milliseconds since the epoch
   */
  add(name, since) {
    const room = this.#rooms.get(name);
    if (room) room.since = Math.min(room.since, since);
    else this.#rooms.set(name, { since, history: new History() });
  }

  /**
   * @param {string} name
   * @returns {boolean} true if the room was closed; permanent rooms never are
   */
  close(name) {
    return !Rooms.PERMANENT.includes(name) && this.#rooms.delete(name);
  }
}

module.exports = { Rooms };
