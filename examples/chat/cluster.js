const { randomUUID } = require("node:crypto");

/** How often a node says who is on it, in milliseconds. */
const SHARE_INTERVAL = 5000;

/** A node that has said nothing for this time is gone, in milliseconds. */
const FORGET_AFTER = 3 * SHARE_INTERVAL;

/**
 * What the nodes of a cluster tell each other by `serverSideEmit()`, so that a page is told the same
 * by each of them: who is in which room, and what was said there. Sent again and again, what a node
 * says of its rooms mends what was lost while Redis was away, and a node that is killed is missed.
 *
 * Without an adapter for clusters nothing is said: the in-memory one has no `serverSideEmit()`.
 */
class Cluster {
  #id = randomUUID();
  /** @type {Map<string, { rooms: Map<string, Presence>, heardAt: number }>} the other nodes */
  #nodes = new Map();
  #namespace;
  #rooms;
  #here;
  #timer;

  /**
   * @typedef {{ since: number, names: string[] }} Presence since when a room is there, and who is in
   *   it on one node
   *
   * @param {import("socket.io").Namespace} namespace
   * @param {import("./rooms.js").Rooms} rooms
   * @param {object} node
   * @param {boolean} node.isAlone whether there are no other nodes
   * @param {() => Map<string, string[]>} node.here who is in the rooms of this node
   * @param {(room: string, event: string, value: object) => void} node.tell emits something to the
   *   pages of this node that are in a room
   */
  constructor(namespace, rooms, { isAlone, here, tell }) {
    this.#namespace = namespace;
    this.#rooms = rooms;
    this.#here = here;
    this.tell = tell;
    this.isAlone = isAlone;
    if (isAlone) return;
    namespace.on("presence", (node, presence) => this.#hear(node, new Map(presence)));
    namespace.on("hello", () => this.share());
    namespace.on("said", (message) => this.#keep(unpack(message)));
    namespace.on("history", (room, ack) => {
      ack((rooms.history(room)?.after(undefined) ?? []).map(pack));
    });
    this.#timer = setInterval(() => {
      this.share();
      this.#forget();
    }, SHARE_INTERVAL);
    this.#timer.unref();
  }

  /** Tells the other nodes who is on this one. To be called when that has changed. */
  share() {
    if (this.isAlone) return;
    const presence = [...this.#here()].map(([room, names]) => [
      room,
      { since: this.#rooms.since(room), names },
    ]);
    this.#namespace.serverSideEmit("presence", this.#id, presence);
  }

  /**
   * Has the other nodes add a message to their histories. To be called before the message goes to
   * the pages: what is sent first comes first, so nobody who joins in between misses it.
   *
   * @param {object} message
   */
  keep(message) {
    if (!this.isAlone) this.#namespace.serverSideEmit("said", pack(message));
  }

  /** Gets what this node does not know: at the start, and when Redis is back. */
  async catchUp() {
    this.#namespace.serverSideEmit("hello");
    this.share();
    await Promise.all(this.#rooms.names().map((room) => this.#fetchHistory(room)));
  }

  /**
   * @param {string} room
   * @returns {string[]} who is there on the other nodes
   */
  names(room) {
    return [...this.#nodes.values()].flatMap(({ rooms }) => rooms.get(room)?.names ?? []);
  }

  /** Answers nothing any more. To be called before the server is closed, which tells who leaves. */
  close() {
    clearInterval(this.#timer);
    for (const event of ["presence", "hello", "said", "history"]) {
      this.#namespace.removeAllListeners(event);
    }
  }

  /** @param {Map<string, Presence>} presence of another node, in place of what it said before */
  #hear(node, presence) {
    this.#change(() => this.#nodes.set(node, { rooms: presence, heardAt: Date.now() }));
  }

  #forget() {
    const isGone = ({ heardAt }) => Date.now() - heardAt > FORGET_AFTER;
    for (const [id, node] of this.#nodes) {
      if (isGone(node)) this.#change(() => this.#nodes.delete(id));
    }
  }

  /** Changes what is known of other nodes, and tells the pages of this one what is new to them. */
  #change(change) {
    const before = this.#everywhere();
    change();
    const after = this.#everywhere();
    for (const room of new Set([...before.keys(), ...after.keys()])) {
      const [old, now] = [before.get(room) ?? new Set(), after.get(room) ?? new Set()];
      for (const name of now) if (!old.has(name)) this.tell(room, "joined", { room, name });
      for (const name of old) if (!now.has(name)) this.tell(room, "left", { room, name });
    }
    this.#openAndClose(after);
  }

  /** @returns {Map<string, Set<string>>} who is in the rooms, on all nodes */
  #everywhere() {
    const everywhere = new Map();
    const others = [...this.#nodes.values()].flatMap(({ rooms }) => [...rooms]);
    for (const [room, names] of [
      ...this.#here(),
      ...others.map(([room, { names }]) => [room, names]),
    ]) {
      everywhere.set(room, new Set([...(everywhere.get(room) ?? []), ...names]));
    }
    return everywhere;
  }

  /** Has the rooms exist in which somebody is, on whichever node. */
  #openAndClose(occupied) {
    const known = this.#rooms.names();
    for (const { rooms } of this.#nodes.values()) {
      for (const [room, { since }] of rooms) this.#rooms.add(room, since);
    }
    for (const room of known) if (!occupied.has(room)) this.#rooms.close(room);
    const now = this.#rooms.names();
    for (const room of now) if (!known.includes(room)) this.#fetchHistory(room);
    if (now.join() !== known.join()) this.#namespace.local.emit("rooms", now);
  }

  async #fetchHistory(room) {
    const answers = await this.#namespace
      .serverSideEmitWithAck("history", room)
      // Some nodes have not answered in time; others may have.
      .catch(({ responses }) => responses ?? []);
    const messages = this.#rooms.history(room)?.merge(answers.flat().map(unpack)) ?? [];
    for (const message of messages) this.tell(room, "message", message);
  }

  #keep(message) {
    const history = this.#rooms.history(message.room);
    if (history && !history.find(message.id)) history.add(message);
  }
}

/** What `serverSideEmit()` sends is JSON, which has no bytes. */
function pack({ image, ...message }) {
  if (!image) return message;
  return { ...message, image: { ...image, data: Buffer.from(image.data).toString("base64") } };
}

function unpack({ image, ...message }) {
  if (!image) return message;
  return { ...message, image: { ...image, data: Buffer.from(image.data, "base64") } };
}

/**
 * @param {import("socket.io").Namespace} namespace
 * @param {string} [room] whose sockets; left out, all
 * @returns {Promise<import("socket.io").RemoteSocket[]>} those of all nodes; where the others do not
 *   answer, those of this one
 */
async function fetchSockets(namespace, room) {
  const of = (operator) => (room === undefined ? operator : operator.in(room));
  try {
    return await of(namespace).fetchSockets();
  } catch {
    return of(namespace.local).fetchSockets();
  }
}

module.exports = { Cluster, fetchSockets };
