"use strict";

/**
 * All past attacks on ws, and peers that flood, do not read or vanish: each is refused cleanly, in
 * bounded memory, with every descriptor freed, and the server survives it.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { existsSync, readdirSync } = require("node:fs");
const { createServer } = require("node:http");
const { afterEach, beforeEach, test } = require("node:test");
const {
  WebSocketClient,
  nextTurn,
  shown,
  upgradeRequest,
} = require("../support/websocket/client.js");
const { assertEchoed, assertRefused } = require("../support/websocket/exchange.js");
const {
  TEXT,
  binary,
  close,
  continuation,
  fragments,
  piecesOf,
  ping,
  text,
} = require("../support/websocket/frames.js");
const {
  RecordingServer,
  describeServers,
  echo,
  recordingServer,
} = require("../support/websocket/servers.js");
const { HANG_GUARD } = require("../support/observed.js");

const KIB = 1024;
const MIB = 1024 * KIB;
/** More bytes than the kernel buffers for one connection, in both directions. */
const KERNEL_BUFFERS = 24 * MIB;

/** Bytes between `send()` and a queue that has a limit: `MAX_LAG_BYTES` of src/net/lag.rs as well. */
const MOST_ON_THE_WAY = KERNEL_BUFFERS + 16 * MIB;
const TOO_MANY = { error: "WS_ERR_TOO_MANY_BUFFERED_PARTS", closeCode: 1008 };

const DESCRIPTORS = "/proc/self/fd";
const countsDescriptors = existsSync(DESCRIPTORS);

/** @returns {number} the descriptors that this process has open */
function descriptors() {
  return readdirSync(DESCRIPTORS).length;
}

/** Waits until no more descriptors are open than before. */
async function assertDescriptorsFreed(before) {
  const deadline = Date.now() + HANG_GUARD;
  while (descriptors() > before && Date.now() < deadline) await nextTurn();
  assert.ok(descriptors() <= before, `${descriptors()} descriptors, ${before} before`);
}

/** Asserts that a server still serves. */
function assertServes(server) {
  return assertEchoed(server, text("still there?"), [["text", "still there?"]]);
}

/** Runs a test with an echoing server of its own, which must serve afterwards. */
async function withServer(kind, options, run) {
  const server = new RecordingServer(kind, options, echo);
  try {
    await server.listening();
    await run(server);
    await assertServes(server);
  } finally {
    await server.stop();
  }
}

describeServers("attacks on ws: handshake", (kind) => {
  const server = recordingServer(kind, {}, echo);
  afterEach(() => assertServes(server));

  const EXTENSIONS = [
    "constructor",
    "__proto__",
    "toString, hasOwnProperty",
    "permessage-deflate; constructor",
    "permessage-deflate; __proto__=1; client_max_window_bits",
    "x; valueOf; valueOf=1",
  ];
  for (const perMessageDeflate of [false, true]) {
    for (const names of EXTENSIONS) {
      const answer = perMessageDeflate ? "answered" : "ignored";
      test(`GHSA-5v72-xg48-5rpm: the extension ${names} is ${answer}, and nothing breaks`, () =>
        withServer(kind, { perMessageDeflate }, async (own) => {
          const headers = { "Sec-WebSocket-Extensions": names };
          const { client } = await own.connect({ headers });
          const isRefused = perMessageDeflate && names.startsWith("permessage-deflate");
          assert.equal(client.response.status, isRefused ? 400 : 101);
          assert.equal(client.response.headers["sec-websocket-extensions"], undefined);
          client.destroy();
        }));
    }
  }

  test("CVE-2021-32640: a long run of spaces in the subprotocols is refused", async () => {
    for (const names of [`a${" ".repeat(15_000)}b`, `a${"\t ".repeat(7_000)}b`]) {
      const { client } = await server.connect({ headers: { "Sec-WebSocket-Protocol": names } });
      assert.equal(client.response.status, 400);
      client.destroy();
    }
  });

  test("CVE-2024-37890: more headers than are kept are refused, here or by Node.js", async () => {
    const fields = Array.from({ length: 1100 }, (_, i) => [`x${i.toString(36)}`, ""]);
    const usual = { Upgrade: undefined, Connection: undefined };
    const behind = { connection: "Upgrade", upgrade: "websocket" };
    const headers = { ...usual, ...Object.fromEntries(fields), ...behind };
    const { client } = await server.connect({ headers });
    await client.ended();
    // Node.js 20 passes the request on; 22 responds itself.
    if (client.response.status === 400) {
      assert.equal(client.response.body, "Invalid Upgrade header");
    } else {
      assert.equal(client.response.status, 431);
    }
    client.destroy();
  });

  test("CVE-2024-37890: an upgrade request whose Upgrade header is lost is refused", async () => {
    const http = createServer().listen(0, "127.0.0.1");
    await once(http, "listening");
    http.once("upgrade", (request) => {
      delete request.headers.upgrade;
    });
    await withServer(kind, { server: http }, async (own) => {
      const { client } = await own.connect();
      await client.ended();
      assert.equal(client.response.status, 400);
      assert.equal(client.response.body, "Invalid Upgrade header");
      client.destroy();
    });
    http.close();
    await once(http, "close");
  });
});

