"use strict";

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const official = require("socket.io-parser");
const {
  Decoder,
  Encoder,
  PacketType,
  isPacketValid,
  protocol,
} = require("../../lib/parser/index.js");

const encode = (packet) => new Encoder().encode(packet);

/** A decoder and the packets that it has decoded. */
function decoderOf(options) {
  const decoder = new Decoder(options);
  const packets = [];
  decoder.on("decoded", (packet) => packets.push(packet));
  return { decoder, packets };
}

function decode(...messages) {
  const { decoder, packets } = decoderOf();
  for (const message of messages) decoder.add(message);
  return packets;
}

describe("the vocabulary", () => {
  test("it is that of protocol 5", () => {
    assert.equal(protocol, 5);
    assert.equal(protocol, official.protocol);
  });

  test("PacketType names numbers and numbers names", () => {
    assert.equal(PacketType.EVENT, 2);
    assert.equal(PacketType[2], "EVENT");
    assert.deepEqual(PacketType, official.PacketType);
  });

  test("the exports are those of socket.io-parser", () => {
    const names = Object.keys(require("../../lib/parser/index.js"));
    assert.deepEqual(names.sort(), Object.keys(official).sort());
  });

  test("isPacketValid agrees with socket.io-parser", () => {
    const types = [-1, 0, 1, 2, 3, 4, 5, 6, 7, "2", undefined];
    const namespaces = ["/", "", undefined, 5];
    const ids = [undefined, 0, 1, -1, 1.5, "1", null, Number.NaN];
    const payloads = [undefined, null, "", "text", 5, {}, [], ["e"], [1], [{}], ["connect"]];
    payloads.push(["newListener", 1], new Date(0), new Map(), Object.create(null));
    let valid = 0;
    for (const type of types) {
      for (const nsp of namespaces) {
        for (const id of ids) {
          for (const data of payloads) {
            const packet = { type, nsp, id, data };
            assert.equal(isPacketValid(packet), official.isPacketValid(packet), { packet });
            if (isPacketValid(packet)) valid++;
          }
        }
      }
    }
    assert.ok(valid > 0);
  });
});

