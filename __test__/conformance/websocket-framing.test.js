"use strict";

/** Autobahn groups 1 to 4: frames of all lengths, pings and pongs, reserved bits and opcodes. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const {
  assertEchoed,
  assertReceived,
  assertRefused,
  protocolError,
} = require("../support/websocket/exchange.js");
const {
  BINARY,
  CLOSE,
  OPCODES,
  PING,
  RSV1,
  RSV2,
  RSV3,
  TEXT,
  binary,
  close,
  continuation,
  frame,
  piecesOf,
  ping,
  pong,
  text,
} = require("../support/websocket/frames.js");
const { describeServers, echo, recordingServer } = require("../support/websocket/servers.js");

/** Lengths around those at which the length field grows, RFC 6455 §5.2. */
const LENGTHS = [0, 1, 125, 126, 127, 128, 65_535, 65_536];
const NAMES = { [TEXT]: "text", [BINARY]: "binary" };
const UTF8 = "Hello-µ@ßöäüàá-UTF-8!!";

describeServers("Autobahn 1, framing", (kind) => {
  const server = recordingServer(kind, {}, echo);

  for (const opcode of [TEXT, BINARY]) {
    const name = NAMES[opcode];
    for (const length of LENGTHS) {
      const payload = "*".repeat(length);
      const message = frame({ opcode, payload });

      test(`RFC 6455 §5.2: a ${name} frame of ${length} bytes is received and sent`, () =>
        assertEchoed(server, message, [[name, payload]]));

      test(`a ${name} frame of ${length} bytes is received in pieces`, () =>
        assertEchoed(server, piecesOf(message, 997), [[name, payload]]));
    }

    test(`a ${name} frame is received byte by byte`, () =>
      assertEchoed(server, piecesOf(frame({ opcode, payload: "x".repeat(300) }), 1), [
        [name, "x".repeat(300)],
      ]));
  }

  test("RFC 6455 §5.2: the length field is read wherever it is cut", async () => {
    const message = binary(Buffer.alloc(70_000, 7));
    for (let cut = 1; cut <= 14; cut++) {
      const pieces = [message.subarray(0, cut), message.subarray(cut)];
      await assertEchoed(server, pieces, [["binary", Buffer.alloc(70_000, 7)]]);
    }
  });

  test("messages that arrive together are received one by one", () => {
    const words = Array.from({ length: 50 }, (_, i) => `message ${i}`);
    const wire = Buffer.concat(words.map((word) => text(word)));
    return assertEchoed(
      server,
      wire,
      words.map((word) => ["text", word]),
    );
  });

  test("messages are received however their bytes are cut", async () => {
    const wire = Buffer.concat([text("one"), binary("two"), text(""), text(UTF8)]);
    const messages = [
      ["text", "one"],
      ["binary", "two"],
      ["text", ""],
      ["text", UTF8],
    ];
    for (const size of [1, 2, 3, 5, 7, 11, 13]) {
      await assertEchoed(server, piecesOf(wire, size), messages);
    }
  });

  test("a text message is delivered as a Buffer, as by ws", async () => {
    const { client, application } = await server.connect();
    const received = new Promise((resolve) => {
      application.websocket.once("message", (...parameters) => resolve(parameters));
    });
    await client.write(text("text"));
    assert.deepEqual(await received, [Buffer.from("text"), false]);
    await client.close();
  });
});

