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
const turbo = require("..");
const { hasEngine } = require("../lib/native.js");

const { createAdapter } = turbo;

/** A server with three clients, which are closed after the test. */
async function serve(t, adapter, options) {
  const http = createServer();
  const io = new Server(http, turbo.turbo({ adapter, ...options }));
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
  remembered = [];

  broadcast(packet, opts) {
    this.remembered.push(packet.data[0]);
    super.broadcast(packet, opts);
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
    ["what it has returned", createAdapter()],
    ["what it has returned for another", createAdapter(Adapter)],
  ]) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => createAdapter(base),
        invalid(/^base must be a factory or class of adapt/),
      );
    });
  }

  for (const [name, base] of [
    ["nothing", function makeNothing() {}],
    ["something that is no adapter", class {}],
  ]) {
    test(`refuses a factory of ${name} when the server is made`, () => {
      const options = turbo.turbo({ adapter: createAdapter(base) });
      assert.throws(() => new Server(options), invalid(/^base must be one that extends/));
    });
  }

  test("returns no class to extend, with another's adapter either", () => {
    class Extending extends createAdapter(Adapter) {}
    assert.throws(() => new Extending({ server: { encoder: null } }), /returns no class to extend/);
  });
});