describe("Encoder", () => {
  test("it writes each type of packet", () => {
    assert.deepEqual(encode({ type: PacketType.CONNECT, nsp: "/" }), ["0"]);
    assert.deepEqual(encode({ type: PacketType.CONNECT, nsp: "/a", data: { b: 1 } }), [
      '0/a,{"b":1}',
    ]);
    assert.deepEqual(encode({ type: PacketType.DISCONNECT, nsp: "/a" }), ["1/a,"]);
    assert.deepEqual(encode({ type: PacketType.EVENT, nsp: "/", data: ["e"] }), ['2["e"]']);
    assert.deepEqual(encode({ type: PacketType.ACK, nsp: "/a", id: 12, data: [] }), ["3/a,12[]"]);
    assert.deepEqual(encode({ type: PacketType.CONNECT_ERROR, nsp: "/", data: "no" }), ['4"no"']);
  });

  test("it sends binary data beside the text, each piece the same object", () => {
    const pieces = [Buffer.of(1), new ArrayBuffer(2), new Blob(["x"])];
    const [text, ...attachments] = encode({ type: 2, nsp: "/a", id: 3, data: ["e", pieces] });
    const placeholders = [0, 1, 2].map((num) => `{"_placeholder":true,"num":${num}}`);
    assert.equal(text, `53-/a,3["e",[${placeholders}]]`);
    assert.equal(attachments.length, 3);
    attachments.forEach((attachment, i) => {
      assert.equal(attachment, pieces[i]);
    });
  });

  test("it does not change the packet", () => {
    const bytes = Buffer.of(1);
    const options = Object.freeze({ compress: true });
    const inner = Object.freeze({ bytes, list: Object.freeze([bytes, { bytes }]) });
    const data = Object.freeze(["e", inner, "é".repeat(5000)]);
    const packet = Object.freeze({ type: 2, nsp: "/", data, options });
    assert.equal(encode(packet).length, 4);
    assert.deepEqual(packet, { type: 2, nsp: "/", data, options });
    assert.deepEqual(inner, { bytes, list: [bytes, { bytes }] });
  });

  test("it writes long strings as JSON.stringify does", () => {
    for (const part of ["plain ", '"quoted"\n\\', "žluťoučký 😀", "\ud800", "\u0000\u001f\u2028"]) {
      const data = ["e", { [part.repeat(400)]: part.repeat(2000) }, part];
      assert.deepEqual(encode({ type: 2, nsp: "/", data }), [`2${JSON.stringify(data)}`]);
    }
  });

  test("it passes its replacer to JSON.stringify", () => {
    const data = ["e", 1n, "x".repeat(5000)];
    const replacer = (_key, value) => (typeof value === "bigint" ? String(value) : value);
    const [text] = new Encoder(replacer).encode({ type: 2, nsp: "/", data });
    assert.equal(text, `2["e","1","${data[2]}"]`);
  });

  test("an own __proto__ beside binary data is not sent, as in socket.io-parser", () => {
    const data = ["e", JSON.parse('{"__proto__":{"a":1},"b":2}'), Buffer.of(1)];
    const expected = new official.Encoder().encode({ type: 2, nsp: "/", data });
    assert.deepEqual(encode({ type: 2, nsp: "/", data }), expected);
  });

  test("an own __proto__ beside a long string is sent, as in socket.io-parser", () => {
    const data = ["e", JSON.parse('{"__proto__":{"a":1},"b":2}'), "x".repeat(5000)];
    assert.deepEqual(encode({ type: 2, nsp: "/", data }), [`2${JSON.stringify(data)}`]);
  });

  test("data that is no JSON is written as undefined, as in socket.io-parser", () => {
    const packet = { type: 2, nsp: `/${"x".repeat(5000)}`, data() {} };
    assert.deepEqual(encode(packet), [`2${packet.nsp},undefined`]);
  });

  test("it throws what JSON.stringify and the data throw", () => {
    const error = new Error("from a getter");
    const data = {
      get value() {
        throw error;
      },
    };
    assert.throws(() => encode({ type: 2, nsp: "/", data: ["e", data] }), error);
    assert.throws(() => encode({ type: 2, nsp: "/", data: ["e", 1n] }), {
      name: "TypeError",
      message: "Do not know how to serialize a BigInt",
    });
    assert.throws(() => encode(null), {
      name: "TypeError",
      message: "Cannot read properties of null (reading 'type')",
    });
  });

  test("a subclass changes what is encoded", () => {
    class Stamping extends Encoder {
      encode(packet) {
        return super.encode({ ...packet, data: [...packet.data, "stamp"] });
      }
    }
    assert.deepEqual(new Stamping().encode({ type: 2, data: ["e"] }), ['2["e","stamp"]']);
  });
});

