"use strict";

/** Autobahn group 5: fragments, and control frames between them. RFC 6455 §5.4. */

const { test } = require("node:test");
const {
  assertEchoed,
  assertReceived,
  assertRefused,
  protocolError,
} = require("../support/websocket/exchange.js");
const {
  BINARY,
  CONTINUATION,
  TEXT,
  binary,
  close,
  continuation,
  fragments,
  frame,
  piecesOf,
  ping,
  pong,
  text,
} = require("../support/websocket/frames.js");
const { describeServers, echo, recordingServer } = require("../support/websocket/servers.js");

const INVALID_OPCODE = protocolError("WS_ERR_INVALID_OPCODE");
const open = (payload) => text(payload, { fin: false });
const middle = (payload) => continuation(payload, { fin: false });

/** Ways to send frames: in one piece, frame by frame, and byte by byte. */
function cutsOf(frames) {
  const bytes = Buffer.concat(frames);
  return [
    ["together", bytes],
    ["frame by frame", frames],
    ["byte by byte", piecesOf(bytes, 1)],
  ];
}

describeServers("Autobahn 5, messages in fragments", (kind) => {
  const server = recordingServer(kind, {}, echo);

  const MESSAGES = [
    ["two fragments", ["fragment1", "fragment2"]],
    ["five fragments", ["a", "b", "c", "d", "e"]],
    ["an empty first fragment", ["", "all"]],
    ["an empty last fragment", ["all", ""]],
    ["empty fragments in between", ["al", "", "", "l"]],
    ["empty fragments only", ["", "", ""]],
    ["fragments of all length classes", [1, 125, 126, 65_536].map((n) => "f".repeat(n))],
  ];

  for (const [what, payloads] of MESSAGES) {
    for (const [name, opcode] of [
      ["text", TEXT],
      ["binary", BINARY],
    ]) {
      const frames = fragments(opcode, payloads);
      test(`RFC 6455 §5.4: a ${name} message of ${what} is one message`, async () => {
        await assertEchoed(server, Buffer.concat(frames), [[name, payloads.join("")]]);
        await assertEchoed(server, frames, [[name, payloads.join("")]]);
      });
    }
  }

  test("messages in fragments follow each other, and whole ones", () => {
    const wire = [
      ...fragments(TEXT, ["a", "b"]),
      binary("c"),
      ...fragments(BINARY, ["d", "", "e"]),
      ...fragments(TEXT, ["f", "g"]),
      text("h"),
    ];
    return assertEchoed(server, Buffer.concat(wire), [
      ["text", "ab"],
      ["binary", "c"],
      ["binary", "de"],
      ["text", "fg"],
      ["text", "h"],
    ]);
  });
});

describeServers("Autobahn 5, control frames between fragments", (kind) => {
  const server = recordingServer(kind);
  const [first, last] = fragments(TEXT, ["fragment1", "fragment2"]);
  const whole = ["text", "fragment1fragment2"];

  for (const [how, wire] of cutsOf([first, ping("ping payload"), last])) {
    test(`RFC 6455 §5.4: a ping between fragments is answered at once, sent ${how}`, () =>
      assertReceived(server, wire, [["ping", "ping payload"], whole], [["pong", "ping payload"]]));
  }

  test("a pong between fragments is seen before the message", () =>
    assertReceived(server, [first, pong("pong"), last], [["pong", "pong"], whole]));

  for (const [how, wire] of cutsOf([
    open("1"),
    middle("2"),
    ping("first"),
    middle("3"),
    middle("4"),
    ping("second"),
    pong("third"),
    continuation("5"),
    ping("fourth"),
  ])) {
    test(`control frames between many fragments are seen in order, sent ${how}`, () =>
      assertReceived(
        server,
        wire,
        [
          ["ping", "first"],
          ["ping", "second"],
          ["pong", "third"],
          ["text", "12345"],
          ["ping", "fourth"],
        ],
        [
          ["pong", "first"],
          ["pong", "second"],
          ["pong", "fourth"],
        ],
      ));
  }

  test("a close frame between fragments closes, and the message is never seen", () =>
    assertReceived(server, [first, close(1000), last], []));
});

describeServers("Autobahn 5, fragments that are refused", (kind) => {
  const server = recordingServer(kind);

  for (const [name, make] of [
    ["ping", ping],
    ["pong", pong],
    ["close", (payload, fields) => close(1000, payload, fields)],
  ]) {
    for (const [how, wire] of cutsOf([make("a", { fin: false }), continuation("b")])) {
      test(`RFC 6455 §5.5: a ${name} in fragments is refused, sent ${how}`, () =>
        assertRefused(server, wire, protocolError("WS_ERR_EXPECTED_FIN")));
    }
  }

  for (const [what, fields] of [
    ["that is the last", {}],
    ["that is not the last", { fin: false }],
    ["without payload", { payload: "" }],
  ]) {
    const bad = frame({ opcode: CONTINUATION, payload: "x", ...fields });
    for (const [how, wire] of cutsOf([bad, text("after")])) {
      test(`RFC 6455 §5.4: a continuation of nothing, ${what}, is refused, sent ${how}`, () =>
        assertRefused(server, wire, INVALID_OPCODE));
    }
  }

  test("a continuation behind a whole message is refused", () =>
    assertRefused(server, Buffer.concat([text("whole"), continuation("x")]), {
      ...INVALID_OPCODE,
      events: [["text", "whole"]],
    }));

  test("a continuation behind the last fragment is refused", () =>
    assertRefused(server, [...fragments(TEXT, ["a", "b"]), continuation("c"), text("after")], {
      ...INVALID_OPCODE,
      events: [["text", "ab"]],
    }));

  for (const [what, bad] of [
    ["whole text message", text("new")],
    ["whole binary message", binary("new")],
    ["first fragment of a text message", open("new")],
    ["first fragment of a binary message", binary("new", { fin: false })],
  ]) {
    for (const [how, wire] of cutsOf([open("a"), middle("b"), bad, continuation("c")])) {
      test(`RFC 6455 §5.4: a ${what} within a message is refused, sent ${how}`, () =>
        assertRefused(server, wire, INVALID_OPCODE));
    }
  }

  test("a ping between fragments does not end the message: a new one is refused", () =>
    assertRefused(server, [open("a"), ping("ping"), text("b")], {
      ...INVALID_OPCODE,
      events: [["ping", "ping"]],
      answers: [["pong", "ping"]],
    }));
});
