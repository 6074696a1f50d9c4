const { fetchSockets } = require("./cluster.js");
const { InputError } = require("./input.js");

// Chat rooms have another prefix, so no page can join a room of this kind.
const PREFIX = "person:";

/**
 * The people who are connected to any node. A name belongs to one page at a time: the socket of the
 * page is in a Socket.IO room for this name, and each node finds it there.
 */
class People {
  /** @param {import("socket.io").Namespace} namespace */
  constructor(namespace) {
    this.namespace = namespace;
  }

  /**
   * @param {string} name in any case
   * @returns {string} the Socket.IO room of the page with this name
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
   * @throws {InputError} if another page has this name
   */
  async check({ name, page }) {
    const holders = await fetchSockets(this.namespace, this.room(name));
    if (holders.some(({ data }) => data.page !== page)) throw taken(name);
  }

  /**
   * Gives the socket its name. A page that reconnects before its old connection is found dead takes
   * the name over from that connection. If several pages ask for a name at the same moment, on any
   * nodes, the socket with the lowest id gets it, so each node decides in the same way.
   *
   * @param {import("socket.io").Socket} socket
   * @throws {InputError} if another page has this name
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
    // The other nodes answer when they have disconnected these sockets and announced it.
    if (others.length > 0) await fetchSockets(this.namespace, room);
    socket.data.hasName = true;
  }
}

/** @param {string} name */
function taken(name) {
  return new InputError(`The name ${name} is taken`);
}

module.exports = { People };
