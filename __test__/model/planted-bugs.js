"use strict";

/** The official adapter with a bug each: what a test of adapters has to find. */

const { Adapter, SessionAwareAdapter } = require("socket.io-adapter");

const WRITE_OPTIONS = ({ flags = {} }) => ({
  preEncoded: true,
  volatile: flags.volatile,
  compress: flags.compress,
});

/** As the official one, in the open, for bugs in the middle of it. */
function broadcastWith(adapter, packet, opts, deliver) {
  packet.nsp = adapter.nsp.name;
  const encoded = adapter.encoder.encode(packet);
  adapter.apply(opts, (socket) => deliver(socket, encoded, WRITE_OPTIONS(opts)));
}

class IgnoresExcept extends Adapter {
  computeExceptSids() {
    return new Set();
  }
}

class ForgetsDuplicates extends Adapter {
  apply(opts, callback) {
    if (opts.rooms.size < 2) return super.apply(opts, callback);
    for (const room of opts.rooms) super.apply({ ...opts, rooms: new Set([room]) }, callback);
  }
}

class TakesNumbersForStrings extends Adapter {
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
}

class BroadcastsInTheNextTurn extends Adapter {
  broadcast(packet, opts) {
    setImmediate(() => super.broadcast(packet, opts));
  }
}

/** Whatever is sent to one client in the same turn comes before. */
class BroadcastsAtTheEndOfTheTurn extends Adapter {
  #queue = [];

  broadcast(packet, opts) {
    if (this.#queue.push([packet, opts]) > 1) return;
    process.nextTick(() => {
      for (const args of this.#queue.splice(0)) super.broadcast(...args);
    });
  }
}

class MissesJoinsOfTheSameTurn extends Adapter {
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
}

class ReachesThoseAtTheDoor extends Adapter {
  apply(opts, callback) {
    super.apply(opts, callback);
    for (const socket of this.nsp._preConnectSockets.values()) {
      if ([...opts.rooms].some((room) => socket.rooms.has(room))) callback(socket);
    }
  }
}

class NeverDropsVolatile extends Adapter {
  broadcast(packet, { flags, ...opts }) {
    super.broadcast(packet, { ...opts, flags: { ...flags, volatile: undefined } });
  }
}

class AlwaysDropsVolatile extends Adapter {
  broadcast(packet, opts) {
    if (!opts.flags?.volatile) super.broadcast(packet, opts);
  }
}

class IgnoresAnyOutgoing extends Adapter {
  broadcast(packet, opts) {
    broadcastWith(this, packet, opts, ({ client }, encoded, options) =>
      client.writeToEngine(encoded, options),
    );
  }
}

class IgnoresPacketCreate extends Adapter {
  broadcast(packet, opts) {
    broadcastWith(this, packet, opts, (socket, encoded, options) => {
      const { conn } = socket;
      socket.notifyOutgoingListeners(packet);
      if (conn.readyState !== "open" || (options.volatile && !conn.transport.writable)) return;
      for (const data of encoded) conn.writeBuffer.push({ type: "message", data, options });
      conn.flush();
    });
  }
}

class SkipsTheWriteBuffer extends Adapter {
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
}

/** Who upgrades keeps polling, as far as broadcasts know. */
class RemembersTheTransport extends Adapter {
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
}

class CountsClientsTwice extends Adapter {
  broadcastWithAck(packet, opts, clientCountCallback, ack) {
    super.broadcastWithAck(packet, opts, (count) => clientCountCallback(2 * count), ack);
  }
}

class KeepsEmptyRooms extends Adapter {
  _del(room, id) {
    if (this.rooms.get(room)?.delete(id)) this.emit("leave-room", room, id);
  }
}

class AnnouncesJoinsFirst extends Adapter {
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
}

/** Rooms as `addAll()`, `del()` and `delAll()` have left them, whatever has been done to them since. */
class KeepsRoomsOfItsOwn extends Adapter {
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
}

class ForgetsMissedPackets extends SessionAwareAdapter {
  async restoreSession(pid, offset) {
    const session = await super.restoreSession(pid, offset);
    return session && { ...session, missedPackets: [] };
  }
}

module.exports = {
  IgnoresExcept,
  ForgetsDuplicates,
  TakesNumbersForStrings,
  BroadcastsInTheNextTurn,
  BroadcastsAtTheEndOfTheTurn,
  MissesJoinsOfTheSameTurn,
  ReachesThoseAtTheDoor,
  NeverDropsVolatile,
  AlwaysDropsVolatile,
  IgnoresAnyOutgoing,
  IgnoresPacketCreate,
  SkipsTheWriteBuffer,
  RemembersTheTransport,
  CountsClientsTwice,
  KeepsEmptyRooms,
  AnnouncesJoinsFirst,
  KeepsRoomsOfItsOwn,
  ForgetsMissedPackets,
};
