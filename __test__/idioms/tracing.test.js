"use strict";

/** Tracers, which wrap the methods of ws, engine.io and Socket.IO. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { Adapter } = require("socket.io-adapter");
const { skipWithoutCompanions } = require("../companions");
const { engineNamed, hasNative } = require("../support/engines.js");
const { startFixture } = require("../support/fixture-process.js");
const { connectClient, enter } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

const MOMENTS = ["first", "loaded", "connected"];

/** Returns what a tracer of a server sees of one client, and whether the connection was native. */
async function trace(t, settings, { isLeft = false } = {}) {
  const fixture = startFixture(t, "traced-server.js", [JSON.stringify(settings)]);
  let port;
  // A tracer may report first.
  while (port === undefined) ({ port } = await fixture.next());
  const client = connectClient(`http://127.0.0.1:${port}`);
  t.after(() => client.disconnect());
  const received = [];
  client.on("told", (value) => received.push(value));
  client.on("question", (answer) => answer("answer"));
  await once(client, "connect");
  const { id } = client;
  const native = await client.emitWithAck("trace");
  assert.equal(await client.emitWithAck("ask", "text"), "text");
  assert.deepEqual(await client.emitWithAck("ask", Buffer.of(1)), Buffer.of(1));
  assert.deepEqual(await client.emitWithAck("tell"), ["answer"]);
  assert.deepEqual(received, [1, Buffer.of(2), 4, Buffer.of(5), "6"]);
  if (isLeft) client.disconnect();
  else client.emit("leave");
  const { code, reports } = await fixture.exited;
  assert.equal(code, 0);
  return { native, reports, id };
}

/** Returns how often each value was seen: the order depends on the network. */
function counts(values, id) {
  const found = {};
  for (const value of values) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const key = text.replaceAll(id, "(id)");
    found[key] = (found[key] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(found).sort());
}

/** Compares the traces of ours with those of the official packages. */
function compare(tracer, moments, traceOf, skip = false) {
  for (const isAccepting of [false, true]) {
    const server = isAccepting ? ", on createServer()" : "";
    describe(`${tracer} sees the same of turbo() as of Socket.IO${server}`, { skip }, () => {
      compareWith({ tracer, isAccepting }, moments, traceOf);
    });
  }
}

function compareWith({ tracer, isAccepting }, moments, traceOf) {
  for (const moment of moments) {
    for (const isLeft of [false, true]) {
      const who = isLeft ? "client" : "server";
      test(`from the moment "${moment}" on, until the ${who} disconnects`, async (t) => {
        const [stock, ours] = await Promise.all([
          trace(t, { engine: "stock", tracer, moment }, { isLeft }),
          trace(t, { engine: "turbo", isAccepting, tracer, moment }, { isLeft }),
        ]);
        assert.deepEqual([stock.native, ours.native], [0, hasNative ? 1 : 0]);
        const expected = counts(traceOf(stock), stock.id);
        assert.notDeepEqual(expected, {});
        assert.deepEqual(counts(traceOf(ours), ours.id), expected);
      });
    }
  }
}

const reported = ({ reports }) => reports.find(({ trace }) => trace).trace;

/** Returns the spans of dd-trace for requests and messages, with the names of their parents. */
function datadogSpans({ reports }) {
  const spans = reports.flatMap(({ traces }) => traces ?? []).flat();
  const byId = new Map(spans.map((span) => [span.span_id, span]));
  const ofWeb = spans.filter(({ name }) => /^web/.test(name));
  return ofWeb.map(({ name, resource, meta, metrics, error, parent_id }) => {
    const type = meta["websocket.message.type"];
    // When both sides close, it depends on the network which frame is the answer.
    const kind = name === "websocket.close" ? undefined : meta["span.kind"];
    const parent = byId.get(parent_id);
    const length = metrics["websocket.message.length"];
    return { name, resource, kind, type, length, error, parent: parent?.name };
  });
}

compare("wrappers", MOMENTS, reported);
compare("opentelemetry", ["first"], reported, skipWithoutCompanions);
compare("dd-trace", ["first"], datadogSpans, skipWithoutCompanions);

test("a method that is no longer wrapped is fast again", {
  skip: !hasNative && "no engine",
}, async (t) => {
  const turbo = engineNamed("turbo");
  const server = await startServer(t, turbo);
  const { io } = server;
  const { client, socket } = await enter(server);
  const { conn } = socket;
  const { stats } = require("../..");
  /** Broadcasts, and returns by how many commands to workers. */
  const broadcast = async () => {
    const before = stats().broadcasts;
    const received = once(client, "news");
    io.emit("news", 1);
    assert.deepEqual(await received, [1]);
    return stats().broadcasts - before;
  };
  assert.equal(await broadcast(), 1);
  for (const [prototype, name] of [
    [Object.getPrototypeOf(conn), "flush"],
    [Object.getPrototypeOf(conn), "emit"],
    [Object.getPrototypeOf(conn.transport), "send"],
    [Object.getPrototypeOf(socket.client), "writeToEngine"],
    [Adapter.prototype, "apply"],
  ]) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    const original = prototype[name];
    let calls = 0;
    prototype[name] = function (...args) {
      calls++;
      return original.apply(this, args);
    };
    assert.equal(await broadcast(), 0, name);
    assert.ok(calls > 0, name);
    if (descriptor === undefined) delete prototype[name];
    else Object.defineProperty(prototype, name, descriptor);
    assert.equal(await broadcast(), 1, name);
  }
});
