"use strict";

/**
 * All past attacks on Socket.IO's parser: each input is refused cleanly, takes no more memory than was
 * sent, and affects no other decoder.
 */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const official = require("socket.io-parser");
const ours = require("../../lib/parser/index.js");

/** A decoder and the packets that it has decoded. */
function decoderOf({ Decoder }, options) {
  const decoder = new Decoder(options);
  const packets = [];
  decoder.on("decoded", (packet) => packets.push(packet));
  return { decoder, packets };
}

/** Returns the error of each message, or `undefined`. */
function errorsOf(decoder, messages) {
  return messages.map((message) => {
    try {
      decoder.add(message);
      return undefined;
    } catch (error) {
      return `${error.constructor.name}: ${error.message}`;
    }
  });
}

/** Feeds both parsers; asserts the errors, the same from both, and that nothing was decoded. */
function assertRefused(messages, errors) {
  for (const implementation of [ours, official]) {
    const { decoder, packets } = decoderOf(implementation);
    assert.deepEqual(errorsOf(decoder, messages), errors);
    assert.deepEqual(packets, []);
  }
}

/** Returns the levels of nesting of the first elements. */
function depthOf(value) {
  let depth = 0;
  for (let inner = value; Array.isArray(inner); inner = inner[0]) depth++;
  return depth;
}

const BYTES = Buffer.from("bytes");

describe("CVE-2020-36049", () => {
  const LENGTH = 8 * 1024 * 1024;

  test("a huge packet is read without concatenating its characters", () => {
    const { decoder, packets } = decoderOf(ours);
    decoder.add(`2["e","${"x".repeat(LENGTH)}"]`);
    assert.equal(packets[0].data[1].length, LENGTH);
  });

  test("a huge namespace, ack id or number of attachments is read in one piece", () => {
    const { decoder, packets } = decoderOf(ours);
    decoder.add(`2/${"x".repeat(LENGTH)},["e"]`);
    assert.equal(packets[0].nsp.length, LENGTH + 1);
    decoder.add(`2${"9".repeat(LENGTH)}["e"]`);
    assert.equal(packets[1].id, Number.POSITIVE_INFINITY);
    assert.throws(() => decoder.add(`5${"9".repeat(LENGTH)}-["e"]`), {
      message: "Illegal attachments",
    });
    assert.throws(() => decoder.add(`5${"9".repeat(LENGTH)}`), { message: "Illegal attachments" });
  });
});

describe("CVE-2022-2421", () => {
  for (const num of ['"splice"', '"0"', '"__proto__"', "-1", "1", "1e9", "null", "{}", "[0]"]) {
    test(`a placeholder with the number ${num} is refused`, () => {
      assertRefused(
        [`51-["hello",{"_placeholder":true,"num":${num}}]`, BYTES],
        [undefined, "Error: illegal attachments"],
      );
    });
  }

  test("a placeholder without a number is refused", () => {
    assertRefused(
      ['51-["hello",{"_placeholder":true}]', BYTES],
      [undefined, "Error: illegal attachments"],
    );
  });

  test("a fractional placeholder yields undefined, as in socket.io-parser", () => {
    for (const implementation of [ours, official]) {
      const { decoder, packets } = decoderOf(implementation);
      decoder.add('51-["hello",{"_placeholder":true,"num":0.5}]');
      decoder.add(BYTES);
      assert.deepEqual(packets[0].data, ["hello", undefined]);
    }
  });

  test("messages after the refusal are neither decoded nor attachments", () => {
    assertRefused(
      ['51-["hello",{"_placeholder":true,"num":1}]', BYTES, BYTES, '2["e"]'],
      [
        undefined,
        "Error: illegal attachments",
        undefined,
        "Error: got plaintext data when reconstructing a packet",
      ],
    );
  });
});

describe("CVE-2023-32695", () => {
  const NAMES = ['{"toString":"foo"}', "{}", "[]", "null", "true", '["e"]', '{"length":1}'];

  for (const name of NAMES) {
    test(`an event named ${name} is refused`, () => {
      assertRefused([`2[${name}]`], ["Error: invalid payload"]);
      assertRefused([`51-[${name},{"_placeholder":true,"num":0}]`], ["Error: invalid payload"]);
    });
  }

  test("an event without a name is refused", () => {
    assertRefused(["2[]", "2{}", "2null"], Array(3).fill("Error: invalid payload"));
  });

  test("an attachment as the name of an event is refused", () => {
    assertRefused(['51-[{"_placeholder":true,"num":0}]'], ["Error: invalid payload"]);
  });

  test("reserved events are refused, escaped or not", () => {
    const names = ["connect", "connect_error", "disconnect", "disconnecting"];
    names.push("newListener", "removeListener", "\\u0063onnect");
    for (const name of names) assertRefused([`2["${name}"]`], ["Error: invalid payload"]);
  });
});

