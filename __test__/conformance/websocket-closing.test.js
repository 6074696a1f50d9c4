"use strict";

/** Autobahn group 7: how connections end. RFC 6455 §5.5.1, §7. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { nextTurn, shown } = require("../support/websocket/client.js");
const { assertRefused, exchange, protocolError } = require("../support/websocket/exchange.js");
const {
  CLOSE,
  close,
  continuation,
  frame,
  piecesOf,
  ping,
  text,
} = require("../support/websocket/frames.js");
const { describeServers, recordingServer } = require("../support/websocket/servers.js");

const VALID_CODES = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const INVALID_CODES = [
  0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 32_768, 65_535,
];

/** Asserts that the application sees these events, and that the server sends these frames. */
async function assertExchanged(server, bytes, events, frames) {
  const { events: seen, wire } = await exchange(server, bytes);
  assert.deepEqual(seen, events);
  assert.deepEqual(wire, [...frames, "FIN"]);
}

describeServers("Autobahn 7, close frames", (kind) => {
  const server = recordingServer(kind);
  const closed = (code, reason = "") => [["close", code, reason]];

  for (const code of VALID_CODES) {
    test(`RFC 6455 §5.5.1: the code ${code} is echoed`, () =>
      assertExchanged(server, close(code), closed(code), closed(code)));
  }

  for (const code of INVALID_CODES) {
    test(`RFC 6455 §7.4: the code ${code} is refused`, async () => {
      const refusal = protocolError("WS_ERR_INVALID_CLOSE_CODE");
      await assertRefused(server, close(code), refusal);
      await assertRefused(server, close(code, "with a reason"), refusal);
    });
  }

  test("RFC 6455 §7.1.5: a close frame without payload is echoed, and means 1005", () =>
    assertExchanged(server, close(), closed(1005), [["close"]]));

  test("RFC 6455 §5.5.1: a close frame of one byte is refused", () =>
    assertRefused(
      server,
      frame({ opcode: CLOSE, payload: Buffer.of(3) }),
      protocolError("WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH"),
    ));

  for (const [what, reason] of [
    ["of a few bytes", "Hello World!"],
    ["of 123 bytes", "*".repeat(123)],
    ["of many scripts", "κόσμε 😀 你好"],
  ]) {
    test(`RFC 6455 §5.5.1: a reason ${what} is echoed`, async () => {
      const expected = closed(1000, shown(reason));
      await assertExchanged(server, close(1000, reason), expected, expected);
      await assertExchanged(server, piecesOf(close(1000, reason), 1), expected, expected);
    });
  }

  test("a reason of 124 bytes is refused", () =>
    assertRefused(
      server,
      close(1000, "*".repeat(124)),
      protocolError("WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH"),
    ));

  for (const hex of ["cebae1bdb9cf83cebcceb5eda080", "ff", "c2", "f4908080"]) {
    test(`RFC 6455 §5.5.1: the reason ${hex}, which is not UTF-8, is refused`, () =>
      assertRefused(server, close(1000, Buffer.from(hex, "hex")), {
        error: "WS_ERR_INVALID_UTF8",
        closeCode: 1007,
      }));
  }
});

describeServers("Autobahn 7, bytes behind a close frame", (kind) => {
  const server = recordingServer(kind);
  const CLOSED = [["close", 1000, ""]];
  const AFTER = [
    ["a message", text("after")],
    ["a ping", ping("after")],
    ["another close frame", close(1001, "after")],
    ["a frame that would be refused", text("after", { rsv: 0x70, key: null })],
    ["256 KiB", text("x".repeat(256 * 1024))],
  ];

  for (const [what, after] of AFTER) {
    test(`RFC 6455 §5.5.1: ${what} is dropped`, async () => {
      const together = Buffer.concat([close(1000), after]);
      await assertExchanged(server, together, CLOSED, CLOSED);
      await assertExchanged(server, [close(1000), after], CLOSED, CLOSED);
    });
  }

  test("messages and pings before it are received and answered", () =>
    assertExchanged(
      server,
      Buffer.concat([text("message"), ping("ping"), close(1000)]),
      [["text", "message"], ["ping", "ping"], ...CLOSED],
      [["pong", "ping"], ...CLOSED],
    ));

  test("the fragments before it never become a message", () =>
    assertExchanged(
      server,
      [text("fragment", { fin: false }), close(1000), continuation("rest")],
      CLOSED,
      CLOSED,
    ));

  test("bytes behind a refused frame are dropped, and do not reset the connection", () =>
    assertRefused(
      server,
      [text("x", { rsv: 0x70 }), text("after"), close(1000), Buffer.alloc(512 * 1024, 0x81)],
      protocolError("WS_ERR_UNEXPECTED_RSV_2_3"),
    ));
});

