"use strict";

/** Messages of clients, well-formed and malformed: a server on our parts handles them as on stock ones. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const {
  assertShort,
  compare,
  enterLogged,
  exchange,
  logEvents,
} = require("../support/reception.js");
const { hasNative } = require("../support/engines.js");
const { SEED, randomFrom } = require("../support/random.js");

const GUARD = { timeout: 60_000 };
const BYTES = Buffer.from([0, 1, 128, 255]);

/** Valid arguments of events, as JSON. */
const ARGUMENTS = [
  '["a"]',
  '["a",1,-0,1e400,-1e400,0.1,1E3]',
  "[7]",
  "[-0]",
  "[1e400,1]",
  '["",null,true,false]',
  '["a",{"__proto__":{"x":1},"constructor":2,"toString":3}]',
  '["__proto__",{"a":1,"a":2}]',
  '["toString"]',
  '["\\ud800","\\udfff\\u0000",""]',
  '["žluťoučký kůň","日本語","😀","\\u2028","﻿"]',
  '["]","[",{"]":"}"},"\\"]","\\\\"]',
  '[ "a" ,\t1\r\n]',
  `["deep",${"[".repeat(500)}${"]".repeat(500)}]`,
  `["deep",${'{"a":'.repeat(300)}1${"}".repeat(300)}]`,
  '["a",{"_placeholder":true,"num":0}]',
  '["a",[],{},[[]],[{}]]',
];

/** Payloads that close the connection, or are ignored. */
const INVALID = [
  "[]",
  "[null]",
  "[true]",
  "[[]]",
  '[{"a":1}]',
  '["connect"]',
  '["disconnect","a"]',
  '["disconnecting"]',
  '["newListener"]',
  '["removeListener"]',
  '["connect_error"]',
  "",
  "null",
  '"a"',
  "1",
  '{"0":"a","length":1}',
  '["a"',
  '"a"]',
  '["a"]]',
  '["a"],["b"]',
  '["a"] ["b"]',
  '[["a"],["b"]',
  "['a']",
  '["a",]',
  "[,]",
  '["a",01]',
  '["a",+1]',
  '["a",NaN]',
  '["a",undefined]',
  '["a\tb"]',
  '["a\nb"]',
  '["\\x"]',
  '["\\u12"]',
  '["a}',
  '[{"a":1]}',
  '["a"}',
  '["a"/**/]',
  " ",
  "\u00a0[1]",
];

/** Texts between the type and the arguments. */
const HEADERS = [
  "",
  "0",
  "7",
  "07",
  "00",
  "4294967294",
  "4294967295",
  "4294967296",
  "9".repeat(30),
];
const ODD_HEADERS = [
  "-1",
  "1.5",
  " 1",
  "1 ",
  "\n",
  "٣",
  "1e3",
  "/",
  "/,",
  "/room,",
  "/room,07",
  "/room",
];
const NAMESPACES = ["", "/room,", "/ro/om?x=1,", "/žluť,", "/absent,"];

/** Texts of about the longest length that workers split. */
const LONG = [4094, 4095, 4096, 4097, 4098, 20_000].map(
  (length) => `["long","${"x".repeat(length - 12)}"]`,
);

const NAMESPACE_NAMES = ["/room", "/ro/om?x=1", "/žluť"];

/** Connects a client to all namespaces. */
async function enterAll(server) {
  const reception = await enterLogged(server);
  for (const name of NAMESPACE_NAMES) {
    server.io.of(name).removeAllListeners("connection");
    server.io.of(name).on("connection", (socket) => logEvents(socket, reception.see));
    await exchange(reception, [`40${name},`]);
  }
  reception.shortCount();
  return reception;
}

/** Sends each list of messages to a connection of its own, with a good event in front and behind. */
function receiveEach(lists) {
  return async (server) => {
    const log = [];
    let short = 0;
    for (const messages of lists) {
      const reception = await enterAll(server);
      const around = ['42["before"]', ...messages, '42["behind",{"a":[1]}]'];
      const received = await exchange(reception, around);
      log.push({ messages, received, seen: [...reception.log] });
      short += reception.shortCount();
      reception.client.disconnect();
    }
    return { log, short };
  };
}

