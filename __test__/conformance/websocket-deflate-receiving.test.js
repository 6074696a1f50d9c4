"use strict";

/** Compressed messages that a server receives: RFC 7692 §6 and §7.2, its examples, invalid data, and bombs. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const zlib = require("node:zlib");
const turbo = require("../../index.js");
const { hasEngine } = require("../../lib/addon/index.js");
const { startFixture } = require("../support/fixture-process.js");
const { WebSocketClient } = require("../support/websocket/client.js");
const {
  WITHOUT_CONTEXT,
  compressed,
  compressedFragments,
  deflated,
  deflating,
  offering,
} = require("../support/websocket/deflate.js");
const {
  assertEchoed,
  assertReceived,
  assertRefused,
  exchange,
  protocolError,
} = require("../support/websocket/exchange.js");
const {
  BINARY,
  CLOSE,
  PING,
  PONG,
  RSV1,
  TEXT,
  binary,
  close,
  continuation,
  frame,
  piecesOf,
  ping,
  text,
} = require("../support/websocket/frames.js");
const {
  RecordingServer,
  SERVERS,
  describeServers,
  echo,
  recordingServer,
} = require("../support/websocket/servers.js");

const KIB = 1024;
const MIB = 1024 * KIB;
const GUARD = { timeout: 60_000 };

const UNEXPECTED_RSV1 = protocolError("WS_ERR_UNEXPECTED_RSV_1");
const TOO_LONG = { error: "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH", closeCode: 1009 };
const INVALID_UTF8 = { error: "WS_ERR_INVALID_UTF8", closeCode: 1007 };
const INVALID_DATA = { error: "Z_DATA_ERROR", closeCode: 1007 };

const hex = (digits) => Buffer.from(digits.replaceAll(" ", ""), "hex");
/** A text message whose compressed bytes are given. */
const textOf = (digits) => frame({ opcode: TEXT, payload: hex(digits), rsv: RSV1 });

/** A server on which each connection offers permessage-deflate, and gets it. */
const receivingServer = (kind, options, onConnection) =>
  deflating(
    recordingServer(
      kind,
      { perMessageDeflate: { threshold: 0, ...WITHOUT_CONTEXT }, ...options },
      onConnection,
    ),
    [],
  );

/** Ways to send frames: in one piece, frame by frame, and byte by byte. */
function cutsOf(frames) {
  const bytes = Buffer.concat(frames);
  return [
    ["together", bytes],
    ["frame by frame", frames],
    ["byte by byte", piecesOf(bytes, 1)],
  ];
}

