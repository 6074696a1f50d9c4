"use strict";

/** Messages that a server compresses, or does not, and the options of that. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { polled } = require("../support/observed.js");
const { randomFrom } = require("../support/random.js");
const {
  WITHOUT_CONTEXT,
  compressed,
  deflated,
  offering,
} = require("../support/websocket/deflate.js");
const { WebSocketClient, shown } = require("../support/websocket/client.js");
const { TEXT, close, text } = require("../support/websocket/frames.js");
const { connectPair, startServer } = require("../support/websocket/pair.js");
const { describeServers, recordingServer } = require("../support/websocket/servers.js");

const GUARD = { timeout: 30_000 };

const { below: anyBelow } = randomFrom(1);
/** Bytes that no compression makes fewer. */
const NOISE = Buffer.from(Array.from({ length: 5000 }, () => anyBelow(256)));

const perMessageDeflate = { ...WITHOUT_CONTEXT };

/** Opens a connection that may be compressed. */
const open = (server) => server.connect(offering(["client_max_window_bits"]));

/** Sends, and asserts which messages were compressed; the last argument of `send` says so. */
async function assertSent(server, messages) {
  const { client, application } = await open(server);
  for (const [data, , options] of messages) application.websocket.send(data, options);
  await client.hasReceived(messages.length);
  assert.deepEqual(
    client.transfers.map((transfer) => transfer.compressed),
    messages.map(([, isCompressed]) => isCompressed),
  );
  assert.deepEqual(
    client.frames.map(([, payload]) => payload),
    messages.map(([data]) => shown(data)),
  );
  await client.close();
}

describeServers("messages that a server sends", (kind) => {
  const server = recordingServer(kind, { perMessageDeflate });
  const withThreshold = (threshold) =>
    recordingServer(kind, { perMessageDeflate: { ...perMessageDeflate, threshold } });

  test("are compressed from 1,024 bytes on", () =>
    assertSent(server, [
      ["x".repeat(1023), false],
      ["x".repeat(1024), true],
      ["ž".repeat(511), false],
      ["ž".repeat(512), true],
      [Buffer.alloc(1023), false],
      [Buffer.alloc(1024), true],
      ["", false],
      ["x".repeat(500_000), true],
      [Buffer.alloc(500_000), true],
    ]));

  const low = withThreshold(10);
  test("are compressed from the threshold on", () =>
    assertSent(low, [
      ["x".repeat(9), false],
      ["x".repeat(10), true],
      [Buffer.alloc(9), false],
      [Buffer.alloc(10), true],
    ]));

  const none = withThreshold(0);
  test("are all compressed with a threshold of 0, unless they would grow", () =>
    assertSent(none, [
      ["xxxxxxxxxxxx", true],
      [Buffer.alloc(12), true],
      ["", kind.compressesAll],
      ["x", kind.compressesAll],
      [NOISE, kind.compressesAll],
    ]));

  const high = withThreshold(1e9);
  test("are not compressed below a threshold of any size", () =>
    assertSent(high, [["x".repeat(100_000), false]]));

  test("are not compressed with the option compress: false", () =>
    assertSent(server, [
      ["x".repeat(2000), false, { compress: false }],
      ["x".repeat(2000), true, { compress: true }],
      [Buffer.alloc(2000), false, { compress: false }],
      ["x".repeat(2000), true, {}],
      ["x".repeat(2000), true],
      ["x".repeat(10), false, { compress: true }],
      ["x".repeat(2000), false, { compress: undefined }],
      ["x".repeat(2000), false, { compress: 0 }],
    ]));

  test("arrive with control frames and fragments in the order of the calls", async () => {
    const { client, application } = await open(server);
    const { websocket } = application;
    const long = "long ".repeat(20_000);
    for (let i = 0; i < 5; i++) {
      websocket.send(`${i}${long}`);
      websocket.ping(`${i}`);
      websocket.send(`${i}`);
      websocket.send(Buffer.alloc(3000, i), { fin: false });
      websocket.send(Buffer.alloc(3000, i), { fin: true });
      websocket.pong(`${i}`);
      websocket.send(new Blob([`${i}${long}`]), { binary: false });
    }
    await client.hasReceived(30);
    assert.deepEqual(
      client.frames,
      [0, 1, 2, 3, 4].flatMap((i) => [
        ["text", shown(`${i}${long}`)],
        ["ping", `${i}`],
        ["text", `${i}`],
        ["binary", shown(Buffer.alloc(6000, i))],
        ["pong", `${i}`],
        ["text", shown(`${i}${long}`)],
      ]),
    );
    const inFragments = kind.compressesAll;
    assert.deepEqual(
      client.transfers.map((transfer) => transfer.compressed),
      Array(5).fill([true, false, inFragments, true]).flat(),
    );
    await client.close();
  });

  test("arrive before the close frame", async () => {
    const { client, application } = await open(server);
    application.websocket.send("x".repeat(100_000));
    application.websocket.close(4000, "bye");
    await client.hasReceived(2);
    const sent = [
      ["text", shown("x".repeat(100_000))],
      ["close", 4000, "bye"],
    ];
    assert.deepEqual(client.frames, sent);
    await client.close(4000);
    assert.deepEqual(await client.wire(), [...sent, "FIN"]);
    client.destroy();
  });

  test("are complete when their callbacks are called, in order", async () => {
    const { client, application } = await open(server);
    const { websocket } = application;
    const called = [];
    const sent = [5, 50_000, 5, 500_000, 5].map(
      (length, i) =>
        new Promise((resolve) =>
          websocket.send("x".repeat(length), (error) => {
            called.push([i, error ?? null]);
            resolve();
          }),
        ),
    );
    await Promise.all(sent);
    assert.deepEqual(
      called,
      [0, 1, 2, 3, 4].map((i) => [i, null]),
    );
    assert.equal(websocket.bufferedAmount, 0);
    await client.close();
  });

  test("of one connection are compressed, of another not", async () => {
    const pairs = [await open(server), await server.connect(), await open(server)];
    for (const { application } of pairs) application.websocket.send("x".repeat(5000));
    for (const { client } of pairs) await client.hasReceived(1);
    assert.deepEqual(
      pairs.map(({ client }) => client.transfers[0].compressed),
      [true, false, true],
    );
    for (const { client } of pairs) await client.close();
  });
});

