const { fetchSockets } = require("./cluster.js");
const { InputError } = require("./input.js");

// Chat rooms have another prefix, so that nobody can join this one.
const PREFIX = "person:";

/**
 * Who is connected, to whichever node. A name belongs to one page at a time: its socket is in a
 * Socket.IO room of that name, which is how each node finds it.
 */
class People {
  /** @param {import("socket.io").Namespace} namespace */
  constructor(namespace) {
    this.namespace = namespace;
  }

  /**
   * @param {string} name in any case
   * @returns {string} the Socket.IO room of whoever has it
   */
  room(name) {
    return PREFIX + name.toLowerCase();
  }

  /**
   * @param {string} name in any case
   * @returns {Promise<import("socket.io").Socket | import("socket.io").RemoteSocket | undefined>}
   */
  async find(name) {
    const [id] = this.namespace.adapter.rooms.get(this.room(name)) ?? [];
    if (id !== undefined) return this.namespace.sockets.get(id);
    const [remote] = await fetchSockets(this.namespace, this.room(name));
    return remote;
  }

  /**
   * @param {{ name: string, page: string }} person
   * @throws {InputError} when another page has that name
   */
  async check({ name, page }) {
    const holders = await fetchSockets(this.namespace, this.room(name));
    if (holders.some(({ data }) => data.page !== page)) throw taken(name);
  }

  /**
   * Gives the socket its name. A page that has come back before its old connection was found dead
   * takes the name over from it. Of those who ask for a name at the same moment, on whichever nodes,
   * the first by its id gets it: each node that sees several decides alike.
   *
   * @param {import("socket.io").Socket} socket
   * @throws {InputError} when another page has that name
   */
  async add(socket) {
    const { name, page } = socket.data;
    const room = this.room(name);
    socket.join(room);
    const holders = await fetchSockets(this.namespace, room);
    const others = holders.filter(({ id }) => id !== socket.id);
    const isAhead = ({ id, data }) => (data.hasName ? data.page !== page : id < socket.id);
    if (others.some(isAhead)) throw taken(name);
    for (const other of others) {
      (this.namespace.sockets.get(other.id) ?? other).disconnect(true);
    }
    // Other nodes answer this when they have done that, and have told who has left.
    if (others.length > 0) await fetchSockets(this.namespace, room);
    socket.data.hasName = true;
  }
}

/** @param {string} name */
function taken(name) {
  return new InputError(`The name ${name} is taken`);
}

module.exports = { People };