describeServers("RFC 6455 §7.1.1, the end of TCP", (kind) => {
  const server = recordingServer(kind);
  const impatient = recordingServer(kind, { closeTimeout: 300 });

  test("the server sends FIN first, and the application sees the end once both have", async () => {
    const { client, application } = await server.connect();
    await client.write(close(1000, "bye"));
    assert.deepEqual(await client.wire(), [["close", 1000, "bye"], "FIN"]);
    client.finish();
    assert.deepEqual(await application.closed(), [["close", 1000, "bye"]]);
  });

  test("a peer that keeps TCP open after both close frames is cut off", async () => {
    const { client, application } = await impatient.connect();
    await client.write(close(1000, "bye"));
    assert.deepEqual(await application.closed(), [["close", 1000, "bye"]]);
    client.destroy();
  });

  test("a peer that keeps TCP open after a refusal is cut off", async () => {
    const { client, application } = await impatient.connect();
    await client.write(text("x", { rsv: 0x70 }));
    assert.deepEqual(await application.closed(), [
      ["error", "WS_ERR_UNEXPECTED_RSV_2_3"],
      ["close", 1006, ""],
    ]);
    client.destroy();
  });

  test("a close frame and FIN that arrive together are answered", async () => {
    const { client, application } = await server.connect();
    await client.write(close(3000, "together"));
    client.finish();
    assert.deepEqual(await client.wire(), [["close", 3000, "together"], "FIN"]);
    assert.deepEqual(await application.closed(), [["close", 3000, "together"]]);
  });

  test("RFC 6455 §7.1.5: FIN without a close frame means 1006", async () => {
    const { client, application } = await server.connect();
    await client.write(text("last words"));
    client.finish();
    assert.deepEqual(await client.wire(), ["FIN"]);
    assert.deepEqual(await application.closed(), [
      ["text", "last words"],
      ["close", 1006, ""],
    ]);
  });

  for (const [where, bytes] of [
    ["a header", text("cut").subarray(0, 1)],
    ["a masking key", text("cut").subarray(0, 4)],
    ["a payload", text("cut").subarray(0, 7)],
    ["a message", text("cut", { fin: false })],
    ["a close frame", close(1000, "cut").subarray(0, 9)],
  ]) {
    test(`FIN within ${where} means 1006, and no error`, async () => {
      const { client, application } = await server.connect();
      await client.write(bytes);
      client.finish();
      assert.deepEqual(await client.wire(), ["FIN"]);
      assert.deepEqual(await application.closed(), [["close", 1006, ""]]);
    });
  }

  test("RST means 1006, and no error", async () => {
    const { client, application } = await server.connect();
    client.reset();
    assert.deepEqual(await application.closed(), [["close", 1006, ""]]);
  });
});

