"use strict";

/** Autobahn groups 9 and 10: large messages, many messages, and the limits of both. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { shown } = require("../support/websocket/client.js");
const { assertEchoed, assertReceived, assertRefused } = require("../support/websocket/exchange.js");
const {
  BINARY,
  TEXT,
  binary,
  continuation,
  fragments,
  frame,
  piecesOf,
  ping,
  text,
} = require("../support/websocket/frames.js");
const { describeServers, echo, recordingServer } = require("../support/websocket/servers.js");

const KIB = 1024;
const MIB = 1024 * KIB;
const TOO_LONG = { error: "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH", closeCode: 1009 };
const TOO_MANY = { error: "WS_ERR_TOO_MANY_BUFFERED_PARTS", closeCode: 1008 };
const TYPES = [
  ["text", TEXT],
  ["binary", BINARY],
];

/** ASCII bytes without repeated sequences, so that a wrong cut is detected. */
function payloadOf(length) {
  const line = Array.from({ length: 1021 }, (_, i) => String.fromCharCode(32 + ((i * i) % 95)));
  return Buffer.alloc(length, line.join(""));
}

/** A message in fragments of a given size. */
function inFragments(opcode, payload, size) {
  return Buffer.concat(fragments(opcode, piecesOf(Buffer.from(payload), size)));
}

describeServers("Autobahn 9, large messages", (kind) => {
  const server = recordingServer(kind, {}, echo);

  for (const length of [64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB]) {
    for (const [name, opcode] of TYPES) {
      test(`a ${name} message of ${length / KIB} KiB is echoed`, () => {
        const payload = payloadOf(length);
        return assertEchoed(server, frame({ opcode, payload }), [[name, payload]]);
      });
    }
  }

  for (const size of [256, KIB, 4 * KIB, 64 * KIB, MIB]) {
    for (const [name, opcode] of TYPES) {
      test(`a ${name} message of 2 MiB in fragments of ${size} bytes is echoed`, () => {
        const payload = payloadOf(2 * MIB);
        return assertEchoed(server, inFragments(opcode, payload, size), [[name, payload]]);
      });
    }
  }

  for (const size of [1300, 2 * KIB, 16 * KIB]) {
    test(`a message of 1 MiB written ${size} bytes at a time is echoed`, () => {
      const payload = payloadOf(MIB);
      return assertEchoed(server, piecesOf(text(payload), size), [["text", payload]]);
    });
  }

  test("a long text of characters of all lengths is echoed", () => {
    const payload = Buffer.from("aé你😀".repeat(50_000));
    return assertEchoed(server, inFragments(TEXT, payload, 1009), [["text", payload]]);
  });

  for (const [name, opcode] of TYPES) {
    for (const length of [0, 16, 125, 1024]) {
      test(`a thousand ${name} messages of ${length} bytes are echoed in order`, () => {
        const payloads = Array.from({ length: 1000 }, (_, i) =>
          Buffer.from(`${i}`.padEnd(length, ".").slice(0, length)),
        );
        const wire = Buffer.concat(payloads.map((payload) => frame({ opcode, payload })));
        return assertEchoed(
          server,
          piecesOf(wire, 16 * KIB),
          payloads.map((payload) => [name, payload]),
        );
      });
    }
  }

  test("large messages of many connections do not mix", async () => {
    const payloads = Array.from({ length: 8 }, (_, i) => Buffer.alloc(MIB, i));
    await Promise.all(
      payloads.map((payload) =>
        assertEchoed(server, piecesOf(binary(payload), 50_000), [["binary", payload]]),
      ),
    );
  });
});