describeServers("RFC 6455 §5.2, lengths in more bytes than they need", (kind) => {
  const server = recordingServer(kind);
  const LONGER = [
    [0, 2],
    [125, 2],
    [0, 8],
    [126, 8],
    [65_535, 8],
  ];

  for (const [length, lengthBytes] of LONGER) {
    const payload = "*".repeat(length);
    const message = text(payload, { lengthBytes });
    const what = `a length of ${length} in ${lengthBytes * 8} bits`;

    if (kind.wantsMinimalLengths) {
      test(`${what} is refused`, () =>
        assertRefused(
          server,
          [text("before"), message, text("after")],
          protocolError("TURBO_ERR_NON_MINIMAL_LENGTH", { events: [["text", "before"]] }),
        ));
    } else {
      test(`${what} is accepted: ws does not check it`, () =>
        assertReceived(server, message, [["text", payload]]));
    }
  }

  test("a length above 2^53 - 1 is refused, as JavaScript cannot count it", async () => {
    for (const length of [2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      await assertRefused(server, binary("", { length, lengthBytes: 8 }), {
        error: "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
        closeCode: 1009,
      });
    }
  });
});

describeServers("RFC 6455 §5.1, masking", (kind) => {
  const server = recordingServer(kind);

  for (const [name, opcode] of Object.entries(OPCODES).filter(([, opcode]) => opcode !== 0)) {
    test(`a ${name.toLowerCase()} frame that is not masked is refused`, () =>
      assertRefused(server, frame({ opcode, key: null }), protocolError("WS_ERR_EXPECTED_MASK")));
  }

  test("a continuation that is not masked is refused", () =>
    assertRefused(
      server,
      [text("", { fin: false }), continuation("x", { key: null })],
      protocolError("WS_ERR_EXPECTED_MASK"),
    ));

  test("messages before a frame that is not masked are received", () =>
    assertRefused(
      server,
      Buffer.concat([text("before"), text("unmasked", { key: null }), text("after")]),
      protocolError("WS_ERR_EXPECTED_MASK", { events: [["text", "before"]] }),
    ));

  test("any masking key is accepted, zero included", async () => {
    for (const key of ["00000000", "00000001", "ffffffff", "80808080", "0d0a0d0a"]) {
      const message = text(UTF8.repeat(20), { key: Buffer.from(key, "hex") });
      await assertReceived(server, piecesOf(message, 101), [["text", UTF8.repeat(20)]]);
    }
  });
});

describeServers("Autobahn 2, pings and pongs", (kind) => {
  const server = recordingServer(kind);
  const PAYLOADS = [
    ["nothing", ""],
    ["text", "Hello, world!"],
    ["bytes that are no text", Buffer.from("00fffefdfcfb00ff", "hex")],
    ["125 bytes", Buffer.alloc(125, 0xfe)],
  ];

  for (const [what, payload] of PAYLOADS) {
    test(`RFC 6455 §5.5.3: a ping with ${what} is answered with the same`, () =>
      assertReceived(server, ping(payload), [["ping", payload]], [["pong", payload]]));
  }

  for (const opcode of [PING, OPCODES.PONG, CLOSE]) {
    for (const length of [126, 65_536]) {
      test(`RFC 6455 §5.5: opcode ${opcode} with ${length} bytes: a control frame carries at most 125`, () =>
        assertRefused(
          server,
          frame({ opcode, payload: Buffer.alloc(length, 0xfe) }),
          protocolError("WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH"),
        ));
    }
  }

  test("RFC 6455 §5.5: a control frame with a 16-bit length is refused, however short it is", () =>
    assertRefused(
      server,
      ping("short", { lengthBytes: 2 }),
      protocolError("WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH"),
    ));

  test("a ping of 125 bytes is answered when it is sent byte by byte", () =>
    assertReceived(
      server,
      piecesOf(ping("p".repeat(125)), 1),
      [["ping", "p".repeat(125)]],
      [["pong", "p".repeat(125)]],
    ));

  test("RFC 6455 §5.5.3: an unsolicited pong is not answered", async () => {
    await assertReceived(server, pong(""), [["pong", ""]]);
    await assertReceived(server, pong("unsolicited"), [["pong", "unsolicited"]]);
  });

  test("a ping behind a pong is answered", () =>
    assertReceived(
      server,
      Buffer.concat([pong("unsolicited"), ping("ping")]),
      [
        ["pong", "unsolicited"],
        ["ping", "ping"],
      ],
      [["pong", "ping"]],
    ));

  for (const [how, size] of [
    ["together", 1000],
    ["in pieces", 7],
    ["byte by byte", 1],
  ]) {
    test(`ten pings that arrive ${how} are answered in order`, () => {
      const payloads = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
      const wire = Buffer.concat(payloads.map((payload) => ping(payload)));
      return assertReceived(
        server,
        piecesOf(wire, size),
        payloads.map((payload) => ["ping", payload]),
        payloads.map((payload) => ["pong", payload]),
      );
    });
  }
});

describeServers("pings of the application", (kind) => {
  const server = recordingServer(kind, { autoPong: false });

  test("autoPong: false leaves the answers to the application", async () => {
    const { client, application } = await server.connect();
    await client.write(ping("unanswered"));
    await application.hasSeen(1);
    application.websocket.pong("answered");
    await client.hasReceived(1);
    assert.deepEqual(client.frames, [["pong", "answered"]]);
    await client.close();
  });

  test("the server sends a ping, and receives its pong", async () => {
    const { client, application } = await server.connect();
    application.websocket.ping("from the server");
    await client.hasReceived(1);
    await client.write(pong("from the server"));
    await client.close();
    assert.deepEqual(client.frames[0], ["ping", "from the server"]);
    assert.deepEqual(await application.closed(), [
      ["pong", "from the server"],
      ["close", 1000, ""],
    ]);
  });
});

/** Frames that are refused with 1002 by the first byte of their header. */
function refusesFirstBytes(server, cases) {
  for (const { rule, opcode, rsv = 0, payload = "x", error } of cases) {
    const bad = frame({ opcode, rsv, payload });

    test(`${rule} is refused`, () => assertRefused(server, bad, protocolError(error)));

    test(`${rule} is refused when the frame is sent byte by byte`, () =>
      assertRefused(server, piecesOf(bad, 1), protocolError(error)));

    test(`${rule} is refused between messages, of which the first is received`, () =>
      assertRefused(
        server,
        Buffer.concat([text("before"), ping("ping"), bad, text("after"), ping("late")]),
        protocolError(error, {
          events: [
            ["text", "before"],
            ["ping", "ping"],
          ],
          answers: [["pong", "ping"]],
        }),
      ));
  }
}

describeServers("Autobahn 3, reserved bits", (kind) => {
  const server = recordingServer(kind);
  const RSV_23 = "WS_ERR_UNEXPECTED_RSV_2_3";
  const RSV_1 = "WS_ERR_UNEXPECTED_RSV_1";
  const rule = (rsv, what) => `RFC 6455 §5.2: RSV ${rsv >> 4} in a ${what} frame`;

  refusesFirstBytes(server, [
    { rule: rule(RSV3, "text"), opcode: TEXT, rsv: RSV3, error: RSV_23 },
    { rule: rule(RSV2, "text"), opcode: TEXT, rsv: RSV2, error: RSV_23 },
    { rule: rule(RSV1, "text"), opcode: TEXT, rsv: RSV1, error: RSV_1 },
    { rule: rule(RSV1 | RSV2, "binary"), opcode: BINARY, rsv: RSV1 | RSV2, error: RSV_23 },
    { rule: rule(RSV1, "binary"), opcode: BINARY, rsv: RSV1, error: RSV_1 },
    { rule: rule(RSV1 | RSV3, "ping"), opcode: PING, rsv: RSV1 | RSV3, error: RSV_23 },
    { rule: rule(RSV1, "ping"), opcode: PING, rsv: RSV1, error: RSV_1 },
    {
      rule: rule(RSV1 | RSV2 | RSV3, "close"),
      opcode: CLOSE,
      rsv: RSV1 | RSV2 | RSV3,
      payload: "",
      error: RSV_23,
    },
  ]);

  test("RSV1 in a continuation is refused", () =>
    assertRefused(
      server,
      [text("", { fin: false }), continuation("x", { rsv: RSV1 })],
      protocolError(RSV_1),
    ));
});

describeServers("Autobahn 4, reserved opcodes", (kind) => {
  const server = recordingServer(kind);
  const error = "WS_ERR_INVALID_OPCODE";

  refusesFirstBytes(
    server,
    [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
      rule: `RFC 6455 §5.2: opcode 0x${opcode.toString(16)}`,
      opcode,
      error,
    })),
  );

  test("a reserved opcode without payload, or in a message, is refused", async () => {
    await assertRefused(server, frame({ opcode: 3 }), protocolError(error));
    const within = [text("a", { fin: false }), frame({ opcode: 3, payload: "b" })];
    await assertRefused(server, within, protocolError(error));
  });
});