describe("Decoder", () => {
  test("it reads each type of packet", () => {
    assert.deepEqual(decode("0", '0/a,{"b":1}', "1/a,", '2["e"]', "3/a,12[]", '4"no"'), [
      { type: 0, nsp: "/" },
      { type: 0, nsp: "/a", data: { b: 1 } },
      { type: 1, nsp: "/a" },
      { type: 2, nsp: "/", data: ["e"] },
      { type: 3, nsp: "/a", id: 12, data: [] },
      { type: 4, nsp: "/", data: "no" },
    ]);
  });

  test("it puts the same attachment objects in the place of their placeholders", () => {
    const first = Buffer.of(1);
    const second = new ArrayBuffer(2);
    const text = '62-/a,7[{"b":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]';
    const [packet] = decode(text, first, second);
    assert.deepEqual(packet, { type: 3, nsp: "/a", id: 7, data: [{ b: second }, first] });
    assert.equal(packet.data[0].b, second);
    assert.equal(packet.data[1], first);
  });

  test("it emits within add()", () => {
    const { decoder, packets } = decoderOf();
    decoder.add('2["e"]');
    assert.equal(packets.length, 1);
    decoder.add('51-["e"]');
    assert.equal(packets.length, 1);
    decoder.add(Buffer.of(1));
    assert.equal(packets.length, 2);
  });

  test("it emits to no listener, to one and to several, with itself as `this`", () => {
    const decoder = new Decoder();
    const received = [];
    decoder.add("0");
    decoder.on("decoded", function ({ type }) {
      received.push(["first", type, this === decoder]);
    });
    decoder.add("1");
    decoder.on("decoded", function ({ type }) {
      received.push(["second", type, this === decoder]);
    });
    decoder.add("0");
    assert.deepEqual(received, [
      ["first", 1, true],
      ["first", 0, true],
      ["second", 0, true],
    ]);
  });

  test("once() receives one packet, alone or beside another listener", () => {
    const decoder = new Decoder();
    const received = [];
    decoder.once("decoded", ({ type }) => received.push(["alone", type]));
    decoder.add("0");
    decoder.add("0");
    decoder.on("decoded", ({ type }) => received.push(["on", type]));
    decoder.once("decoded", ({ type }) => received.push(["beside", type]));
    decoder.add("1");
    decoder.add("0");
    assert.deepEqual(received, [
      ["alone", 0],
      ["on", 1],
      ["beside", 1],
      ["on", 0],
    ]);
  });

  test("a listener that another one removes still receives the current packet", () => {
    const decoder = new Decoder();
    const received = [];
    const second = () => received.push("second");
    decoder.on("decoded", () => {
      received.push("first");
      decoder.removeListener("decoded", second);
    });
    decoder.on("decoded", second);
    decoder.add("0");
    decoder.add("0");
    assert.deepEqual(received, ["first", "second", "first"]);
  });

  test("the decoder is ready for the next packet after a listener has thrown", () => {
    const decoder = new Decoder();
    const error = new Error("from a listener");
    decoder.once("decoded", () => {
      throw error;
    });
    decoder.add('51-["e"]');
    assert.throws(() => decoder.add(Buffer.of(1)), error);
    decoder.add('2["e"]');
  });

  test("a subclass sees every message and may not replace how packets are emitted", () => {
    const seen = [];
    class Watching extends Decoder {
      add(data) {
        seen.push(data);
        super.add(data);
      }
      emitReserved() {
        assert.fail("socket.io-parser does not call it");
      }
    }
    const decoder = new Watching({ maxAttachments: 1 });
    decoder.add("0");
    decoder.on("decoded", (packet) => seen.push(packet));
    decoder.add("1");
    assert.deepEqual(seen, ["0", "1", { type: 1, nsp: "/" }]);
    assert.throws(() => decoder.add('52-["e"]'), { message: "too many attachments" });
  });

  test("it accepts a reviver alone or among its options", () => {
    const reviver = (_key, value) => (value === 1 ? "one" : value);
    for (const options of [reviver, { reviver }]) {
      const { decoder, packets } = decoderOf(options);
      decoder.add('2["e",1,[1]]');
      assert.deepEqual(packets[0].data, ["e", "one", ["one"]]);
    }
  });

  test("it accepts ten attachments, or maxAttachments of them", () => {
    assert.throws(() => decode('511-["e"]'), { message: "too many attachments" });
    decode('510-["e"]');
    decoderOf({ maxAttachments: 11 }).decoder.add('511-["e"]');
  });

  test("destroy() forgets an unfinished packet", () => {
    const { decoder, packets } = decoderOf();
    decoder.add('52-["e"]');
    decoder.add(Buffer.of(1));
    decoder.destroy();
    decoder.add("1");
    assert.deepEqual(packets, [{ type: 1, nsp: "/" }]);
  });

  const REFUSALS = [
    ["a type out of range", ["7"], "unknown packet type 7"],
    ["a type that is no number", ["x"], "unknown packet type NaN"],
    ["no number of attachments", ['5["e"]'], "Illegal attachments"],
    ["no attachments at all", ['50-["e"]'], "Illegal attachments"],
    ["too many attachments", ['511-["e"]'], "too many attachments"],
    ["what is not JSON", ['2["e"'], "invalid payload"],
    ["a payload that the type does not have", ['1["e"]'], "invalid payload"],
    ["a reserved event", ['2["disconnect"]'], "invalid payload"],
    [
      "a placeholder for no attachment",
      ['51-["e",{"_placeholder":true,"num":1}]', Buffer.of(1)],
      "illegal attachments",
    ],
    [
      "text between attachments",
      ['51-["e"]', "2[]"],
      "got plaintext data when reconstructing a packet",
    ],
    [
      "an attachment to nothing",
      [Buffer.of(1)],
      "got binary data when not reconstructing a packet",
    ],
    ["what is neither text nor binary", [5], "Unknown type: 5"],
  ];
  for (const [what, messages, message] of REFUSALS) {
    test(`it refuses ${what}`, () => {
      assert.throws(() => decode(...messages), { name: "Error", message });
    });
  }
});