describeServers("maxPayload", (kind) => {
  const server = recordingServer(kind, { maxPayload: 1000 });
  const longest = "x".repeat(1000);
  const open = (length) => text("x".repeat(length), { fin: false });

  test("accepts a message of that length", async () => {
    await assertReceived(server, text(longest), [["text", longest]]);
    await assertReceived(server, inFragments(TEXT, longest, 100), [["text", longest]]);
  });

  test("RFC 6455 §7.4.1: a longer frame is refused with 1009", () =>
    assertRefused(server, text("x".repeat(1001)), TOO_LONG));

  test("a longer frame is refused by its header, before its payload", () =>
    assertRefused(server, text("", { length: 1001, lengthBytes: 2 }), TOO_LONG));

  test("CVE-2016-10542: a frame of any length is refused by its header", async () => {
    for (const length of [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
      await assertRefused(server, binary("", { length, lengthBytes: 8 }), TOO_LONG);
    }
  });

  test("RFC 6455 §10.4: the limit holds over all fragments", async () => {
    const over = [open(500), continuation("x".repeat(500), { fin: false }), continuation("x")];
    await assertRefused(server, over, TOO_LONG);
    await assertRefused(server, [open(999), continuation("xx")], TOO_LONG);
  });

  test("pings between fragments do not count", () =>
    assertReceived(
      server,
      [open(500), ping("p".repeat(125)), continuation("x".repeat(500))],
      [
        ["ping", "p".repeat(125)],
        ["text", longest],
      ],
      [["pong", "p".repeat(125)]],
    ));

  test("each message is counted anew", () =>
    assertReceived(server, Buffer.concat([text(longest), text(longest)]), [
      ["text", longest],
      ["text", longest],
    ]));

  test("messages before the one that is too long are received", () =>
    assertRefused(server, Buffer.concat([text("before"), text("x".repeat(1001))]), {
      ...TOO_LONG,
      events: [["text", "before"]],
    }));

  test("messages of the server are not limited", async () => {
    const { client, application } = await server.connect();
    application.websocket.send("s".repeat(5000));
    await client.hasReceived(1);
    assert.deepEqual(client.frames, [["text", shown("s".repeat(5000))]]);
    await client.close();
  });
});

describeServers("maxFragments", (kind) => {
  const server = recordingServer(kind, { maxFragments: 4 });

  test("accepts a message of that many fragments", () =>
    assertReceived(server, Buffer.concat(fragments(TEXT, ["a", "b", "c", "d"])), [
      ["text", "abcd"],
    ]));

  for (const payloads of [
    ["a", "b", "c", "d", "e"],
    ["", "", "", "", ""],
    ["abcd", "", "", "", ""],
  ]) {
    test(`one more fragment is refused with 1008: ${JSON.stringify(payloads)}`, async () => {
      const frames = fragments(TEXT, payloads);
      await assertRefused(server, Buffer.concat(frames), TOO_MANY);
      await assertRefused(server, frames, TOO_MANY);
    });
  }

  test("pings between fragments do not count", () =>
    assertReceived(
      server,
      fragments(TEXT, ["a", "b", "c", "d"]).flatMap((fragment) => [ping(""), fragment]),
      [...Array(4).fill(["ping", ""]), ["text", "abcd"]],
      Array(4).fill(["pong", ""]),
    ));

  test("each message is counted anew", () =>
    assertReceived(
      server,
      [1, 2, 3].flatMap(() => fragments(BINARY, ["a", "b", "c", "d"])),
      Array(3).fill(["binary", "abcd"]),
    ));

  if (kind.countsFragmentsEarly) {
    test("one more fragment is refused by its header, before its payload", () => {
      const announced = continuation("", { fin: false, length: 100, lengthBytes: 0 });
      return assertRefused(
        server,
        [...fragments(TEXT, ["a", "b", "c", "d", ""]).slice(0, 4), announced],
        TOO_MANY,
      );
    });
  }
});

describeServers("limits of 0", (kind) => {
  const server = recordingServer(kind, { maxPayload: 0, maxFragments: 0 });

  test("are no limits, as in ws", async () => {
    const payload = payloadOf(20_000);
    await assertReceived(server, inFragments(TEXT, payload, 1), [["text", payload]]);
  });
});

describeServers("default limits", (kind) => {
  const server = recordingServer(kind);

  test("16,384 fragments pass, and one more does not", async () => {
    const most = payloadOf(16_384);
    await assertReceived(server, inFragments(TEXT, most, 1), [["text", most]]);
    await assertRefused(server, inFragments(TEXT, payloadOf(16_385), 1), TOO_MANY);
  });

  test("a frame of 100 MiB and a byte is refused by its header", () =>
    assertRefused(server, binary("", { length: 100 * MIB + 1, lengthBytes: 8 }), TOO_LONG));
});

describe("the payloads of these tests", () => {
  test("do not repeat where frames are cut", () => {
    const payload = payloadOf(8 * KIB);
    assert.notDeepEqual(payload.subarray(0, KIB), payload.subarray(KIB, 2 * KIB));
  });
});