describeServers("attacks on ws: sending", (kind) => {
  const server = recordingServer(kind, {}, echo);
  afterEach(() => assertServes(server));

  test("CVE-2016-10518: a number as a payload is sent as its digits, not as memory", async () => {
    const { client, application } = await server.connect();
    application.websocket.ping(125);
    application.websocket.pong(100);
    application.websocket.send(4096);
    await client.hasReceived(3);
    assert.deepEqual(client.frames, [
      ["ping", "125"],
      ["pong", "100"],
      ["text", "4096"],
    ]);
    await client.close();
  });

  test("CVE-2026-45736: a close reason that is a typed array of other elements sends no memory", async () => {
    for (const reason of [
      new Float32Array(20),
      new Uint16Array(3),
      new DataView(new ArrayBuffer(8)),
    ]) {
      const { client, application } = await server.connect();
      try {
        application.websocket.close(1000, reason);
      } catch (error) {
        assert.ok(error instanceof TypeError, error);
      }
      await client.close();
      assert.deepEqual(await client.wire(), [["close", 1000, ""], "FIN"]);
    }
  });
});

describeServers("attacks on ws: memory", (kind) => {
  const server = recordingServer(kind, {}, echo);
  afterEach(() => assertServes(server));

  test("CVE-2016-10542: lengths that are announced take no memory", async () => {
    const announced = binary("beginning", { length: 99 * MIB, lengthBytes: 8 });
    const before = process.memoryUsage().rss;
    const connections = await Promise.all(Array.from({ length: 50 }, () => server.connect()));
    for (const { client } of connections) await client.write(announced);
    await assertServes(server);
    assert.ok(process.memoryUsage().rss - before < 99 * MIB);
    for (const { client } of connections) client.reset();
    for (const { application } of connections) await application.closed();
  });

  test("CVE-2026-48779: endless fragments of one byte are refused", () => {
    const [first, ...rest] = fragments(TEXT, Array(16_386).fill("x"));
    return assertRefused(server, Buffer.concat([first, ...rest.slice(0, -1)]), TOO_MANY);
  });

  test("CVE-2026-62389: endless empty fragments are refused", () => {
    const empty = continuation("", { fin: false });
    const wire = Buffer.concat([text("", { fin: false }), ...Array(16_384).fill(empty)]);
    return assertRefused(server, wire, TOO_MANY);
  });

  test("CVE-2026-48779: a message that is sent byte by byte is received, or refused", () =>
    withServer(kind, { maxBufferedChunks: 100 }, async (own) => {
      const { client, application } = await own.connect();
      await client.write(piecesOf(text("x".repeat(2000)), 1));
      client.finish();
      const events = await application.closed();
      const isRefused = events[0][0] === "error";
      assert.deepEqual(
        events[0],
        isRefused ? ["error", TOO_MANY.error] : ["text", shown("x".repeat(2000))],
      );
    }));

  test("a peer that sends 8,000 bytes one by one is served, and others beside it", async () => {
    const slow = assertEchoed(server, piecesOf(text("s".repeat(8000)), 1), [
      ["text", "s".repeat(8000)],
    ]);
    for (let i = 0; i < 10; i++) await assertServes(server);
    await slow;
  });
});