describeServers("an application that answers", (kind) => {
  const server = recordingServer(kind, {}, echo);
  const before = Buffer.concat([text("one"), text("two")]);

  test("its answers precede the close frame that refuses a later frame", () =>
    assertRefused(server, Buffer.concat([before, text("x", { rsv: RSV2 })]), {
      error: "WS_ERR_UNEXPECTED_RSV_2_3",
      closeCode: 1002,
      events: [
        ["text", "one"],
        ["text", "two"],
      ],
      answers: [
        ["text", "one"],
        ["text", "two"],
      ],
    }));

  test("its answers precede the answer to a later close frame", async () => {
    const { client, application } = await server.connect();
    await client.write(Buffer.concat([before, close(1000, "bye")]));
    assert.deepEqual(await client.wire(), [
      ["text", "one"],
      ["text", "two"],
      ["close", 1000, "bye"],
      "FIN",
    ]);
    client.finish();
    await application.closed();
  });
});

describe("the frames of these tests", () => {
  test("are the examples in RFC 6455 §5.7", () => {
    assert.equal(text("Hello").toString("hex"), "818537fa213d7f9f4d5158");
    assert.equal(text("Hello", { key: null }).toString("hex"), "810548656c6c6f");
    assert.equal(ping("Hello", { key: null }).toString("hex"), "890548656c6c6f");
    const long = binary(Buffer.alloc(65_536), { key: null });
    assert.equal(long.toString("hex", 0, 10), "827f0000000000010000");
    const medium = binary(Buffer.alloc(256), { key: null });
    assert.equal(medium.toString("hex", 0, 4), "827e0100");
  });
});
