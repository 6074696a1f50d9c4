"use strict";

/** Adapters of others, extended by our fan-out. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { Server } = require("socket.io");
const { Adapter, ClusterAdapter, SessionAwareAdapter } = require("socket.io-adapter");
const turbo = require("../..");
const { engineNamed, hasNative } = require("../support/engines.js");
const { polled } = require("../support/observed.js");
const { enterAll } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

const { createAdapter } = turbo;
const ours = engineNamed("turbo");

/** Starts a server with three clients. */
async function serve(t, adapter, options) {
  // Broadcasts are counted by I/O thread.
  const server = await startServer(t, ours, { adapter, ioThreads: 1, ...options });
  const entrances = await enterAll(server, 3);
  const clients = entrances.map(({ client }) => client);
  return { io: server.io, clients, adapter: server.io.of("/").adapter };
}

/** An adapter that keeps the events that it broadcasts. */
class Remembering extends Adapter {
  static LIMIT = 100;
  #remembered = [];

  get remembered() {
    return this.#remembered;
  }

  broadcast(packet, opts) {
    if (this.#remembered.length < this.constructor.LIMIT) this.#remember(packet);
    super.broadcast(packet, opts);
  }

  #remember({ data: [event] }) {
    this.#remembered.push(event);
  }
}

/** A cluster of one node. */
class Alone extends ClusterAdapter {
  doPublish() {
    return Promise.resolve("");
  }

  doPublishResponse() {
    return Promise.resolve();
  }
}

describe("an adapter with our fan-out", () => {
  test("keeps its class and methods, and broadcasts in one call", async (t) => {
    const { io, clients, adapter } = await serve(t, createAdapter(Remembering));
    assert.ok(adapter instanceof Remembering);
    assert.equal(adapter.constructor, Remembering);
    const received = Promise.all(clients.map((client) => once(client, "news")));
    const before = turbo.stats().broadcasts;
    io.emit("news", 1);
    assert.deepEqual(await received, [[1], [1], [1]]);
    assert.deepEqual(adapter.remembered, ["news"]);
    if (hasNative) assert.equal(turbo.stats().broadcasts - before, 1);
  });

  test("leaves the class that it extends unchanged", async (t) => {
    const methods = Object.getOwnPropertyDescriptors(Remembering.prototype);
    await serve(t, createAdapter(Remembering));
    assert.deepEqual(Object.getOwnPropertyDescriptors(Remembering.prototype), methods);
    const { io, clients, adapter } = await serve(t, Remembering);
    const received = Promise.all(clients.map((client) => once(client, "news")));
    const before = turbo.stats().broadcasts;
    io.emit("news");
    await received;
    assert.equal(Object.getPrototypeOf(adapter), Remembering.prototype);
    assert.equal(turbo.stats().broadcasts, before);
  });

  test("is made for each namespace, also by a factory", async (t) => {
    const made = [];
    const factory = createAdapter(function make(nsp) {
      made.push(nsp.name);
      return new Alone(nsp);
    });
    const { io, clients } = await serve(t, factory);
    io.of("/other");
    assert.deepEqual(made, ["/", "/private", "/other"]);
    const [first, ...others] = clients;
    io.sockets.sockets.get(first.id).join("room");
    for (const client of others) client.on("news", () => assert.fail("was not in the room"));
    const received = once(first, "news");
    io.to("room").emit("news", Buffer.from("bytes"));
    assert.deepEqual(await received, [Buffer.from("bytes")]);
  });

  test("collects the acknowledgements of all sockets", async (t) => {
    const { io, clients } = await serve(t, createAdapter(Alone));
    for (const [index, client] of clients.entries()) {
      client.on("question", (answer) => answer(index));
    }
    const answers = await io.timeout(5_000).emitWithAck("question");
    assert.deepEqual(answers.sort(), [0, 1, 2]);
  });

  test("may keep the rooms in its own way", async (t) => {
    class Teams extends Adapter {
      addAll(id, rooms) {
        super.addAll(id, rooms);
        for (const room of rooms) if (room !== id) super.addAll(id, new Set([`${room} too`]));
      }

      del(id, room) {
        super.del(id, room);
        super.del(id, `${room} too`);
      }
    }
    const { io, clients } = await serve(t, createAdapter(Teams));
    const [first, second, third] = clients.map(({ id }) => io.sockets.sockets.get(id));
    for (const socket of [first, second, third]) socket.join("team");
    third.leave("team");
    clients[2].on("news", () => assert.fail("has left the room"));
    const received = Promise.all(clients.slice(0, 2).map((client) => once(client, "news")));
    const before = turbo.stats().broadcasts;
    io.to("team too").emit("news", 1);
    assert.deepEqual(await received, [[1], [1]]);
    if (hasNative) assert.equal(turbo.stats().broadcasts - before, 1);
  });

  for (const packetOpts of [{}, { preEncoded: true }]) {
    test(`may encode packets that it does not broadcast, ${JSON.stringify(packetOpts)}`, async (t) => {
      class Publishing extends Adapter {
        publish(packet) {
          return this._encode(packet, { ...packetOpts });
        }
      }
      const { io, clients, adapter } = await serve(t, createAdapter(Publishing));
      for (const client of clients) client.on("news", () => assert.fail("was not broadcast"));
      adapter.publish({ type: 2, nsp: "/", data: ["news"] });
      assert.equal((await adapter.fetchSockets({ rooms: new Set() })).length, clients.length);
      const ended = clients.map((client) => once(client, "end"));
      io.emit("end");
      await Promise.all(ended);
    });
  }

  test("may iterate over the sockets itself, and write encoded packets to them", async (t) => {
    class Counting extends Adapter {
      written = 0;

      broadcast(packet, opts) {
        const packetOpts = { preEncoded: true };
        packet.nsp = this.nsp.name;
        const encoded = this._encode(packet, packetOpts);
        this.apply(opts, (socket) => {
          this.written++;
          socket.client.writeToEngine(encoded, packetOpts);
        });
      }
    }
    const { io, clients, adapter } = await serve(t, createAdapter(Counting));
    const received = clients.map((client) => once(client, "news"));
    io.emit("news", Buffer.from("bytes"));
    for (const each of received) assert.deepEqual(await each, [Buffer.from("bytes")]);
    assert.equal(adapter.written, clients.length);
  });

  test("keeps sessions where it is session-aware", async (t) => {
    const recovery = { connectionStateRecovery: {} };
    const { io, clients } = await serve(t, createAdapter(SessionAwareAdapter), recovery);
    const [client] = clients;
    const { id } = client;
    io.emit("news");
    await once(client, "news");
    const ended = once(client, "disconnect");
    client.io.engine.close();
    await ended;
    // The server keeps the session once it has noticed the end.
    await polled(() => !io.sockets.sockets.has(id));
    const connected = once(client, "connect");
    client.connect();
    await connected;
    assert.equal(client.recovered, true);
    assert.equal(client.id, id);
  });
});

