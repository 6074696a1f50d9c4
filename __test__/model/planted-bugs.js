"use strict";

/** Official adapters with one bug each, which the search has to find. */

const { Adapter, SessionAwareAdapter } = require("socket.io-adapter");

const WRITE_OPTIONS = ({ flags = {} }) => ({
  preEncoded: true,
  volatile: flags.volatile,
  compress: flags.compress,
});

/** Broadcasts as the official adapter does, with a bug in place of `deliver`. */
function broadcastWith(adapter, packet, opts, deliver) {
  packet.nsp = adapter.nsp.name;
  const encoded = adapter.encoder.encode(packet);
  adapter.apply(opts, (socket) => deliver(socket, encoded, WRITE_OPTIONS(opts)));
}

exports.IgnoresExcept = class extends Adapter {
  computeExceptSids() {
    return new Set();
  }
};

exports.ForgetsDuplicates = class extends Adapter {
  apply(opts, callback) {
    if (opts.rooms.size < 2) return super.apply(opts, callback);
    for (const room of opts.rooms) super.apply({ ...opts, rooms: new Set([room]) }, callback);
  }
};

exports.TakesNumbersForStrings = class extends Adapter {
  addAll(id, rooms) {
    return super.addAll(id, new Set(Array.from(rooms, String)));
  }
  del(id, room) {
    return super.del(id, String(room));
  }
  apply({ rooms, except, ...opts }, callback) {
    const strings = (set) => new Set(Array.from(set ?? [], String));
    super.apply({ ...opts, rooms: strings(rooms), except: strings(except) }, callback);
  }
};

exports.BroadcastsInTheNextTurn = class extends Adapter {
  broadcast(packet, opts) {
    setImmediate(() => super.broadcast(packet, opts));
  }
};

/** Overtaken by what is sent to a single client in the same turn. */
exports.BroadcastsAtTheEndOfTheTurn = class extends Adapter {
  #queue = [];

  broadcast(packet, opts) {
    if (this.#queue.push([packet, opts]) > 1) return;
    process.nextTick(() => {
      for (const args of this.#queue.splice(0)) super.broadcast(...args);
    });
  }
};

exports.MissesJoinsOfTheSameTurn = class extends Adapter {
  #joined = new Set();

  addAll(id, rooms) {
    super.addAll(id, rooms);
    for (const room of rooms) if (room !== id) this.#joined.add(`${room} ${id}`);
    setImmediate(() => this.#joined.clear());
  }
  broadcast(packet, opts) {
    const isSeen = ({ id }) => ![...opts.rooms].some((room) => this.#joined.has(`${room} ${id}`));
    broadcastWith(this, packet, opts, (socket, encoded, options) => {
      if (!isSeen(socket)) return;
      socket.notifyOutgoingListeners(packet);
      socket.client.writeToEngine(encoded, options);
    });
  }
};

exports.ReachesSocketsInMiddleware = class extends Adapter {
  apply(opts, callback) {
    super.apply(opts, callback);
    for (const socket of this.nsp._preConnectSockets.values()) {
      if ([...opts.rooms].some((room) => socket.rooms.has(room))) callback(socket);
    }
  }
};

exports.NeverDropsVolatile = class extends Adapter {
  broadcast(packet, { flags, ...opts }) {
    super.broadcast(packet, { ...opts, flags: { ...flags, volatile: undefined } });
  }
};

exports.AlwaysDropsVolatile = class extends Adapter {
  broadcast(packet, opts) {
    if (!opts.flags?.volatile) super.broadcast(packet, opts);
  }
};

exports.IgnoresAnyOutgoing = class extends Adapter {
  broadcast(packet, opts) {
    broadcastWith(this, packet, opts, ({ client }, encoded, options) =>
      client.writeToEngine(encoded, options),
    );
  }
};

exports.IgnoresPacketCreate = class extends Adapter {
  broadcast(packet, opts) {
    broadcastWith(this, packet, opts, (socket, encoded, options) => {
      const { conn } = socket;
      socket.notifyOutgoingListeners(packet);
      if (conn.readyState !== "open" || (options.volatile && !conn.transport.writable)) return;
      for (const data of encoded) conn.writeBuffer.push({ type: "message", data, options });
      conn.flush();
    });
  }
};

exports.SkipsTheWriteBuffer = class extends Adapter {
  broadcast(packet, opts) {
    broadcastWith(this, packet, opts, (socket, encoded, options) => {
      const { conn } = socket;
      socket.notifyOutgoingListeners(packet);
      if (conn.readyState !== "open" || conn.transport.name !== "websocket") {
        socket.client.writeToEngine(encoded, options);
      } else if (!options.volatile || conn.transport.writable) {
        conn.transport.send(encoded.map((data) => ({ type: "message", data, options })));
      }
    });
  }
};

/** Broadcasts miss clients that have upgraded. */
exports.RemembersTheTransport = class extends Adapter {
  #transports = new Map();

  addAll(id, rooms) {
    super.addAll(id, rooms);
    const socket = this.nsp.sockets.get(id);
    if (socket) this.#transports.set(id, socket.conn.transport);
  }
  broadcast(packet, opts) {
    broadcastWith(this, packet, opts, (socket, encoded, options) => {
      socket.notifyOutgoingListeners(packet);
      if (socket.conn.transport !== this.#transports.get(socket.id)) return;
      socket.client.writeToEngine(encoded, options);
    });
  }
};

exports.CountsClientsTwice = class extends Adapter {
  broadcastWithAck(packet, opts, clientCountCallback, ack) {
    super.broadcastWithAck(packet, opts, (count) => clientCountCallback(2 * count), ack);
  }
};

exports.KeepsEmptyRooms = class extends Adapter {
  _del(room, id) {
    if (this.rooms.get(room)?.delete(id)) this.emit("leave-room", room, id);
  }
};

exports.AnnouncesJoinsFirst = class extends Adapter {
  addAll(id, rooms) {
    for (const room of rooms) {
      if (!this.sids.get(id)?.has(room)) this.emit("join-room", room, id);
    }
    this.silently(() => super.addAll(id, rooms));
  }
  silently(run) {
    const { emit } = this;
    this.emit = (event, ...args) => event !== "join-room" && emit.call(this, event, ...args);
    run();
    delete this.emit;
  }
};

/** Overlooks edits of the maps. */
exports.KeepsRoomsOfItsOwn = class extends Adapter {
  #rooms = new Map();

  addAll(id, rooms) {
    super.addAll(id, rooms);
    for (const room of rooms) {
      if (!this.#rooms.has(room)) this.#rooms.set(room, new Set());
      this.#rooms.get(room).add(id);
    }
  }
  _del(room, id) {
    this.#rooms.get(room)?.delete(id);
    super._del(room, id);
  }
  apply(opts, callback) {
    const { rooms } = this;
    const sockets = [];
    this.rooms = this.#rooms;
    super.apply(opts, (socket) => sockets.push(socket));
    this.rooms = rooms;
    sockets.forEach(callback);
  }
};

exports.ForgetsMissedPackets = class extends SessionAwareAdapter {
  async restoreSession(pid, offset) {
    const session = await super.restoreSession(pid, offset);
    return session && { ...session, missedPackets: [] };
  }
};