/** Writes a flood in steps until the connection is over, or far more has been sent than fits. */
async function flood(client, bytes, isOver) {
  const most = Math.ceil((3 * KERNEL_BUFFERS) / bytes.length);
  for (let i = 0; i < most && !isOver(); i++) {
    await client.write(bytes);
    await nextTurn();
  }
}

describeServers("peers that do not read", (kind) => {
  test("ws 8.23.0: a flood of pings ends the connection once 60 pongs wait", () =>
    withServer(kind, {}, async (server) => {
      const { client, application } = await server.connect();
      client.stopReading();
      const isOver = () => application.events.at(-1)?.[0] === "close";
      const pings = Buffer.concat(Array(512).fill(ping("p".repeat(125))));
      await flood(client, pings, isOver);
      const events = await application.closed();
      assert.deepEqual(events.at(-1), ["close", 1006, ""]);
      assert.ok(events.every(([name]) => ["ping", "error", "close"].includes(name)));
      client.destroy();
    }));

  test("maxPendingAutoPongs: as many pings in one segment are answered", () =>
    withServer(kind, { maxPendingAutoPongs: 20 }, async (server) => {
      const { client } = await server.connect();
      for (let i = 0; i < 5; i++) {
        await client.write(Buffer.concat(Array(20).fill(ping("ping"))));
        await client.hasReceived(20 * (i + 1));
      }
      await client.close();
      assert.deepEqual(await client.wire(), [
        ...Array(100).fill(["pong", "ping"]),
        ["close", 1000, ""],
        "FIN",
      ]);
    }));

  if (!kind.boundsBackpressure) return;

  for (const maxBackpressure of [undefined, MIB]) {
    const limit = maxBackpressure ?? 64 * MIB;
    test(`the queue is bounded by maxBackpressure, ${limit / MIB} MiB`, () =>
      withServer(kind, { maxBackpressure, backpressureTimeout: 0 }, async (server) => {
        const { client, application } = await server.connect();
        client.stopReading();
        const { websocket } = application;
        const message = Buffer.alloc(256 * KIB);
        let sent = 0;
        let most = 0;
        const isOver = () => websocket.readyState === websocket.CLOSED;
        while (!isOver() && sent < 2 * MOST_ON_THE_WAY + limit) {
          websocket.send(message, () => {});
          sent += message.length;
          most = Math.max(most, websocket.bufferedAmount);
          await nextTurn();
        }
        assert.deepEqual(await application.closed(), [
          ["error", "TURBO_ERR_MAX_BACKPRESSURE"],
          ["close", 1006, ""],
        ]);
        assert.ok(sent > limit, `cut off after ${sent} bytes`);
        assert.ok(most <= limit + MOST_ON_THE_WAY, `${most} bytes waited`);
        client.destroy();
      }));
  }

  test("messages of one turn are bounded as well", () =>
    withServer(kind, { maxBackpressure: MIB, backpressureTimeout: 1 }, async (server) => {
      const { client, application } = await server.connect();
      client.stopReading();
      const errors = [];
      const sent = Array.from(
        { length: 100 },
        () =>
          new Promise((resolve) => {
            application.websocket.send(Buffer.alloc(MIB), (error) => {
              if (error) errors.push(error);
              resolve();
            });
          }),
      );
      assert.deepEqual(await application.closed(), [
        ["error", "TURBO_ERR_MAX_BACKPRESSURE"],
        ["close", 1006, ""],
      ]);
      await Promise.all(sent);
      assert.ok(errors.length > 0);
      client.destroy();
    }));

  test("a peer that is cut off affects no other", () =>
    withServer(kind, { maxBackpressure: MIB, backpressureTimeout: 1 }, async (server) => {
      const { client: reader } = await server.connect();
      const { client, application } = await server.connect();
      client.stopReading();
      for (let i = 0; i < 60; i++) application.websocket.send(Buffer.alloc(MIB), () => {});
      await reader.write(text("unharmed"));
      await reader.hasReceived(1);
      assert.deepEqual(reader.frames, [["text", "unharmed"]]);
      await application.closed();
      await reader.write(text("still"));
      await reader.hasReceived(2);
      await reader.close();
      client.destroy();
    }));
});

