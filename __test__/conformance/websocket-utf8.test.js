"use strict";

/** Autobahn group 6: text is UTF-8. RFC 6455 §5.6, §8.1; RFC 3629. */

const assert = require("node:assert/strict");
const { isUtf8 } = require("node:buffer");
const { test } = require("node:test");
const { assertReceived, assertRefused } = require("../support/websocket/exchange.js");
const {
  TEXT,
  binary,
  continuation,
  fragments,
  frame,
  piecesOf,
  ping,
  text,
} = require("../support/websocket/frames.js");
const {
  RecordingServer,
  describeServers,
  recordingServer,
} = require("../support/websocket/servers.js");

const INVALID = { error: "WS_ERR_INVALID_UTF8", closeCode: 1007 };
/** Autobahn's word: "κόσμε". */
const KOSME = "cebae1bdb9cf83cebcceb5";

const VALID = [
  ["a word", "48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121"],
  ["Greek", KOSME],
  ["U+0000", "00"],
  ["U+007F", "7f"],
  ["U+0080, the first of two bytes", "c280"],
  ["U+07FF, the last of two bytes", "dfbf"],
  ["U+0800, the first of three bytes", "e0a080"],
  ["U+D7FF, the last before the surrogates", "ed9fbf"],
  ["U+E000, the first behind the surrogates", "ee8080"],
  ["U+FFFD, the replacement character", "efbfbd"],
  ["U+FFFE and U+FFFF, which are no characters", "efbfbeefbfbf"],
  ["U+10000, the first of four bytes", "f0908080"],
  ["U+10FFFF, the last of all", "f48fbfbf"],
  ["U+1FFFF, U+3FFFE and U+10FFFE, which are no characters", "f09fbfbff0bfbfbef48fbfbe"],
  ["a byte order mark", "efbbbf41"],
];

const INVALID_BYTES = [
  ["a surrogate behind a word", `${KOSME}eda080656469746564`],
  ["a lone continuation byte", "80"],
  ["the last continuation byte", "bf"],
  ["seven continuation bytes", "80bf80bf80bf80"],
  ["a lead of two bytes and a space", "c220"],
  ["a lead of three bytes and a space", "e120"],
  ["two of three bytes and a space", "e18020"],
  ["a lead of four bytes and a space", "f120"],
  ["three of four bytes and a space", "f1808020"],
  ["a slash in two bytes", "c0af"],
  ["a slash in three bytes", "e080af"],
  ["a slash in four bytes", "f08080af"],
  ["U+0000 in two bytes", "c080"],
  ["U+007F in two bytes", "c1bf"],
  ["U+07FF in three bytes", "e09fbf"],
  ["U+FFFF in four bytes", "f08fbfbf"],
  ["U+D800, a high surrogate", "eda080"],
  ["U+DBFF, a high surrogate", "edafbf"],
  ["U+DC00, a low surrogate", "edb080"],
  ["U+DFFF, a low surrogate", "edbfbf"],
  ["a pair of surrogates", "eda080edb080"],
  ["U+110000, above all", "f4908080"],
  ["a lead of four bytes above F4", "f5808080"],
  ["five bytes", "f888808080"],
  ["six bytes", "fc8480808080"],
  ["FE", "fe"],
  ["FF", "ff"],
  ["FE FE FF FF", "fefeffff"],
];

const CUT_SHORT = [
  ["one of two bytes", "ce"],
  ["one of three bytes", "e1"],
  ["two of three bytes", "e1bd"],
  ["one of four bytes", "f0"],
  ["two of four bytes", "f090"],
  ["three of four bytes", "f09080"],
  ["a word whose last byte is missing", KOSME.slice(0, -2)],
];

/** Ways to send a text: whole, cut by TCP, in fragments of one byte, and behind other text. */
function waysToSend(bytes) {
  const singles = Array.from(bytes, (byte) => Buffer.of(byte));
  const ascii = Buffer.from("x".repeat(100));
  return [
    ["in one frame", bytes, text(bytes)],
    ["in one frame that comes byte by byte", bytes, piecesOf(text(bytes), 1)],
    ["in fragments of one byte", bytes, Buffer.concat(fragments(TEXT, singles))],
    ["in fragments of one byte that come one by one", bytes, fragments(TEXT, singles)],
    [
      "in a long frame",
      Buffer.concat([ascii, bytes, ascii]),
      text(Buffer.concat([ascii, bytes, ascii])),
    ],
  ];
}

