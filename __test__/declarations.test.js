"use strict";

/** The declarations name each export, field and reason and nothing else, and document them. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { once } = require("node:events");
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { before, describe, test } = require("node:test");
const ws = require("ws");
const commonJs = require("..");
const { binding, hasEngine } = require("../lib/addon/index.js");
const { REASONS } = require("../lib/engine/fallback.js");
const server = require("../lib/server/fallback.js");
const { PASS_REASONS } = require("../lib/server/pass-reasons.js");
const { WebSocket } = require("../lib/engine/websocket.js");

const root = path.join(__dirname, "..");

/** A type: `true` if two unions are the same, else the difference. */
const SAME = `
type Same<Declared, Real> = [Exclude<Declared, Real>, Exclude<Real, Declared>] extends [never, never]
  ? true
  : { declaredOnly: Exclude<Declared, Real>; realOnly: Exclude<Real, Declared> };
`;

const IMPORT = {
  ".cts": `import declared = require(${JSON.stringify(path.join(root, "index.js"))});`,
  ".mts": `import * as declared from ${JSON.stringify(path.join(root, "index.mjs"))};`,
};

const COMPILER_OPTIONS = {
  strict: true,
  noEmit: true,
  module: "node20",
  target: "es2023",
  types: ["node"],
  typeRoots: [path.join(root, "node_modules/@types")],
};

/**
 * Compiles modules against the declarations.
 *
 * @param {Record<string, string[]>} modules lines by file name
 * @returns {string[]} the compiler's messages, beginning with the file name
 */
function compile(modules) {
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-types-"));
  const write = (name, text) => writeFileSync(path.join(directory, name), text);
  write(
    "tsconfig.json",
    JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: Object.keys(modules) }),
  );
  for (const [name, lines] of Object.entries(modules)) {
    write(name, [SAME, IMPORT[path.extname(name)], ...lines].join("\n"));
  }
  const compiler = path.join(root, "node_modules/typescript/bin/tsc");
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, "-p", "."], {
    cwd: directory,
    encoding: "utf8",
  });
  rmSync(directory, { recursive: true });
  assert.equal(stderr, "");
  return stdout.split("\n");
}

/** @returns {string} a type: the union of `names` */
function union(names) {
  if (names.length === 0) return "never";
  return names.map((name) => JSON.stringify(name)).join(" | ");
}

/** Returns a line that compiles if the type `declared` is the union of `names`. */
function same(declared, names) {
  return `{ const same: Same<${declared}, ${union(names)}> = true; void same; }`;
}

/** Returns a line that compiles if each name of the type `declared` is among `names`. */
function among(declared, names) {
  return same(`Exclude<${declared}, ${union(names)}>`, []);
}

/** Returns the names of an object's members, including inherited ones. */
function memberNames(object) {
  const next = Object.getPrototypeOf(object);
  const names = Object.getOwnPropertyNames(object);
  return next === Object.prototype ? names : [...names, ...memberNames(next)];
}

/** Returns `stats()` while a connection is open, so that there is an I/O thread. */
async function readStats() {
  const server = new commonJs.WebSocketServer({ port: 0 });
  await once(server, "listening");
  const client = new ws.WebSocket(`ws://127.0.0.1:${server.address().port}`);
  await once(client, "open");
  const stats = commonJs.stats();
  client.terminate();
  server.close();
  return stats;
}

/** Returns the lines that compare declarations with reality, by file name. */
async function comparisons() {
  const { parser, turbo } = commonJs;
  const { Decoder, Encoder, PacketType } = parser;
  const stats = await readStats();
  const modules = {
    "exports.cts": [
      same("keyof typeof declared", Object.keys(commonJs)),
      same("keyof typeof declared.turbo", Object.keys(turbo)),
    ],
    "exports.mts": [same("keyof typeof declared", Object.keys(await import("../index.mjs")))],
    "parser.cts": [
      same("keyof typeof declared.parser", Object.keys(parser)),
      same(
        "keyof typeof declared.parser.PacketType",
        Object.keys(PacketType).filter((key) => !/^\d/.test(key)),
      ),
      among("keyof declared.parser.Decoder", memberNames(new Decoder())),
      among("keyof declared.parser.Encoder", memberNames(new Encoder())),
    ],
    "stats.cts": [
      same("keyof declared.Stats", Object.keys(stats)),
      same('keyof declared.Stats["connections"]', Object.keys(stats.connections)),
      same("declared.FallbackReason", Object.keys(REASONS)),
      same('keyof declared.Stats["server"]', Object.keys(stats.server)),
      same("declared.PassReason", PASS_REASONS),
      same("declared.ServerFallbackReason", Object.keys(server.REASONS)),
    ],
    "wrong.cts": [
      same("keyof typeof declared", ["turbo"]),
      same("declared.FallbackReason", [...Object.keys(REASONS), "rain"]),
      among("keyof declared.parser.Encoder", ["decode"]),
    ],
  };
  if (hasEngine) {
    modules["stats.cts"].push(
      same("keyof declared.WorkerStats", Object.keys(stats.workers[0])),
      same("declared.EndReason", binding.endReasons()),
    );
  }
  return modules;
}

describe("the declarations", { timeout: 120_000 }, () => {
  let lines;

  before(async () => {
    lines = compile(await comparisons());
  });

  for (const [what, name] of [
    ["each export and each property of turbo", "exports.cts"],
    ["each export of the ES module", "exports.mts"],
    ["each member of the parser", "parser.cts"],
    ["each field of stats(), and each reason", "stats.cts"],
  ]) {
    test(`name ${what}, and nothing else`, () => {
      const found = lines.filter((line) => line.startsWith(name) || line.startsWith("error"));
      assert.deepEqual(found, []);
    });
  }

  test("fail where a name is missing on one side", () => {
    const wrong = lines.filter((line) => line.startsWith("wrong.cts"));
    assert.equal(wrong.length, 3);
    const text = lines.join(" ");
    assert.match(text, /declaredOnly: .*"version"/);
    assert.match(text, /realOnly: "rain"/);
    assert.match(text, /declaredOnly: "encode"/);
  });

  test("document each declaration", () => {
    assert.deepEqual(undocumented(readFileSync(path.join(root, "index.d.ts"), "utf8")), []);
    const sample =
      "/** Told. */\nexport interface A {\n  b?: number;\n  /** Told. */\n  c(): void;\n}";
    assert.deepEqual(undocumented(sample), ["  b?: number;"]);
  });
});

/** The beginning of what needs a comment: a declaration, a member, a choice of a union. */
const DECLARATION =
  /^\s*(export (declare|interface|type) |(class|const|enum|function|interface|type) |constructor\(|\| "|\w+\??: .*[;{]$|\w+\(.*|[A-Z_]+ = \d+,)/;

test("a WebSocket shows applications the members of ws, and no others", () => {
  const isPublic = (name) => !name.startsWith("_");
  const options = { autoPong: true, closeTimeout: 0, turbo: {} };
  const [ours, theirs] = [WebSocket, ws.WebSocket].map((Class) =>
    memberNames(new Class(null, undefined, options)).filter(isPublic),
  );
  assert.deepEqual(new Set(ours), new Set(theirs));
});

/** Returns the lines that begin a declaration without a comment above. */
function undocumented(text) {
  const all = text.split("\n").filter((line) => !line.includes("biome-ignore"));
  return all.filter((line, index) => {
    const isDocumented = /\*\/$/.test(all[index - 1] ?? "");
    return DECLARATION.test(line) && !/^\s*\*/.test(line) && !isDocumented;
  });
}