test("raw JSON beside a long string is sent unchanged", {
  skip: JSON.rawJSON === undefined,
}, () => {
  const data = ["e", JSON.rawJSON("12345678901234567890"), "č".repeat(2000)];
  const packet = { type: 2, nsp: "/", data };
  assert.deepEqual(new Encoder().encode(packet), new official.Encoder().encode(packet));
});

test("a toJSON that is added late does not leak a marker", () => {
  let reads = 0;
  const late = {
    get toJSON() {
      reads++;
      return reads > 3 ? () => 1 : undefined;
    },
    text: "č".repeat(2000),
  };
  const [text] = new Encoder().encode({ type: 2, nsp: "/", data: ["e", late, "ž".repeat(2000)] });
  assert.equal(text, `2["e",1,"${"ž".repeat(2000)}"]`);
});

describe("an event that equals the one before", () => {
  const values = [
    "text",
    1,
    -0,
    Number.NaN,
    null,
    undefined,
    true,
    Symbol("none"),
    "a".repeat(5000),
  ];
  const packets = [
    ...values.map((value) => ({ type: PacketType.EVENT, nsp: "/", data: ["e", value] })),
    { type: PacketType.EVENT, nsp: "/", data: ["e"] },
    { type: PacketType.EVENT, nsp: "/other", data: ["e", 1] },
    { type: PacketType.EVENT, nsp: "/", id: 0, data: ["e", 1] },
    { type: PacketType.ACK, nsp: "/", id: 0, data: ["e", 1] },
    { type: PacketType.EVENT, nsp: undefined, data: ["e", 1] },
    { type: PacketType.EVENT, nsp: "/", data: "e" },
    { type: PacketType.EVENT, nsp: "/", data: ["e", "1"] },
    { type: PacketType.EVENT, nsp: "/", data: ["e", { a: 1 }] },
    { type: PacketType.EVENT, nsp: "/", data: ["e", Buffer.from("a")] },
  ];

  test("it has the text of socket.io-parser, whichever the one before was", () => {
    const encoder = new Encoder();
    const oracle = new official.Encoder();
    for (const first of packets) {
      for (const second of packets) {
        for (const packet of [first, first, second]) {
          assert.deepEqual(encoder.encode({ ...packet }), oracle.encode({ ...packet }));
        }
      }
    }
  });

  test("a list that has changed meanwhile is encoded again", () => {
    const encoder = new Encoder();
    const data = ["e", 1];
    const packet = { type: PacketType.EVENT, nsp: "/", data };
    assert.deepEqual(encoder.encode(packet), ['2["e",1]']);
    data[1] = 2;
    assert.deepEqual(encoder.encode(packet), ['2["e",2]']);
    data.push("more");
    assert.deepEqual(encoder.encode(packet), ['2["e",2,"more"]']);
  });

  test("a caller may change the result", () => {
    const encoder = new Encoder();
    const packet = { type: PacketType.EVENT, nsp: "/", data: ["e", 1] };
    encoder.encode(packet)[0] = "changed";
    encoder.encode(packet).push("more");
    assert.deepEqual(encoder.encode(packet), ['2["e",1]']);
  });

  test("a replacer and toJSON are called each time", () => {
    let count = 0;
    const encoder = new Encoder((_key, value) => (value === "n" ? ++count : value));
    const packet = { type: PacketType.EVENT, nsp: "/", data: ["n"] };
    assert.deepEqual([encoder.encode(packet), encoder.encode(packet)], [["2[1]"], ["2[2]"]]);
    const plain = new Encoder();
    plain.encode(packet);
    packet.data.toJSON = () => ["own"];
    assert.deepEqual(plain.encode(packet), ['2["own"]']);
  });
});