describe("CVE-2026-33151", () => {
  for (const count of ["11", "1000000000", "9007199254740993", "1e300", "0x7fffffff"]) {
    test(`${count} attachments are refused before the first is kept`, () => {
      assertRefused(
        [`5${count}-["e"]`, BYTES],
        ["Error: too many attachments", "Error: got binary data when not reconstructing a packet"],
      );
    });
  }

  test("no more attachments than announced are kept", () => {
    const { decoder, packets } = decoderOf(ours);
    decoder.add('510-["e"]');
    for (let i = 0; i < 10; i++) decoder.add(BYTES);
    assert.equal(packets.length, 1);
    assert.throws(() => decoder.add(BYTES), {
      message: "got binary data when not reconstructing a packet",
    });
  });

  test("destroy() releases the attachments of an unfinished packet", () => {
    const { decoder } = decoderOf(ours);
    decoder.add('52-["e"]');
    decoder.add(BYTES);
    decoder.destroy();
    assert.throws(() => decoder.add(BYTES), {
      message: "got binary data when not reconstructing a packet",
    });
  });

  test("the limit can be set", () => {
    const { decoder } = decoderOf(ours, { maxAttachments: 2 });
    assert.throws(() => decoder.add('53-["e"]'), { message: "too many attachments" });
    decoder.add('52-["e"]');
  });
});

describe("CVE-2026-69185", () => {
  for (const count of ["0", "", "-0", "00", "0x0", " ", "0e5", "0.5", "-1", "NaN", "Infinity"]) {
    test(`"${count}" attachments are refused, and leave the decoder unarmed`, () => {
      assertRefused(
        [`5${count}-["e"]`, `6${count}-7[]`, BYTES],
        [
          "Error: Illegal attachments",
          "Error: Illegal attachments",
          "Error: got binary data when not reconstructing a packet",
        ],
      );
    });
  }

  test("a decoder that refused it decodes the next packet", () => {
    const { decoder, packets } = decoderOf(ours);
    assert.throws(() => decoder.add('50-["e"]'));
    decoder.add('2["e"]');
    assert.deepEqual(packets, [{ type: 2, nsp: "/", data: ["e"] }]);
  });
});

describe("deep nesting", () => {
  const LEVELS = 100_000;

  test("is decoded, and refused with a RangeError when it is sent on", () => {
    for (const implementation of [ours, official]) {
      const { decoder, packets } = decoderOf(implementation);
      decoder.add(`2[1,${"[".repeat(LEVELS)}${"]".repeat(LEVELS)}]`);
      assert.equal(depthOf(packets[0].data[1]), LEVELS);
      const encoder = new implementation.Encoder();
      assert.throws(() => encoder.encode(packets[0]), {
        name: "RangeError",
        message: "Maximum call stack size exceeded",
      });
      assert.deepEqual(encoder.encode({ type: 2, nsp: "/", data: ["e"] }), ['2["e"]']);
    }
  });

  test("is refused in a packet with attachments", () => {
    const text = `51-["e",${"[".repeat(LEVELS)}${"]".repeat(LEVELS)}]`;
    assertRefused([text, BYTES], [undefined, "RangeError: Maximum call stack size exceeded"]);
  });

  test("is refused in a packet with a long string, a Buffer or a toJSON at the bottom", () => {
    for (const bottom of ["é".repeat(5000), Buffer.of(1), { toJSON: () => 1 }]) {
      let value = bottom;
      for (let i = 0; i < LEVELS; i++) value = i % 2 ? { value } : [value];
      const packet = { type: 2, nsp: "/", data: ["e", value, "x".repeat(5000)] };
      for (const { Encoder } of [ours, official]) {
        assert.throws(() => new Encoder().encode(packet), { name: "RangeError" });
      }
    }
  });

  test("that never ends is refused", () => {
    const open = `2["e",${"[".repeat(LEVELS)}`;
    assertRefused([open, `2${'{"a":'.repeat(LEVELS)}`], Array(2).fill("Error: invalid payload"));
  });

  test("of a cycle is refused with a RangeError", () => {
    const data = ["e", "x".repeat(5000)];
    data.push({ data });
    for (const { Encoder } of [ours, official]) {
      assert.throws(() => new Encoder().encode({ type: 2, nsp: "/", data }), {
        name: "RangeError",
      });
    }
  });
});

test("an own __proto__ in a payload changes no prototype", () => {
  for (const implementation of [ours, official]) {
    const { decoder, packets } = decoderOf(implementation);
    decoder.add('51-["e",{"__proto__":{"polluted":{"_placeholder":true,"num":0}}}]');
    decoder.add(BYTES);
    const [, value] = packets[0].data;
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal(Object.getOwnPropertyDescriptor(value, "__proto__").value.polluted, BYTES);
    assert.equal({}.polluted, undefined);
  }
});