describeServers("the examples of RFC 7692 §7.2.3", (kind) => {
  const server = receivingServer(kind);

  for (const [what, digits, payload] of [
    ["§7.2.3.1: a block with fixed codes", "f2 48 cd c9 c9 07 00", "Hello"],
    ["§7.2.3.3: a block without compression", "00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello"],
    ["§7.2.3.4: a block with BFINAL, and an empty one", "f3 48 cd c9 c9 07 00 00", "Hello"],
    ["§7.2.3.5: two blocks", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello"],
    ["§7.2.3.6: an empty message", "00", ""],
  ]) {
    for (const [how, wire] of cutsOf([textOf(digits)])) {
      test(`${what}, sent ${how}`, async () => {
        await assertReceived(server, wire, [["text", payload]]);
        // The next message begins anew.
        await assertReceived(server, [wire, textOf(digits), text("plain"), wire].flat(), [
          ["text", payload],
          ["text", payload],
          ["text", "plain"],
          ["text", payload],
        ]);
      });
    }
  }

  for (const [how, wire] of cutsOf(
    compressedFragments(TEXT, [hex("f2 48 cd"), hex("c9 c9 07 00")]),
  )) {
    test(`§7.2.3.1: a message in two fragments, sent ${how}`, () =>
      assertReceived(server, wire, [["text", "Hello"]]));
  }

  test("§7.2.3.2: a message that needs the window of the one before is refused", () =>
    assertRefused(
      server,
      Buffer.concat([textOf("f2 48 cd c9 c9 07 00"), textOf("f2 00 11 00 00")]),
      {
        ...INVALID_DATA,
        events: [["text", "Hello"]],
      },
    ));
});

describeServers("RFC 7692 §6, messages", (kind) => {
  const server = receivingServer(kind, {}, echo);
  const FINAL = zlib.deflateRawSync("final");
  const long = "žluťoučký kůň ".repeat(10_000);

  test("compressed and plain messages follow each other", () => {
    const wire = [
      compressed(TEXT, "a"),
      text("b"),
      compressed(BINARY, "c"),
      binary("d"),
      compressed(TEXT, ""),
      text(""),
      compressed(TEXT, long),
      compressed(BINARY, Buffer.alloc(MIB)),
    ];
    return assertEchoed(server, Buffer.concat(wire), [
      ["text", "a"],
      ["text", "b"],
      ["binary", "c"],
      ["binary", "d"],
      ["text", ""],
      ["text", ""],
      ["text", long],
      ["binary", Buffer.alloc(MIB)],
    ]);
  });

  for (const [how, wire] of cutsOf(
    compressedFragments(TEXT, ["", ...piecesOf(deflated("fragments ".repeat(9)), 1), "", ""]),
  )) {
    test(`fragments of one byte, and empty ones, are one message, sent ${how}`, () =>
      assertEchoed(server, wire, [["text", "fragments ".repeat(9)]]));
  }

  test("§6.1: RSV1 of the first fragment is for the whole message", () => {
    const [first, last] = compressedFragments(BINARY, piecesOf(deflated("in two fragments"), 10));
    const [plain, rest] = [text("plain ", { fin: false }), continuation("fragments")];
    return assertEchoed(server, Buffer.concat([first, last, plain, rest, first, last]), [
      ["binary", "in two fragments"],
      ["text", "plain fragments"],
      ["binary", "in two fragments"],
    ]);
  });

  test("blocks of all levels and strategies are decompressed", async () => {
    const payload = Buffer.from(JSON.stringify(Array.from({ length: 3000 }, (_, id) => ({ id }))));
    const { Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = zlib.constants;
    const options = [
      ...[0, 1, 6, 9].map((level) => ({ level })),
      ...[Z_FILTERED, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE].map((strategy) => ({ strategy })),
    ];
    const wire = options.map((each) =>
      frame({ opcode: BINARY, payload: deflated(payload, each), rsv: RSV1 }),
    );
    await assertEchoed(
      server,
      Buffer.concat(wire),
      options.map(() => ["binary", payload]),
    );
  });

  const AGAIN = deflated("again");
  const MORE = Buffer.of(0);
  for (const [what, pieces, payload] of [
    ["at the end of a message", [FINAL], "final"],
    ["at the end of a fragment", [FINAL, MORE], "final"],
    ["before bytes that are ignored", [Buffer.concat([FINAL, deflated("ignored")])], "final"],
    ["before a fragment that is ignored", [FINAL, AGAIN], "final"],
    ["before an empty fragment, and one that is ignored", [FINAL, "", AGAIN], "final"],
    ["before an invalid fragment that is ignored", [FINAL, Buffer.of(7)], "final"],
    // As zlib in Node.js: bytes behind the last block end the stream, and a new one begins.
    ["within a fragment", [Buffer.concat([FINAL, MORE]), AGAIN], "finalagain"],
    [
      "within a fragment before an empty one",
      [Buffer.concat([FINAL, MORE]), "", AGAIN],
      "finalagain",
    ],
    ["before a fragment that is ignored, and another", [FINAL, AGAIN, AGAIN], "finalagain"],
    ["within two fragments", [Buffer.concat([FINAL, MORE]), FINAL, MORE], "finalfinal"],
  ]) {
    test(`§7.2.3.4: BFINAL ${what}`, () => {
      const wire = compressedFragments(TEXT, pieces);
      return assertEchoed(server, Buffer.concat([...wire, ...wire, compressed(TEXT, "next")]), [
        ["text", payload],
        ["text", payload],
        ["text", "next"],
      ]);
    });
  }
});

describeServers("RFC 7692 §6, control frames between fragments", (kind) => {
  const server = receivingServer(kind);
  const [first, second, last] = compressedFragments(TEXT, piecesOf(deflated("fragments"), 4));

  for (const [how, wire] of cutsOf([first, ping("one"), second, ping("two"), last])) {
    test(`pings are answered at once, sent ${how}`, () =>
      assertReceived(
        server,
        wire,
        [
          ["ping", "one"],
          ["ping", "two"],
          ["text", "fragments"],
        ],
        [
          ["pong", "one"],
          ["pong", "two"],
        ],
      ));
  }

  test("a close frame closes, and the message is never seen", () =>
    assertReceived(server, [first, second, close(1000), last], []));
});

describeServers("RFC 7692 §6, RSV1 that is refused", (kind) => {
  const server = receivingServer(kind);

  for (const [name, opcode] of [
    ["ping", PING],
    ["pong", PONG],
    ["close", CLOSE],
  ]) {
    for (const [what, payload] of [
      ["", ""],
      [" with a payload", deflated("payload")],
    ]) {
      test(`of a ${name}${what}`, async () => {
        const bad = frame({ opcode, payload, rsv: RSV1 });
        await assertRefused(server, bad, UNEXPECTED_RSV1);
        await assertRefused(
          server,
          [...compressedFragments(TEXT, [deflated("a"), ""]).slice(0, 1), bad],
          UNEXPECTED_RSV1,
        );
      });
    }
  }

  for (const [what, start] of [
    ["a compressed message", compressedFragments(TEXT, [deflated("a"), ""])[0]],
    ["a plain message", text("a", { fin: false })],
  ]) {
    for (const fin of [true, false]) {
      const bad = continuation("", { rsv: RSV1, fin });
      test(`of a continuation of ${what}, FIN ${fin}`, async () => {
        for (const [, wire] of cutsOf([start, bad])) {
          await assertRefused(server, wire, UNEXPECTED_RSV1);
        }
      });
    }
  }

  test("of a continuation of nothing", () =>
    assertRefused(server, continuation("", { rsv: RSV1 }), UNEXPECTED_RSV1));

  test("of an unknown opcode", () =>
    assertRefused(server, frame({ opcode: 3, rsv: RSV1 }), protocolError("WS_ERR_INVALID_OPCODE")));

  test("with RSV2 or RSV3 beside it", async () => {
    for (const rsv of [0x60, 0x50, 0x70]) {
      const bad = frame({ opcode: TEXT, payload: deflated("a"), rsv });
      await assertRefused(server, bad, protocolError("WS_ERR_UNEXPECTED_RSV_2_3"));
    }
  });
});

describeServers("RSV1 without permessage-deflate", (kind) => {
  const server = recordingServer(kind, { perMessageDeflate: true });

  test("is refused where the client has not offered it", () =>
    assertRefused(server, compressed(TEXT, "a"), UNEXPECTED_RSV1));
});

/** Compressed bytes that are invalid, by the error of zlib. */
const INVALID = [
  ["invalid block type", "07"],
  ["invalid block type", "ff ff ff"],
  ["invalid stored block lengths", "00 05 00 00 00 48 65"],
  ["invalid distance too far back", "f2 00 11 00 00"],
  ["invalid distance too far back", "2a49ad295120cf2cc95028cecf4d552801710000"],
  ["invalid code lengths set", "04 00 fe ff"],
  ["too many length or distance symbols", "fc 00 00"],
  ["invalid literal/length code", "1b 03"],
  ["invalid distance code", "4b 04 7e"],
];

describeServers("invalid compressed data", (kind) => {
  const server = receivingServer(kind);

  for (const [message, digits] of INVALID) {
    test(`is refused with 1007: ${digits}`, async () => {
      const { events, wire, errors } = await exchange(server, textOf(digits));
      const [{ name, code, errno, ...error }] = errors;
      assert.deepEqual(
        [name, code, errno, errors[0].message],
        ["Error", "Z_DATA_ERROR", -3, message],
      );
      assert.deepEqual(Object.keys(error), []);
      assert.deepEqual(events, [
        ["error", "Z_DATA_ERROR"],
        ["close", 1006, ""],
      ]);
      assert.deepEqual(wire, [["close", 1007, ""], "FIN"]);
    });
  }

  test("is refused in the fragment that has it, before what follows", () => {
    const [bad, rest] = compressedFragments(TEXT, [hex("07 00 00 00 00"), "rest"]);
    return assertRefused(server, [bad, ping("unanswered"), rest], INVALID_DATA);
  });

  test("is refused behind messages that are received", () =>
    assertRefused(
      server,
      Buffer.concat([compressed(TEXT, "a"), text("b"), textOf("07"), text("after")]),
      {
        ...INVALID_DATA,
        events: [
          ["text", "a"],
          ["text", "b"],
        ],
      },
    ));

  test("is refused behind a final block within an earlier fragment", () => {
    const final = Buffer.concat([zlib.deflateRawSync("final"), Buffer.of(0)]);
    return assertRefused(server, compressedFragments(TEXT, [final, Buffer.of(7)]), INVALID_DATA);
  });

  test("of a long message is refused", () => {
    const payload = deflated("long ".repeat(50_000) + "x".repeat(50_000));
    return assertRefused(
      server,
      compressedFragments(BINARY, [payload, hex("07 07 07 07 07 07")]),
      INVALID_DATA,
    );
  });
});

describeServers("UTF-8 of compressed text", (kind) => {
  const server = receivingServer(kind);

  test("is checked on the text, not on the compressed bytes", async () => {
    for (const bad of ["ff", "c3", "c0 af", "ed a0 80", "f4 90 80 80", "61 e2 82"]) {
      await assertRefused(server, compressed(TEXT, hex(bad)), INVALID_UTF8);
    }
    await assertReceived(server, compressed(BINARY, hex("ff")), [["binary", hex("ff")]]);
  });

  test("is checked over fragments", async () => {
    for (const good of ["ž", "你", "😀", `${"a".repeat(300)}😀`]) {
      const pieces = piecesOf(deflated(good), 1);
      await assertReceived(server, compressedFragments(TEXT, pieces), [["text", good]]);
    }
    const half = Buffer.from(`${"a".repeat(1000)}😀`).subarray(0, -1);
    await assertRefused(
      server,
      compressedFragments(TEXT, piecesOf(deflated(half), 3)),
      INVALID_UTF8,
    );
  });
});

describeServers("limits of compressed messages", (kind) => {
  const server = receivingServer(kind, { maxPayload: 1000, maxFragments: 4 });
  const longest = "x".repeat(1000);

  test("maxPayload is the limit of the message, decompressed", async () => {
    await assertReceived(server, compressed(TEXT, longest), [["text", longest]]);
    await assertRefused(server, compressed(TEXT, `${longest}x`), TOO_LONG);
    await assertRefused(server, compressed(BINARY, Buffer.alloc(50_000)), TOO_LONG);
  });

  test("maxPayload is the limit of the compressed bytes as well", () => {
    const stored = deflated(longest, { level: 0 });
    assert.ok(stored.length > 1000);
    return assertRefused(server, frame({ opcode: TEXT, payload: stored, rsv: RSV1 }), TOO_LONG);
  });

  test("a longer frame is refused by its header", () =>
    assertRefused(server, text("", { length: 1001, lengthBytes: 2, rsv: RSV1 }), TOO_LONG));

  test("maxPayload holds over fragments", async () => {
    const pieces = (payload) => {
      const bytes = deflated(payload);
      return compressedFragments(TEXT, piecesOf(bytes, Math.ceil(bytes.length / 4)));
    };
    await assertReceived(server, pieces(longest), [["text", longest]]);
    await assertRefused(server, pieces(`${longest}x`), TOO_LONG);
  });

  test("each message is counted anew", () =>
    assertReceived(server, Buffer.concat([compressed(TEXT, longest), compressed(TEXT, longest)]), [
      ["text", longest],
      ["text", longest],
    ]));

  test("fragments are counted as of plain messages", async () => {
    const bytes = deflated("fragments");
    const pieces = (count) => compressedFragments(TEXT, [...Array(count - 1).fill(""), bytes]);
    await assertReceived(server, pieces(4), [["text", "fragments"]]);
    await assertRefused(server, pieces(5), {
      error: "WS_ERR_TOO_MANY_BUFFERED_PARTS",
      closeCode: 1008,
    });
  });

  test("a limit of 0 is none", async (t) => {
    const own = new RecordingServer(kind, {
      maxPayload: 0,
      perMessageDeflate: { ...WITHOUT_CONTEXT },
    });
    t.after(() => own.stop());
    await own.listening();
    const bytes = Buffer.alloc(4 * MIB);
    await assertReceived(deflating(own, []), compressed(BINARY, bytes), [["binary", bytes]]);
  });
});

// --- Bombs

/** 100 MiB in some 100 KiB. */
const BOMB = deflated(Buffer.alloc(100 * MIB));
const BOMBS = 10;
/** Of all bombs together, decompressed, there would be a thousand. */
const MOST_MEMORY = 64 * MIB;

describe("bombs", () => {
  for (const kind of SERVERS) {
    test(`are refused before they grow (${kind.name})`, GUARD, async (t) => {
      const fixture = startFixture(t, "bombed-server.js", [kind.name]);
      const { port } = await fixture.next();
      for (const pieces of [[BOMB], piecesOf(BOMB, 16 * KIB)]) {
        for (let i = 0; i < BOMBS; i++) {
          const client = await WebSocketClient.open(port, offering([]));
          await client.write(compressedFragments(BINARY, pieces));
          assert.deepEqual(await client.wire(), [["close", 1009, ""], "FIN"]);
          client.destroy();
        }
      }
      const client = await WebSocketClient.open(port, offering([]));
      await client.write(compressed(TEXT, "report"));
      const { growth } = await fixture.next();
      await client.close();
      client.destroy();
      t.diagnostic(`the process grew by ${Math.round(growth / MIB)} MiB`);
      assert.ok(growth < MOST_MEMORY, `${growth} bytes`);
    });
  }
});

describe("the servers of these tests", () => {
  test("have compressed connections on workers", { skip: !hasEngine }, () => {
    const { opened, fallback } = turbo.stats().connections;
    assert.deepEqual(fallback, {});
    assert.ok(opened > INVALID.length);
  });
});
