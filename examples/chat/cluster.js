const { randomUUID } = require("node:crypto");

/** Interval in which a node publishes its people, in milliseconds. */
const SHARE_INTERVAL = 5000;

/** A node that is silent for this time counts as gone, in milliseconds. */
const FORGET_AFTER = 3 * SHARE_INTERVAL;

/**
 * Shares the state of the chat between the nodes of a cluster with `serverSideEmit()`, so that all
 * pages see the same on any node: the people in each room, and its messages. Each node publishes its
 * people again and again: this repairs what was lost while Redis was away, and reveals nodes that
 * were killed.
 *
 * Without a cluster adapter it sends nothing: the in-memory adapter has no `serverSideEmit()`.
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
   * @typedef {{ since: number, names: string[] }} Presence the time when a room was opened, and the
   *   people in it on one node
   *
   * @param {import("socket.io").Namespace} namespace
   * @param {import("./rooms.js").Rooms} rooms
   * @param {object} node
   * @param {boolean} node.isAlone true if there are no other nodes
   * @param {() => Map<string, string[]>} node.here returns the people in each room of this node
   * @param {(room: string, event: string, value: object) => void} node.tell emits an event to the
   *   pages of this node that are in a room
   */
  constructor(namespace, rooms, { isAlone, here, tell }) {
    this.#namespace = namespace;
    this.#rooms = rooms;
    this.#here = here;
    this.tell = tell;
    this.isAlone = isAlone;
    if (isAlone) return;
    namespace.on("presence", (node, presence) => this.#handlePresence(node, new Map(presence)));
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

  /** Publishes the people of this node. To be called when they have changed. */
  share() {
    if (this.isAlone) return;
    const presence = [...this.#here()].map(([room, names]) => [
      room,
      { since: this.#rooms.since(room), names },
    ]);
    this.#namespace.serverSideEmit("presence", this.#id, presence);
  }

  /**
   * Sends a message to the histories of the other nodes. To be called before the message goes to the
   * pages: messages keep their order, so a page that joins in between does not miss it.
   *
   * @param {object} message
   */
  keep(message) {
    if (!this.isAlone) this.#namespace.serverSideEmit("said", pack(message));
  }

  /** Fetches the state that this node lacks, at the start and when Redis is back. */
  async catchUp() {
    this.#namespace.serverSideEmit("hello");
    this.share();
    await Promise.all(this.#rooms.names().map((room) => this.#fetchHistory(room)));
  }

  /**
   * @param {string} room
   * @returns {string[]} the people in it on the other nodes
   */
  names(room) {
    return [...this.#nodes.values()].flatMap(({ rooms }) => rooms.get(room)?.names ?? []);
  }

  /** Stops taking part. To be called before the server is closed, which disconnects its people. */
  close() {
    clearInterval(this.#timer);
    for (const event of ["presence", "hello", "said", "history"]) {
      this.#namespace.removeAllListeners(event);
    }
  }

  /** @param {Map<string, Presence>} presence of another node, which replaces its previous one */
  #handlePresence(node, presence) {
    this.#change(() => this.#nodes.set(node, { rooms: presence, heardAt: Date.now() }));
  }

  #forget() {
    const isGone = ({ heardAt }) => Date.now() - heardAt > FORGET_AFTER;
    for (const [id, node] of this.#nodes) {
      if (isGone(node)) this.#change(() => this.#nodes.delete(id));
    }
  }

  /** Changes the known state of other nodes, and sends the differences to the pages of this node. */
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

  /** @returns {Map<string, Set<string>>} the people in each room, on all nodes */
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

  /** Opens the rooms that have people on any node, and closes the others. */
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
      // Some nodes did not answer in time. Keep the answers of the others.
      .catch(({ responses }) => responses ?? []);
    const messages = this.#rooms.history(room)?.merge(answers.flat().map(unpack)) ?? [];
    for (const message of messages) this.tell(room, "message", message);
  }

  #keep(message) {
    const history = this.#rooms.history(message.room);
    if (history && !history.find(message.id)) history.add(message);
  }
}

/** Encodes the bytes of an image: `serverSideEmit()` sends JSON, which has none. */
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
 * @param {string} [room] all rooms if left out
 * @returns {Promise<import("socket.io").RemoteSocket[]>} the sockets in it on all nodes, or on this
 *   node alone if the others do not answer
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