const CONNECTIONS = 10_000;
const AT_A_TIME = 50;

/** How far a peer gets before it vanishes; true if there is a connection event. */
const STAGES = [
  ["before it has sent anything", async () => {}],
  ["within the request", (client) => client.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgr")],
  ["behind the request", (client, path) => client.write(upgradeRequest({ path }))],
  [
    "with frames behind the request",
    (client, path) =>
      client.write([Buffer.concat([Buffer.from(upgradeRequest({ path })), text("message")])]),
  ],
  ["behind the response", (client, path) => upgraded(client, path)],
  ["within a header", (client, path) => upgraded(client, path, text("cut").subarray(0, 1))],
  ["within a payload", (client, path) => upgraded(client, path, text("cut").subarray(0, 8))],
  ["within a message", (client, path) => upgraded(client, path, text("cut", { fin: false }))],
  ["behind a message that is echoed", (client, path) => upgraded(client, path, text("echo"))],
  ["behind a ping", (client, path) => upgraded(client, path, ping("ping"))],
  ["behind a close frame", (client, path) => upgraded(client, path, close(1000))],
  [
    "behind a frame that is refused",
    (client, path) => upgraded(client, path, text("", { rsv: 0x70 })),
  ],
];

/** Upgrades, then sends bytes. */
async function upgraded(client, path, bytes) {
  await client.write(upgradeRequest({ path }));
  await client.responded();
  if (bytes !== undefined) await client.write(bytes);
}

/** The ways in which peers vanish. */
const ENDINGS = [
  ["RST", (client) => client.reset()],
  ["FIN", (client) => client.destroy()],
];

describeServers("peers that vanish", (kind) => {
  const server = recordingServer(kind, {}, echo);
  let before;

  beforeEach(async () => {
    // The first connection also creates what the server keeps.
    await assertServes(server);
    before = countsDescriptors ? descriptors() : 0;
  });
  afterEach(async () => {
    await assertServes(server);
    if (countsDescriptors) await assertDescriptorsFreed(before + 2);
    assert.equal(server.server.clients.size, 0);
  });

  for (const [where, reach] of STAGES) {
    for (const [name, vanish] of ENDINGS) {
      test(`${name} ${where} leaves no descriptor open`, async () => {
        const seen = [];
        for (let i = 0; i < 10; i++) {
          const { path, application } = server.expect();
          const client = new WebSocketClient(server.port);
          await client.connected();
          await reach(client, path);
          vanish(client);
          seen.push(application);
        }
        await assertServes(server);
        const opened = seen.filter((application) => application.websocket !== undefined);
        for (const application of opened) {
          const events = await application.closed();
          assert.equal(events.filter(([event]) => event === "close").length, 1);
        }
      });
    }
  }

  test(`${CONNECTIONS} connections that vanish at once leave no descriptor open`, async () => {
    for (let done = 0; done < CONNECTIONS; done += AT_A_TIME) {
      const clients = Array.from({ length: AT_A_TIME }, () => new WebSocketClient(server.port));
      await Promise.all(
        clients.map(async (client, i) => {
          const [, reach] = STAGES[i % STAGES.length];
          const [, vanish] = ENDINGS[i % ENDINGS.length];
          await client.connected();
          await reach(client, server.expect().path);
          vanish(client);
        }),
      );
    }
  });
});
