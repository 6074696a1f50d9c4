"use strict";

/** The examples with frameworks, as their users would run them. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { before, describe, test } = require("node:test");
const { native } = require("../../index.js");
const { hasEngine } = require("../../lib/addon/index.js");
const { compileExample, skipWithoutFrameworks, startExample } = require("../support/examples.js");
const { connectClient } = require("../support/socket-io-client.js");

const GUARD = { timeout: 180_000 };

const examples = {
  Express: "express/server.js",
  Fastify: "fastify/server.js",
  Koa: "koa/server.js",
  Nest: "nest/dist/server.js",
  "Express on createServer()": "server/express.js",
  "Fastify on createServer()": "server/fastify.js",
  "Koa on createServer()": "server/koa.js",
  "Nest on createServer()": "nest/dist/own-server.js",
  metrics: "metrics/server.js",
};

/** Connects by WebSocket only, so that the connection is native from its first packet on. */
async function connect(t, url) {
  const client = connectClient(url);
  t.after(() => client.disconnect());
  await once(client, "connect");
  return client;
}

/** Connects two clients, and waits until both have received an event of the first. */
async function connectPair(t, url) {
  const clients = [await connect(t, url), await connect(t, url)];
  const said = Promise.all(clients.map((client) => once(client, "said")));
  clients[0].emit("say", "hello");
  assert.deepEqual(await said, [["hello"], ["hello"]]);
  return clients;
}

/** Returns the expected response of `/health` with that many clients. */
function health(clients) {
  return { native, connections: hasEngine ? clients : 0 };
}

async function readJson(url) {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  return response.json();
}

/** Scrapes metrics; returns the samples by their names with labels. */
async function scrape(url) {
  const response = await fetch(`${url}/metrics`);
  assert.match(response.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split("\n").filter((line) => /^\w/.test(line));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" "))),
    ]),
  );
}

describe("an example", { ...GUARD, skip: skipWithoutFrameworks }, () => {
  before(() => compileExample("nest"));

  for (const [name, file] of Object.entries(examples)) {
    test(`with ${name} answers HTTP, broadcasts to native clients, and ends`, GUARD, async (t) => {
      const { url, stop } = await startExample(t, file);
      assert.deepEqual(await readJson(`${url}/health`), health(0));
      const [client] = await connectPair(t, url);
      assert.deepEqual(await readJson(`${url}/health`), health(2));
      const disconnected = once(client, "disconnect");
      assert.equal(await stop(), 0);
      await disconnected;
    });
  }

  const skip = !hasEngine && "without the engine there is nothing to count";

  test("with metrics exports the counters of the engine to Prometheus", {
    ...GUARD,
    skip,
  }, async (t) => {
    const { url } = await startExample(t, "metrics/server.js");
    const before = await scrape(url);
    assert.equal(before.socketio_turbo_native, 1);
    assert.equal(before.socketio_turbo_connections, 0);
    await connectPair(t, url);
    const first = await scrape(url);
    assert.equal(first.socketio_turbo_connections, 2);
    assert.equal(first.socketio_turbo_connections_opened_total, 2);
    // One for each worker that has one of the clients.
    assert.ok(first.socketio_turbo_broadcasts_total >= 1);
    assert.equal(first.socketio_turbo_queued_bytes, 0);
    assert.ok(first.socketio_turbo_received_bytes_total > 0);
    // Counters start anew at each scrape, and must not add up.
    const second = await scrape(url);
    assert.equal(second.socketio_turbo_connections_opened_total, 2);
    assert.equal(second.socketio_turbo_broadcasts_total, first.socketio_turbo_broadcasts_total);
  });

  test("with metrics counts ended connections by their reasons", { ...GUARD, skip }, async (t) => {
    const { url } = await startExample(t, "metrics/server.js");
    const [client] = await connectPair(t, url);
    client.disconnect();
    const ended = 'socketio_turbo_connections_ended_total{reason="closed"}';
    let samples = await scrape(url);
    while (samples.socketio_turbo_connections !== 1) samples = await scrape(url);
    assert.equal(samples[ended], 1);
  });
});