describe("the messages of a client", () => {
  test("valid events with all headers", GUARD, async (t) => {
    const messages = [];
    for (const namespace of NAMESPACES.slice(0, -1)) {
      for (const type of ["2", "3"]) {
        for (const [index, header] of HEADERS.entries()) {
          for (const json of [ARGUMENTS[index], ARGUMENTS[index + HEADERS.length]]) {
            if (json !== undefined) messages.push(`4${type}${namespace}${header}${json}`);
          }
        }
      }
    }
    messages.push(...LONG.map((json) => `42${json}`), ...LONG.map((json) => `42/room,1${json}`));
    const { log, short } = await compare(t, receiveEach([messages]));
    assert.equal(log[0].seen.filter(([kind]) => kind === "event").length, 82);
    if (hasNative) assert.ok(short > 60, `${short} packets have skipped the layers`);
  });

  test("each malformed payload among good events", GUARD, async (t) => {
    const lists = INVALID.flatMap((json) => [[`42${json}`], [`43${json}`], [`42/room,12${json}`]]);
    const { log } = await compare(t, receiveEach(lists));
    const closed = log.filter(({ seen }) => seen.some(([kind]) => kind === "disconnect"));
    assert.ok(closed.length > INVALID.length, `${closed.length} have been closed`);
  });

  test("each odd header among good events", GUARD, async (t) => {
    const headers = [...ODD_HEADERS, "/absent,", "/absent,1"];
    const lists = headers.flatMap((header) => [[`42${header}["a"]`], [`43${header}[1]`]]);
    await compare(t, receiveEach(lists));
  });

  test("binary packets among others", GUARD, async (t) => {
    const binary = '451-["bin",{"_placeholder":true,"num":0}]';
    const lists = [
      [binary, BYTES, '42["a"]'],
      [`461-5[{"_placeholder":true,"num":0}]`, BYTES],
      ['452-/room,3["bin",{"_placeholder":true,"num":1}]', BYTES, Buffer.of(2)],
      [binary, '42["a"]', BYTES],
      ['452-["bin",{"_placeholder":true,"num":1}]', BYTES, '42["a"]', BYTES],
      [BYTES],
      ['450-["bin"]', '42["a"]'],
      ['451-["bin",{"_placeholder":true,"num":7}]', BYTES],
      [binary, Buffer.alloc(0), '42["a"]'],
      ["bAAEC"],
      [binary, "bAAEC", '42["a"]'],
    ];
    const { short } = await compare(t, receiveEach(lists));
    if (hasNative) assert.ok(short > lists.length, `${short} packets have skipped the layers`);
  });

  test("packets that change the state of the connection, among events", GUARD, async (t) => {
    const lists = [
      ["41"],
      ["41/room,", '42/room,["a"]'],
      ["40", '42["a"]'],
      ["41/room,", "40/room,", '42/room,["a"]'],
      ["41", "40", '42["a"]'],
      ['44{"message":"a"}'],
      ["47"],
      ["4"],
      ["5"],
      ["6"],
      ["1", '42["a"]'],
      ["2", '42["a"]'],
      ["3", '42["a"]'],
      ["x"],
      [""],
      ["0"],
    ];
    await compare(t, receiveEach(lists));
  });

  test("generated sequences of messages", GUARD, async (t) => {
    const { below, pick } = randomFrom(SEED);
    const message = () => {
      const type = pick(["2", "2", "2", "3"]);
      const header = `${pick(NAMESPACES.slice(0, -1))}${pick(HEADERS)}`;
      return `4${type}${header}${pick([...ARGUMENTS, ...LONG])}`;
    };
    const lists = Array.from({ length: 40 }, (_, index) => {
      const list = Array.from({ length: 1 + below(20) }, message);
      // Every other list breaks the protocol somewhere.
      if (index % 2 === 1) list.splice(below(list.length), 0, `42${pick(INVALID)}`);
      return list;
    });
    const { short } = await compare(t, receiveEach(lists));
    if (hasNative) assert.ok(short > 150, `${short} packets have skipped the layers`);
  });

  test("acknowledgements of the client reach those who wait for them", GUARD, async (t) => {
    const { short } = await compare(t, async (server) => {
      const reception = await enterAll(server);
      const { socket, client, log } = reception;
      for (let index = 0; index < 3; index++) {
        socket.emit("ask", (...args) => log.push(["answer", index, args]));
      }
      await client.until(() => client.received.length === 3, "three questions");
      client.received.length = 0;
      const answers = [
        '431["b",{"x":1}]',
        "430[]",
        "431[2]",
        "4300[1]",
        "43[1]",
        "437[1]",
        "432[null]",
      ];
      const received = await exchange(reception, answers);
      log.push(received);
      return { log, short: reception.shortCount() };
    });
    // With two fences; `4300[1]` has a leading zero.
    assertShort(short, 8);
  });
});
