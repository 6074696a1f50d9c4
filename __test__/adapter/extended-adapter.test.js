"use strict";

/** Adapters of others with our fan-out. What they do together is in `integration/`. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { describe, test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { Server } = require("socket.io");
const { Adapter, ClusterAdapter, SessionAwareAdapter } = require("socket.io-adapter");
const { io: connect } = require("socket.io-client");
const turbo = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");

const { createAdapter } = turbo;

/** A server with three clients, which are closed after the test. */
async function serve(t, adapter, options) {
  const http = createServer();
  // Broadcasts are counted by I/O thread.
  const io = new Server(http, turbo.turbo({ adapter, ioThreads: 1, ...options }));
  await once(http.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${http.address().port}`;
  const clients = Array.from({ length: 3 }, () =>
    connect(url, { transports: ["websocket"], forceNew: true, reconnection: false }),
  );
  t.after(async () => {
    for (const client of clients) client.disconnect();
    await io.close();
  });
  await Promise.all(clients.map((client) => once(client, "connect")));
  return { io, clients, adapter: io.of("/").adapter };
}

/** An adapter that remembers what it was asked to broadcast. */
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

/** A cluster of one, whose messages come back to it alone. */
class Alone extends ClusterAdapter {
  doPublish() {
    return Promise.resolve("");
  }

  doPublishResponse() {
    return Promise.resolve();
  }
}

describe("an adapter with our fan-out", () => {
  test("is what it was, with all its methods, and broadcasts in one call", async (t) => {
    const { io, clients, adapter } = await serve(t, createAdapter(Remembering));
    assert.ok(adapter instanceof Remembering);
    assert.equal(adapter.constructor, Remembering);
    const heard = Promise.all(clients.map((client) => once(client, "news")));
    const before = turbo.stats().broadcasts;
    io.emit("news", 1);
    assert.deepEqual(await heard, [[1], [1], [1]]);
    assert.deepEqual(adapter.remembered, ["news"]);
    if (hasEngine) assert.equal(turbo.stats().broadcasts - before, 1);
  });

  test("leaves the class that it was made of as it was", async (t) => {
    const methods = Object.getOwnPropertyDescriptors(Remembering.prototype);
    await serve(t, createAdapter(Remembering));
    assert.deepEqual(Object.getOwnPropertyDescriptors(Remembering.prototype), methods);
    const { io, clients, adapter } = await serve(t, Remembering);
    const heard = Promise.all(clients.map((client) => once(client, "news")));
    const before = turbo.stats().broadcasts;
    io.emit("news");
    await heard;
    assert.equal(Object.getPrototypeOf(adapter), Remembering.prototype);
    assert.equal(turbo.stats().broadcasts, before);
  });

  test("is made for each namespace, by a factory as well", async (t) => {
    const made = [];
    const factory = createAdapter(function make(nsp) {
      made.push(nsp.name);
      return new Alone(nsp);
    });
    const { io, clients } = await serve(t, factory);
    io.of("/other");
    assert.deepEqual(made, ["/", "/other"]);
    const [first, ...others] = clients;
    io.sockets.sockets.get(first.id).join("room");
    for (const client of others) client.on("news", () => assert.fail("was not in the room"));
    const heard = once(first, "news");
    io.to("room").emit("news", Buffer.from("bytes"));
    assert.deepEqual(await heard, [Buffer.from("bytes")]);
  });

  test("has packets acknowledged by each socket", async (t) => {
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
    const heard = Promise.all(clients.slice(0, 2).map((client) => once(client, "news")));
    const before = turbo.stats().broadcasts;
    io.to("team too").emit("news", 1);
    assert.deepEqual(await heard, [[1], [1]]);
    if (hasEngine) assert.equal(turbo.stats().broadcasts - before, 1);
  });

  for (const packetOpts of [{}, { preEncoded: true }]) {
    test(`may encode what it does not broadcast, ${JSON.stringify(packetOpts)}`, async (t) => {
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

  test("may go through the sockets by itself, and write to them what it has encoded", async (t) => {
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
    const heard = clients.map((client) => once(client, "news"));
    io.emit("news", Buffer.from("bytes"));
    for (const each of heard) assert.deepEqual(await each, [Buffer.from("bytes")]);
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
    // The server has to notice, and to keep the session.
    while (io.sockets.sockets.has(id)) await delay(5);
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
    ["something that is no adapter", class {}],
    ["ours", ours],
    ["ours, made by another", (nsp) => new ours(nsp)],
    ["ours for another's", createAdapter(Adapter)],
    ["one with its own recipients", overriding("apply")],
    ["one with its own exceptions", overriding("computeExceptSids")],
    ["one with its own encoding", overriding("_encode")],
    ["one that replaces a method of itself", withOwnMethod("apply")],
  ]) {
    test(`refuses a factory of ${name} when the server is made`, { skip: !hasEngine }, () => {
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