describeServers("the server closes", (kind) => {
  const server = recordingServer(kind);
  const impatient = recordingServer(kind, { closeTimeout: 300 });

  for (const [what, parameters, sent] of [
    ["a code and a reason", [1000, "going"], ["close", 1000, "going"]],
    ["a code", [4999], ["close", 4999, ""]],
    ["nothing", [], ["close"]],
    ["a reason of 123 bytes", [1001, "r".repeat(123)], ["close", 1001, "r".repeat(123)]],
    ["bytes as the reason", [1001, Buffer.from("bytes")], ["close", 1001, "bytes"]],
  ]) {
    test(`with ${what}, waits for the answer, and then ends TCP`, async () => {
      const { client, application } = await server.connect();
      application.websocket.close(...parameters);
      assert.equal(application.websocket.readyState, application.websocket.CLOSING);
      await client.hasReceived(1);
      assert.equal(client.end, undefined);
      await client.write(close(1000, "answer"));
      assert.deepEqual(await client.wire(), [sent, "FIN"]);
      client.finish();
      assert.deepEqual(await application.closed(), [["close", 1000, "answer"]]);
      assert.equal(application.websocket.readyState, application.websocket.CLOSED);
    });
  }

  test("RFC 6455 §1.4: messages of the peer before its answer are still received", async () => {
    const { client, application } = await server.connect();
    application.websocket.close(1000);
    await client.hasReceived(1);
    await client.write([text("under way"), ping("too late for a pong"), close(1000)]);
    assert.deepEqual(await client.wire(), [["close", 1000, ""], "FIN"]);
    client.finish();
    assert.deepEqual(await application.closed(), [
      ["text", "under way"],
      ["ping", "too late for a pong"],
      ["close", 1000, ""],
    ]);
  });

  test("after it has sent its earlier messages", async () => {
    const { client, application } = await server.connect();
    const { websocket } = application;
    websocket.send("one");
    websocket.ping("two");
    websocket.send(Buffer.alloc(100_000, 3));
    websocket.close(1000, "four");
    await client.hasReceived(4);
    await client.close();
    assert.deepEqual(await client.wire(), [
      ["text", "one"],
      ["ping", "two"],
      ["binary", shown(Buffer.alloc(100_000, 3))],
      ["close", 1000, "four"],
      "FIN",
    ]);
  });

  test("twice, and sends one close frame", async () => {
    const { client, application } = await server.connect();
    application.websocket.close(1000, "first");
    application.websocket.close(1001, "second");
    await client.hasReceived(1);
    application.websocket.close(1001, "third");
    await client.close();
    assert.deepEqual(await client.wire(), [["close", 1000, "first"], "FIN"]);
  });

  test("at the same moment as the peer", async () => {
    const { client, application } = await server.connect();
    await client.write(close(1001, "peer"));
    application.websocket.close(1000, "server");
    assert.deepEqual(await client.wire(), [["close", 1000, "server"], "FIN"]);
    client.finish();
    assert.deepEqual(await application.closed(), [["close", 1001, "peer"]]);
  });

  test("RFC 6455 §5.5.1: and sends nothing afterwards", async () => {
    const { client, application } = await server.connect();
    application.websocket.close(1000);
    const error = await new Promise((resolve) => {
      application.websocket.send("too late", resolve);
    });
    assert.match(error.message, /^WebSocket is not open: readyState 2 \(CLOSING\)$/);
    await client.hasReceived(1);
    await client.close();
    assert.deepEqual(await client.wire(), [["close", 1000, ""], "FIN"]);
  });

  test("and cuts off a peer that does not answer", async () => {
    const { client, application } = await impatient.connect();
    application.websocket.close(1000);
    assert.deepEqual(await application.closed(), [["close", 1006, ""]]);
    await client.ended();
    client.destroy();
  });

  test("and receives FIN instead of an answer", async () => {
    const { client, application } = await server.connect();
    application.websocket.close(1000);
    await client.hasReceived(1);
    client.finish();
    assert.equal(await client.ended(), "FIN");
    assert.deepEqual(await application.closed(), [["close", 1006, ""]]);
  });

  test("and receives a frame that it refuses instead of an answer", async () => {
    const { client, application } = await server.connect();
    application.websocket.close(1000);
    await client.hasReceived(1);
    await client.write(text("x", { rsv: 0x70 }));
    assert.deepEqual(await client.wire(), [["close", 1000, ""], "FIN"]);
    client.finish();
    assert.deepEqual(await application.closed(), [
      ["error", "WS_ERR_UNEXPECTED_RSV_2_3"],
      ["close", 1006, ""],
    ]);
  });

  test("with terminate(), at once and without a close frame", async () => {
    const { client, application } = await server.connect();
    application.websocket.terminate();
    assert.deepEqual(await application.closed(), [["close", 1006, ""]]);
    await client.ended();
    assert.deepEqual(client.frames, []);
    client.destroy();
  });

  test("with a code or reason that no close frame can carry, which throws", async () => {
    const { client, application } = await server.connect();
    const { websocket } = application;
    for (const parameters of [[999], [1005], [1006], [2999], [5000], ["1000"]]) {
      assert.throws(() => websocket.close(...parameters), TypeError);
    }
    assert.throws(() => websocket.close(1000, "r".repeat(124)), RangeError);
    await nextTurn();
    await client.close();
    assert.deepEqual(await client.wire(), [["close", 1000, ""], "FIN"]);
  });
});
