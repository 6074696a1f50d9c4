"use strict";

/**
 * All past attacks on engine.io's upgrades, and resets while there is no listener for errors: a
 * Socket.IO server in a process of its own must survive them.
 */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { after, before, beforeEach, describe, test } = require("node:test");
const { io } = require("socket.io-client");
const { Observed } = require("../support/observed.js");
const { WebSocketClient, upgradeRequest } = require("../support/websocket/client.js");
const { binary, close, frame, ping, text } = require("../support/websocket/frames.js");

const PROGRAM = path.join(__dirname, "../fixtures/socket-io-process.js");
const TIMES = 20;

/** A Socket.IO server in a process of its own. */
class ServerProcess extends Observed {
  port;
  /** How many handshakes have begun to wait. */
  pending = 0;
  /** The exit code of the process, or the signal that ended it. */
  ending;
  #child;
  #stderr = "";

  /** @param {object} settings see `fixtures/socket-io-process.js` */
  constructor(settings) {
    super();
    this.#child = fork(PROGRAM, [JSON.stringify(settings)], {
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    this.#child.on("message", (message) => this.#handleMessage(message));
    this.#child.stderr.on("data", (data) => {
      this.#stderr += data;
    });
    this.#child.on("exit", (code, signal) => {
      this.ending = code ?? signal;
      this.changed();
    });
  }

  listening() {
    return this.#untilAlive(() => this.port !== undefined, "the port");
  }

  /** Waits until `count` handshakes have begun to wait. */
  waits(count) {
    return this.#untilAlive(() => this.pending >= count, `handshake ${count}`);
  }

  /** Lets all handshakes pass. */
  proceed() {
    if (this.#child.connected) this.#child.send("go");
  }

  /** Asserts that the process ends by itself and in good order. */
  async stop() {
    if (this.#child.connected) this.#child.send("stop");
    try {
      await this.until(() => this.ending !== undefined, "the end of the process");
    } finally {
      this.#child.kill("SIGKILL");
    }
    assert.equal(this.ending, 0, this.#stderr);
  }

  describe() {
    return `the process ${this.ending === undefined ? "runs" : "has ended"}: ${this.#stderr}`;
  }

  async #untilAlive(isReached, what) {
    await this.until(() => isReached() || this.ending !== undefined, what);
    assert.equal(this.ending, undefined, this.#stderr);
  }

  #handleMessage(message) {
    if (message === "pending") this.pending++;
    else this.port = message.port;
    this.changed();
  }
}

/** Returns the request of an Engine.IO client. */
function engineRequest(query, fields = {}) {
  return { path: `/socket.io/?${new URLSearchParams(query)}`, ...fields };
}

const WEBSOCKET = { EIO: "4", transport: "websocket" };

/** Opens a session by long-polling; returns its id. */
async function pollingSession(port) {
  const response = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
  return JSON.parse((await response.text()).slice(1)).sid;
}

/** Asserts that a valid client is served. */
async function assertServes(port, transports) {
  const socket = io(`http://127.0.0.1:${port}`, {
    transports,
    forceNew: true,
    reconnection: false,
  });
  try {
    await once(socket, "connect");
    assert.equal(await socket.timeout(20_000).emitWithAck("echo", "hello"), "hello");
  } finally {
    socket.disconnect();
  }
}

/** Sends bytes on a connection of their own, then RST, without waiting for an answer. */
async function sendAndReset(port, bytes) {
  const client = new WebSocketClient(port);
  await client.connected();
  await client.write(bytes);
  client.reset();
}

/** Frames that break a rule, as a client of CVE-2022-21676 sends them. */
const BAD_FRAMES = [
  ["RSV2 and RSV3", text("2probe", { rsv: 0x30 })],
  ["a reserved opcode", frame({ opcode: 3 })],
  ["no mask", text("2probe", { key: null })],
  ["text that is not UTF-8", text(Buffer.of(0xff))],
  ["an invalid close code", close(1006)],
  ["a length of 2^63", binary("", { length: 2n ** 63n, lengthBytes: 8 })],
  ["a length above maxHttpBufferSize", binary("", { length: 2_000_000, lengthBytes: 8 })],
];

/** Requests whose upgrade is aborted. */
const ABORTED = [
  ["an unknown transport", { EIO: "4", transport: "foo" }],
  ["no transport", { EIO: "4" }],
  ["an unknown session", { ...WEBSOCKET, sid: "unknown" }],
  ["a session named __proto__", { ...WEBSOCKET, sid: "__proto__" }],
  ["a version that is not supported", { EIO: "5", transport: "websocket" }],
];

function definePassingAttacks(server) {
  test("the server serves over WebSocket and by upgrade", async () => {
    await assertServes(server().port, ["websocket"]);
    await assertServes(server().port, ["polling", "websocket"]);
  });

  for (const [what, bad] of BAD_FRAMES) {
    test(`CVE-2022-21676: ${what} straight behind the request of a new session`, async () => {
      const request = Buffer.from(upgradeRequest(engineRequest(WEBSOCKET)));
      const client = new WebSocketClient(server().port);
      await client.write(Buffer.concat([request, bad]));
      await client.ended();
      assert.equal(client.response.status, 101);
      client.finish();
      client.destroy();
    });

    test(`CVE-2022-21676: ${what} straight behind the upgrade of a session`, async () => {
      const sid = await pollingSession(server().port);
      const request = Buffer.from(upgradeRequest(engineRequest({ ...WEBSOCKET, sid })));
      const client = new WebSocketClient(server().port);
      await client.write(Buffer.concat([request, bad]));
      await client.ended();
      client.destroy();
    });
  }

  for (const [what, query] of ABORTED) {
    test(`CVE-2022-41940: ${what}, and RST while the upgrade is aborted`, async () => {
      const request = upgradeRequest(engineRequest(query));
      const attacks = Array.from({ length: TIMES }, () => sendAndReset(server().port, request));
      await Promise.all(attacks);
    });
  }

  test("CVE-2022-41940: RST while an upgrade is rejected by ws", async () => {
    const headers = { "Sec-WebSocket-Key": undefined };
    const request = upgradeRequest(engineRequest(WEBSOCKET, { headers }));
    await Promise.all(Array.from({ length: TIMES }, () => sendAndReset(server().port, request)));
  });

  test("RST while an upgrade is accepted, with frames behind the request or not", async () => {
    const request = Buffer.from(upgradeRequest(engineRequest(WEBSOCKET)));
    const wires = [
      request,
      Buffer.concat([request, text("40")]),
      Buffer.concat([request, ping("")]),
    ];
    for (const wire of wires) {
      await Promise.all(Array.from({ length: TIMES }, () => sendAndReset(server().port, wire)));
    }
  });

  for (const [what, query] of [
    ["polling", { EIO: "4", transport: "polling" }],
    ["polling with version 3", { EIO: "3", transport: "polling" }],
  ]) {
    test(`CVE-2023-31125: an upgrade for the transport ${what}`, async () => {
      const client = await WebSocketClient.open(server().port, engineRequest(query));
      await client.write(text("2probe"));
      await client.write(close(1000));
      await client.ended();
      client.destroy();
    });

    test(`CVE-2023-31125: an upgrade of a session for the transport ${what}`, async () => {
      const sid = await pollingSession(server().port);
      const request = engineRequest({ ...query, sid });
      const client = await WebSocketClient.open(server().port, request);
      await client.write(close(1000));
      await client.ended();
      client.destroy();
    });
  }

  test("two upgrades of one session at a time", async () => {
    const sid = await pollingSession(server().port);
    const request = engineRequest({ ...WEBSOCKET, sid });
    const clients = await Promise.all(
      [1, 2].map(() => WebSocketClient.open(server().port, request)),
    );
    for (const client of clients) await client.write([text("2probe"), text("2probe")]);
    for (const client of clients) client.reset();
  });
}

/** Defines a group for each kind of server; a server for all its tests must outlive each. */
for (const parts of ["stock", "turbo"]) {
  describe(`attacks on upgrades (${parts})`, () => {
    let server;
    before(async () => {
      server = new ServerProcess({ parts });
      await server.listening();
    });
    beforeEach(() => assertServes(server.port, ["websocket"]));
    after(async () => {
      await assertServes(server.port, ["polling", "websocket"]);
      await server.stop();
    });
    definePassingAttacks(() => server);
  });
}

/**
 * As of engine.io 6.6.12, there is no listener for errors of a socket while its handshake waits, so
 * that a reset ends the process. `turbo()` prevents that.
 */
describe("resets while a handshake waits (turbo)", () => {
  for (const gate of ["allowRequest", "middleware"]) {
    for (const place of ["new Server()", "attach()", "a second attach()"]) {
      defineReset({ gate, place }, "a new session", WEBSOCKET);
    }
    const aborted = { EIO: "4", transport: "polling" };
    defineReset({ gate, place: "new Server()" }, "an aborted upgrade", aborted);
  }

  function defineReset({ gate, place }, what, query) {
    test(`for ${gate}: ${what}, given to ${place}`, async () => {
      const server = new ServerProcess({ parts: "turbo", gate, place });
      await server.listening();
      const request = engineRequest(query);
      const clients = Array.from({ length: 5 }, () => new WebSocketClient(server.port));
      for (const client of clients) await client.write(upgradeRequest(request));
      await server.waits(clients.length);
      for (const client of clients) client.reset();
      // Another handshake follows the resets, so that they have been processed.
      const last = new WebSocketClient(server.port);
      await last.write(upgradeRequest(request));
      await server.waits(clients.length + 1);
      server.proceed();
      last.destroy();
      await assertServes(server.port, ["websocket"]);
      await server.stop();
    });
  }
});
