"use strict";

/** The load client against servers of stock parts: its transports, TLS, and ordinary requests. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { createServer: createSecureServer } = require("node:https");
const { before, describe, test } = require("node:test");
const { Server } = require("socket.io");
const { createCertificate, missingOpenssl } = require("../../bench/processes/certificate.js");
const { LoadClient } = require("../../bench/processes/load-client.js");
const { build } = require("../../bench/processes/load-process.js");
const { broadcastRound } = require("../../bench/suite/broadcast-round.js");
const { pacedRound } = require("../../bench/suite/paced-round.js");
const connect = require("../../bench/scenarios/connect.js");
const { skipWithoutCargo } = require("../support/cargo.js");
const { listen } = require("../support/tcp-server.js");

const CLIENTS = 5;

/**
 * Starts a server. Returns it, the Engine.IO sockets that come, and a function that starts clients and
 * waits until all are connected. In the end the clients close their connections first.
 */
async function serve(t, options, httpServer = createServer()) {
  const io = new Server(httpServer, options);
  const [connections, clients] = [[], []];
  io.engine.on("connection", (connection) => connections.push(connection));
  const { port } = await listen(httpServer);
  t.after(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    io.close();
  });
  const start = async (scenario, more) => {
    clients.push(await LoadClient.connect(scenario, port, { clients: CLIENTS, ...more }));
  };
  return { io, connections, start };
}

const transports = (connections) => connections.map(({ transport }) => transport.name);
const all = (transport) => Array(CLIENTS).fill(transport);

describe("a client that polls", { skip: skipWithoutCargo }, () => {
  before(() => build());

  test("answers heartbeats, and stays with it", async (t) => {
    const { connections, start } = await serve(t, { pingInterval: 50 });
    await start("idle", { transport: "polling" });
    for (let pongs = 0; pongs < 3; pongs++) {
      await Promise.all(connections.map((connection) => once(connection, "heartbeat")));
    }
    assert.deepEqual(transports(connections), all("polling"));
  });

  test("receives broadcasts", async () => {
    const whom = { clients: CLIENTS, payload: 128, rooms: 1, roomsPerClient: 1 };
    const plan = { ...whom, rate: 20, roomsPerTurn: 1, burst: 3, warmUp: 0.2, seconds: 0.5 };
    const { load, lost } = await broadcastRound("ws", plan, { transport: "polling" });
    assert.equal(lost, 0);
    assert.ok(load.received >= CLIENTS * 3 * 20 * 0.7);
  });
});

describe("a client that upgrades", { skip: skipWithoutCargo }, () => {
  before(() => build());

  test("begins with long-polling, and ends with WebSocket", async (t) => {
    const upgrades = [];
    const { io, connections, start } = await serve(t, {});
    io.engine.on("connection", (connection) => upgrades.push(once(connection, "upgrade")));
    await start("connect", { transport: "upgrade" });
    await Promise.all(upgrades);
    assert.equal(upgrades.length, CLIENTS);
    assert.deepEqual(transports(connections), all("websocket"));
    const first = connections.map(({ request }) => request._query.transport);
    assert.deepEqual(first, all("polling"));
    assert.equal(io.of("/").sockets.size, CLIENTS);
  });

  test("is not connected before it has upgraded", async (t) => {
    const { start } = await serve(t, { transports: ["polling"] });
    await assert.rejects(start("connect", { transport: "upgrade" }), /load client failed/);
  });

  test("is measured as others are", async () => {
    const { clients, loop, load } = await connect.round("ws", {
      clients: 20,
      transport: "upgrade",
    });
    assert.equal(clients, 20);
    for (const figure of [loop, load.cpu, load.latency.p50]) assert.ok(figure > 0);
  });
});

describe("a client of https", { skip: skipWithoutCargo || missingOpenssl() }, () => {
  before(() => build());

  for (const transport of ["websocket", "upgrade"]) {
    test(`connects by ${transport}`, async (t) => {
      const httpServer = createSecureServer(createCertificate());
      const { io, start } = await serve(t, {}, httpServer);
      await start("connect", { transport, tls: true });
      const sockets = [...io.of("/").sockets.values()];
      assert.deepEqual(
        sockets.map(({ handshake }) => handshake.secure),
        all(true),
      );
    });
  }

  test("sends messages, and loses none", async () => {
    const load = { clients: CLIENTS, rate: 400, payload: 2_000, tls: true };
    const sample = await pacedRound("ws", "echo", load, { warmUp: 0.1, seconds: 0.4 });
    assert.equal(sample.lost, 0);
    assert.equal(sample.load.received, sample.load.sent);
    // More than their texts, since records of TLS stand around them.
    assert.ok(sample.load.traffic.written > sample.load.sent * load.payload);
  });
});

describe("an ordinary request", { skip: skipWithoutCargo }, () => {
  before(() => build());

  for (const tls of [false, true]) {
    test(`is sent as soon as the one before it is answered, TLS: ${tls}`, async () => {
      const timing = { warmUp: 0.1, seconds: 0.4 };
      const sample = await pacedRound("ws", "requests", { clients: 4, tls }, timing);
      assert.equal(sample.lost, 0);
      assert.ok(sample.received > 4);
      assert.ok(sample.load.latency.p50 > 0);
    });
  }

  test("has a connection of its own if it is asked to", async (t) => {
    const server = createServer((_request, response) => response.end());
    let [connections, requests] = [0, 0];
    server.on("connection", () => connections++).on("request", () => requests++);
    const { port } = await listen(server);
    const options = { clients: 2, warmUp: 0, seconds: 0.1, fresh: true };
    const client = await LoadClient.connect("requests", port, options);
    t.after(() => client.stop().then(() => server.close()));
    assert.equal((await client.report()).sent, requests);
    assert.equal(connections, requests);
    assert.ok(requests > options.clients);
  });

  test("fails where it is refused", async (t) => {
    const server = createServer((_request, response) => response.writeHead(503).end());
    const { port } = await listen(server);
    t.after(() => server.close());
    const options = { clients: 1, warmUp: 0.1, seconds: 0.1 };
    await assert.rejects(LoadClient.connect("requests", port, options), /load client failed/);
  });
});
