"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const officialParser = require("socket.io-parser");
const { parser, turbo, version } = require("..");

test("turbo() fills in the parser", () => {
  assert.deepEqual(turbo(), { parser });
  assert.deepEqual(turbo({}), { parser });
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
  assert.equal(options.adapter, Adapter);
  assert.equal(options.wsEngine, Engine);
});

test("other options go through untouched, and the user's object stays as it is", () => {
  const cors = { origin: "*" };
  const options = Object.freeze({ cors, pingInterval: 5, anOptionOfTomorrow: Symbol.iterator });
  assert.deepEqual(turbo(options), { ...options, parser });
  assert.equal(turbo(options).cors, cors);
});

test("maxAttachments sets the limit of the server's decoders and is not passed on", () => {
  const options = turbo({ maxAttachments: 2 });
  assert.deepEqual(Object.keys(options), ["parser"]);
  const decoder = new options.parser.Decoder();
  assert.throws(() => decoder.add('53-["e"]'), { message: "too many attachments" });
  decoder.add('52-["e"]');
  assert.equal(new parser.Decoder().opts.maxAttachments, 10);
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

test("CommonJS and ES modules see the same things", async () => {
  const commonJs = require("..");
  const esm = await import("../index.mjs");
  assert.deepEqual(Object.keys(esm).sort(), Object.keys(commonJs).sort());
  for (const name of Object.keys(commonJs)) assert.equal(esm[name], commonJs[name], name);
  assert.equal(esm.default, turbo);
});

test("turbo carries the named exports as properties", () => {
  const { default: _, turbo: __, ...named } = require("..");
  for (const [name, value] of Object.entries(named)) assert.equal(turbo[name], value, name);
});
