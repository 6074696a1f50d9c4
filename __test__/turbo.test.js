"use strict";

/** `turbo()` and its options. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Adapter } = require("socket.io-adapter");
const officialParser = require("socket.io-parser");
const { WebSocketServer, createEngine, parser, turbo, version } = require("..");

test("turbo() fills in the parser, the adapter and the WebSocket engine", () => {
  for (const options of [turbo(), turbo({}), turbo({ wsEngine: null, adapter: null })]) {
    assert.deepEqual(Object.keys(options).sort(), ["adapter", "parser", "wsEngine"]);
    assert.ok(new options.adapter({ server: {} }) instanceof Adapter);
    assert.equal(options.parser, parser);
    assert.ok(options.wsEngine.prototype instanceof WebSocketServer);
  }
  assert.equal(turbo({ parser: undefined }).parser, parser);
  assert.equal(turbo({ parser: null }).parser, parser);
});

test("a parser that the user names is kept", () => {
  assert.equal(turbo({ parser: officialParser }).parser, officialParser);
});

test("an adapter and a wsEngine that the user names are kept", () => {
  class Adapter {}
  class Engine {}
  const options = turbo({ adapter: Adapter, wsEngine: Engine });
  const adapter = new options.adapter();
  assert.equal(adapter.constructor, Adapter);
  assert.ok(adapter instanceof options.adapter);
  assert.equal(options.wsEngine, Engine);
});

test("other options are passed on unchanged, and the user's object is not changed", () => {
  const given = Object.freeze({ pingInterval: 5, anOptionOfTomorrow: Symbol.iterator });
  const { adapter, parser: _parser, wsEngine, ...rest } = turbo(given);
  assert.deepEqual(rest, given);
});

test("maxAttachments sets the limit of the server's decoders and is not passed on", () => {
  const options = turbo({ maxAttachments: 2 });
  assert.ok(!("maxAttachments" in options));
  const decoder = new options.parser.Decoder();
  assert.throws(() => decoder.add('53-["e"]'), { message: "too many attachments" });
  decoder.add('52-["e"]');
  assert.equal(new parser.Decoder().opts.maxAttachments, 10);
});

const refused = {
  ioThreads: [0, 65, 1.5, "2", null],
  highWaterMark: [-1, 1.5, Number.NaN, "1kb", null, Number.POSITIVE_INFINITY],
  maxBackpressure: [0, -1, 1.5, "64mb", null],
  backpressureTimeout: [-1, 1.5, "5s", 2 ** 31, Number.POSITIVE_INFINITY, null],
  maxLoopLag: [0, -1, 1.5, "45s", 2 ** 31, Number.NaN, null],
  rateLimit: [null, 100, "drop", [], true, {}, { messages: 1 }, { action: "pause" }],
};
for (const [option, values] of Object.entries(refused)) {
  for (const value of values) {
    test(`${option} cannot be ${typeof value} ${String(value)}`, () => {
      const expected = { name: "TypeError", code: "TURBO_ERR_INVALID_OPTION", option };
      assert.throws(() => turbo({ [option]: value }), expected);
      assert.throws(() => createEngine({ [option]: value }), expected);
      assert.throws(() => new WebSocketServer({ noServer: true, [option]: value }), expected);
    });
  }
}

test("an engine's options are neither passed on nor accepted beside a wsEngine", () => {
  const options = {
    ioThreads: 2,
    highWaterMark: 1,
    maxBackpressure: Number.POSITIVE_INFINITY,
    backpressureTimeout: 0,
    maxLoopLag: Number.POSITIVE_INFINITY,
    rateLimit: { messages: 1, action: "drop" },
  };
  const filledIn = ["adapter", "parser", "wsEngine"];
  assert.deepEqual(Object.keys(turbo(options)).sort(), filledIn);
  for (const [option, value] of Object.entries(options)) {
    assert.throws(() => turbo({ wsEngine: WebSocketServer, [option]: value }), {
      code: "TURBO_ERR_INVALID_OPTION",
      option,
    });
  }
});

const refusedParts = {
  messages: [0, -1, 1.5, "100", null, Number.NaN],
  bytes: [0, -1, 1.5, "64kb", null],
  per: [0, -1, 1.5, "1s", 2 ** 31, Number.POSITIVE_INFINITY, null],
  action: ["ban", "toString", null, 1],
};
for (const [part, values] of Object.entries(refusedParts)) {
  for (const value of values) {
    test(`${part} of rateLimit cannot be ${typeof value} ${String(value)}`, () => {
      const rateLimit = { messages: 1, action: "pause", [part]: value };
      const option = `rateLimit.${part}`;
      const message = new RegExp(`^${option} must be .*, got `);
      const expected = { name: "TypeError", code: "TURBO_ERR_INVALID_OPTION", option, message };
      assert.throws(() => turbo({ rateLimit }), expected);
      assert.throws(() => createEngine({ rateLimit }), expected);
      assert.throws(() => new WebSocketServer({ noServer: true, rateLimit }), expected);
    });
  }
}

test("a WebSocketServer of its own has no events to drop", () => {
  const rateLimit = { messages: 1, action: "drop" };
  assert.throws(() => new WebSocketServer({ noServer: true, rateLimit }), {
    code: "TURBO_ERR_INVALID_OPTION",
    option: "rateLimit.action",
  });
  const Engine = createEngine({ rateLimit });
  new Engine({ noServer: true }).close();
});

test("textType is one of two words", () => {
  assert.throws(() => new WebSocketServer({ noServer: true, textType: "text" }), {
    message: 'textType must be "buffer" or "string", got "text"',
  });
});

for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "3", null, {}, [], 3n]) {
  test(`maxAttachments cannot be ${typeof value} ${String(value)}`, () => {
    assert.throws(() => turbo({ maxAttachments: value }), {
      name: "TypeError",
      code: "TURBO_ERR_INVALID_OPTION",
      option: "maxAttachments",
      message: /^maxAttachments must be an integer of at least 1, got /,
    });
  });
}

test("maxAttachments together with a parser of one's own is an error", () => {
  assert.throws(() => turbo({ maxAttachments: 3, parser: officialParser }), {
    code: "TURBO_ERR_INVALID_OPTION",
    option: "maxAttachments",
  });
});

for (const value of [null, 3000, "options", [], () => {}]) {
  test(`options cannot be ${typeof value} ${String(value)}`, () => {
    assert.throws(() => turbo(value), {
      name: "TypeError",
      code: "TURBO_ERR_INVALID_OPTION",
      option: "options",
      message: /^options must be an object or undefined, got /,
    });
  });
}

test("the version is that of the package", () => {
  assert.equal(version, require("../package.json").version);
  assert.equal(turbo.version, version);
});

test("CommonJS and ES modules have the same exports", async () => {
  const commonJs = require("..");
  const esm = await import("../index.mjs");
  assert.deepEqual(Object.keys(esm).sort(), Object.keys(commonJs).sort());
  for (const name of Object.keys(commonJs)) assert.equal(esm[name], commonJs[name], name);
  assert.equal(esm.default, turbo);
});

test("turbo carries the named exports as properties", () => {
  const { default: _, turbo: __, ...named } = require("..");
  assert.deepEqual(
    Object.keys(turbo).sort(),
    [...Object.keys(named), "adapter", "wsEngine"].sort(),
  );
  for (const [name, value] of Object.entries(named)) assert.equal(turbo[name], value, name);
});