describeServers("the level", (kind) => {
  const { below, pick, times } = randomFrom(1);
  const word = () => pick(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]);
  const records = JSON.stringify(
    Array.from({ length: 500 }, (_, id) => ({ id, at: below(1e6), names: times(9, word) })),
  );
  const lengths = new Map();

  for (const level of [1, 6, 9]) {
    const zlibDeflateOptions = { level };
    const server = recordingServer(kind, {
      perMessageDeflate: { ...perMessageDeflate, zlibDeflateOptions },
    });
    test(`is as zlibDeflateOptions.level says: ${level}`, async () => {
      const { client, application } = await open(server);
      application.websocket.send(records);
      await client.hasReceived(1);
      assert.deepEqual(client.frames, [["text", shown(records)]]);
      lengths.set(level, client.transfers[0].length);
      await client.close();
    });
  }

  test("makes fewer bytes the higher it is", () => {
    const [fastest, usual, best] = [1, 6, 9].map((level) => lengths.get(level));
    assert.ok(fastest > usual && usual >= best, `${fastest}, ${usual}, ${best} bytes`);
    // Not far from zlib's, whatever the library.
    const zlib = deflated(records, { level: 9 }).length;
    assert.ok(best <= 1.1 * zlib, `${best} bytes, ${zlib} with zlib`);
  });
});