describe("createAdapter()", () => {
  const invalid = (text) => ({ code: "TURBO_ERR_INVALID_OPTION", option: "base", message: text });

  for (const [name, base] of [
    ["an adapter", new Adapter({ server: { encoder: null } })],
    ["an options object", {}],
    ["null", null],
  ]) {
    test(`refuses ${name}`, () => {
      assert.throws(() => createAdapter(base), invalid(/^base must be a factory or a class of ad/));
    });
  }

  const ours = createAdapter();
  for (const [name, base] of [
    ["nothing", function makeNothing() {}],
    ["null, by an arrow", () => null],
    ["an object that is no adapter", class {}],
    ["ours", ours],
    ["ours, made by another", (nsp) => new ours(nsp)],
    ["ours for another's", createAdapter(Adapter)],
    ["one with its own recipients", overriding("apply")],
    ["one with its own exceptions", overriding("computeExceptSids")],
    ["one with its own encoding", overriding("_encode")],
    ["one that replaces a method of itself", withOwnMethod("apply")],
  ]) {
    test(`refuses a factory of ${name} when the server is made`, { skip: !hasNative }, () => {
      const options = turbo.turbo({ adapter: createAdapter(base) });
      assert.throws(() => new Server(options), invalid(/^base must be one that extends/));
    });
  }

  test("takes an arrow", () => {
    const options = turbo.turbo({ adapter: createAdapter((nsp) => new Remembering(nsp)) });
    assert.ok(new Server(options).of("/").adapter instanceof Remembering);
  });

  test("returns no class to extend, with another's adapter either", () => {
    class Extending extends createAdapter(Adapter) {}
    assert.throws(() => new Extending({ server: { encoder: null } }), /returns no class to extend/);
  });
});

/** A class of adapters that overrides a method, to the same effect. */
function overriding(name) {
  class Overriding extends Adapter {}
  Overriding.prototype[name] = function (...args) {
    return Adapter.prototype[name].apply(this, args);
  };
  return Overriding;
}

/** A factory of adapters that have a method of their own. */
function withOwnMethod(name) {
  return (nsp) => {
    const adapter = new Adapter(nsp);
    adapter[name] = adapter[name].bind(adapter);
    return adapter;
  };
}