describeServers("Autobahn 6, text that is UTF-8", (kind) => {
  const server = recordingServer(kind);

  for (const [what, hex] of VALID) {
    test(`RFC 3629 §4: ${what} is received, however it is sent`, async () => {
      for (const [, payload, wire] of waysToSend(Buffer.from(hex, "hex"))) {
        await assertReceived(server, wire, [["text", payload]]);
      }
    });
  }

  test("RFC 6455 §5.6: a fragment may end within a character", async () => {
    const bytes = Buffer.from("κόσμε 😀 你好");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const wire = fragments(TEXT, [bytes.subarray(0, cut), bytes.subarray(cut)]);
      await assertReceived(server, wire, [["text", bytes]]);
    }
  });

  test("a ping within a character has no effect", () =>
    assertReceived(
      server,
      [text(Buffer.of(0xce), { fin: false }), ping("ping"), continuation(Buffer.of(0xba))],
      [
        ["ping", "ping"],
        ["text", "κ"],
      ],
      [["pong", "ping"]],
    ));

  test("bytes that are not UTF-8 are received as binary", async () => {
    for (const [, hex] of INVALID_BYTES) {
      const bytes = Buffer.from(hex, "hex");
      await assertReceived(server, binary(bytes), [["binary", bytes]]);
    }
  });
});

describeServers("Autobahn 6, text that is not UTF-8", (kind) => {
  const server = recordingServer(kind);

  for (const [what, hex] of INVALID_BYTES) {
    test(`RFC 6455 §8.1: ${what} is refused, however it is sent`, async () => {
      for (const [, payload, wire] of waysToSend(Buffer.from(hex, "hex"))) {
        assert.ok(!isUtf8(payload));
        await assertRefused(server, wire, INVALID);
      }
    });
  }

  for (const [what, hex] of CUT_SHORT) {
    test(`RFC 6455 §8.1: a message that ends after ${what} is refused`, async () => {
      const bytes = Buffer.from(hex, "hex");
      const behind = Buffer.concat([Buffer.from("a".repeat(77)), bytes]);
      await assertRefused(server, text(bytes), INVALID);
      await assertRefused(server, text(behind), INVALID);
      await assertRefused(server, Buffer.concat(fragments(TEXT, [behind, ""])), INVALID);
    });
  }

  test("messages before the text that is refused are received, and none behind it", () =>
    assertRefused(server, Buffer.concat([text("before"), text(Buffer.of(0xff)), text("after")]), {
      ...INVALID,
      events: [["text", "before"]],
    }));

  test("a character does not begin in one message and end in the next", () =>
    assertRefused(server, Buffer.concat([text(Buffer.of(0xce)), text(Buffer.of(0xba))]), INVALID));
});

/** Bytes that can be refused before their message is whole: Autobahn 6.4. */
const EARLY = [
  [
    "in a first fragment",
    text(Buffer.from(`${KOSME}f4908080`, "hex"), { fin: false }),
    continuation("rest"),
  ],
  [
    "in a character that two fragments share",
    [text(Buffer.of(0xf4), { fin: false }), continuation(Buffer.of(0x90), { fin: false })],
    continuation("rest"),
  ],
  [
    "in a frame that has come in part",
    text(Buffer.from(`${KOSME}f490${"41".repeat(99)}`, "hex")).subarray(0, 19),
    text(Buffer.from(`${KOSME}f490${"41".repeat(99)}`, "hex")).subarray(19),
  ],
];

describeServers("Autobahn 6.4, failing fast", (kind) => {
  const server = recordingServer(kind);

  for (const [where, bad, rest] of EARLY) {
    if (kind.failsFast) {
      test(`text that cannot become UTF-8 is refused at once ${where}`, () =>
        assertRefused(server, bad, INVALID));
    } else {
      test(`text that cannot become UTF-8 is refused with its end ${where}`, () =>
        assertRefused(server, [bad, rest].flat(), INVALID));
    }
  }
});

describeServers("skipUTF8Validation", (kind) => {
  test("accepts text and reasons that are not UTF-8", async () => {
    const server = new RecordingServer(kind, { skipUTF8Validation: true });
    await server.listening();
    try {
      const bytes = Buffer.from("48fffe", "hex");
      await assertReceived(server, text(bytes), [["text", bytes]]);
      const { client, application } = await server.connect();
      await client.write(frame({ opcode: 8, payload: Buffer.from("03e8ff", "hex") }));
      assert.deepEqual(await client.wire(), [["close", 1000, "<ff>"], "FIN"]);
      client.finish();
      assert.deepEqual(await application.closed(), [["close", 1000, "<ff>"]]);
    } finally {
      await server.stop();
    }
  });
});