describeServers("a WebSocket with permessage-deflate", (kind) => {
  test("exchanges messages with a client of ws that keeps no context", GUARD, async (t) => {
    const { client, socket } = await connectPair(
      t,
      kind,
      { perMessageDeflate },
      {
        perMessageDeflate: { threshold: 0 },
      },
    );
    assert.equal(client.extensions, "permessage-deflate");
    assert.equal(socket.extensions, "permessage-deflate");
    const { params } = client._extensions["permessage-deflate"];
    assert.equal(params.server_no_context_takeover, true);
    assert.equal(params.client_no_context_takeover, true);
    for (const data of ["", "x", "ž".repeat(100_000), Buffer.alloc(300_000, "ab")]) {
      const received = once(socket, "message");
      client.send(data);
      const [bytes, isBinary] = await received;
      assert.deepEqual([bytes, isBinary], [Buffer.from(data), Buffer.isBuffer(data)]);
      const echoed = once(client, "message");
      socket.send(data);
      assert.deepEqual(await echoed, [Buffer.from(data), Buffer.isBuffer(data)]);
    }
  });

  test("reports what it received to listeners as ws does", GUARD, async (t) => {
    const { client, socket } = await connectPair(
      t,
      kind,
      { perMessageDeflate },
      {
        perMessageDeflate: { threshold: 0 },
      },
    );
    socket.binaryType = "arraybuffer";
    const received = once(socket, "message");
    client.send(Buffer.alloc(2000, 1));
    const [data] = await received;
    assert.ok(data instanceof ArrayBuffer);
    assert.deepEqual(Buffer.from(data), Buffer.alloc(2000, 1));
  });

  test("ends with the code of zlib's error", GUARD, async (t) => {
    const server = await startServer(t, kind, { perMessageDeflate });
    server.once("connection", (socket) => socket.once("error", (error) => ended(error)));
    let ended;
    const error = new Promise((resolve) => {
      ended = resolve;
    });
    const client = await WebSocketClient.open(server.address().port, offering([]));
    await client.write(compressed(TEXT, "fine"));
    await client.write(text("\u0007", { rsv: 0x40 }));
    assert.equal((await error).code, "Z_DATA_ERROR");
    assert.deepEqual(await client.wire(), [["close", 1007, ""], "FIN"]);
    client.destroy();
  });

  test(
    "delivers what was received before it is closed, and what comes until then",
    GUARD,
    async (t) => {
      const { client, socket } = await connectPair(
        t,
        kind,
        { perMessageDeflate },
        { perMessageDeflate: { threshold: 0 } },
      );
      const received = [];
      socket.on("message", (data) => {
        received.push(data.length);
        if (received.length === 1) socket.close(4000, "enough");
      });
      const ended = [once(socket, "close"), once(client, "close")];
      for (let i = 0; i < 20; i++) client.send("x".repeat(i * 1000));
      const [[code], [clientCode, reason]] = await Promise.all(ended);
      assert.deepEqual([code, clientCode, String(reason)], [4000, 4000, "enough"]);
      assert.deepEqual(
        received,
        Array.from({ length: 20 }, (_, i) => i * 1000),
      );
    },
  );

  test("sends all messages before it answers a close frame", GUARD, async (t) => {
    const server = await startServer(t, kind, { perMessageDeflate });
    const client = await WebSocketClient.open(server.address().port, offering([]));
    const [socket] = server.clients;
    for (let i = 0; i < 10; i++) socket.send(`${i}`.repeat(100_000));
    await client.write(close(1000));
    assert.deepEqual(await client.wire(), [
      ...Array.from({ length: 10 }, (_, i) => ["text", shown(`${i}`.repeat(100_000))]),
      ["close", 1000, ""],
      "FIN",
    ]);
    client.destroy();
  });

  for (const [how, end] of [
    ["is terminated", (socket) => socket.terminate()],
    ["loses its client", (_socket, client) => client._socket.resetAndDestroy()],
  ]) {
    test(`calls each callback once where it ${how} while it compresses`, GUARD, async (t) => {
      const { client, socket } = await connectPair(
        t,
        kind,
        { perMessageDeflate },
        { perMessageDeflate: true },
      );
      client.on("error", () => {});
      socket.on("error", () => {});
      const called = [];
      const closed = once(socket, "close");
      const sent = Array.from({ length: 10 }, (_, i) => {
        const data = i % 3 === 0 ? "short" : NOISE.toString("hex").repeat(20);
        return new Promise((resolve) => {
          socket.send(data, (error) => {
            called.push([i, error === undefined || error === null || error instanceof Error]);
            resolve();
          });
        });
      });
      end(socket, client);
      await Promise.all(sent);
      assert.equal((await closed)[0], 1006);
      assert.deepEqual(
        called.sort(([a], [b]) => a - b),
        Array.from({ length: 10 }, (_, i) => [i, true]),
      );
    });
  }

  test("counts what waits to be compressed as buffered", GUARD, async (t) => {
    const { socket } = await connectPair(
      t,
      kind,
      { perMessageDeflate },
      { perMessageDeflate: true },
    );
    socket.send("x".repeat(50_000));
    assert.ok(socket.bufferedAmount >= 50_000, `${socket.bufferedAmount} bytes`);
    await polled(() => socket.bufferedAmount === 0);
  });
});
