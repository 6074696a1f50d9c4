"use strict";

/** The documents: their links and paths exist, their quotations are exact, their tables complete. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { existsSync, readFileSync, readdirSync } = require("node:fs");
const path = require("node:path");
const { describe, test } = require("node:test");
const { compileFunction } = require("node:vm");
const {
  anchors,
  documents,
  links,
  paths,
  pathsInCode,
  readDocument,
  repositoryFiles,
} = require("./support/markdown.js");

const root = path.join(__dirname, "..");
const read = (file) => readFileSync(path.join(root, file), "utf8");

const files = repositoryFiles();

/** The folders at the root. */
const topFolders = new Set(
  files.filter((file) => file.includes("/")).map((file) => file.split("/")[0]),
);

/** Paths that are built, installed or measured, and so are not in the repository. */
const GENERATED = [
  "dist/",
  "bench/results/",
  "examples/nest/dist/",
  "node_modules/",
  "binding.d.ts",
];

/**
 * @param {string} file a document
 * @param {string} name a path relative to the root or to the document, or the bare name of a file
 *   anywhere in the repository; `*` stands for any name
 * @returns {string | undefined} its problem, if it has one
 */
function pathProblem(file, name) {
  if (GENERATED.some((folder) => name.startsWith(folder))) return undefined;
  const isBare = !name.includes("/");
  const isFolder = name.endsWith("/");
  const text = name.replaceAll(".", "\\.").replaceAll("*", "[^/]*");
  const end = isFolder ? "" : "$";
  const folder = path.posix.dirname(file).replaceAll(".", "\\.");
  const start = isBare ? "^(.*/)?" : `^(${folder}/)?`;
  const pattern = new RegExp(`${start}${text}${end}`);
  return files.some((each) => pattern.test(each)) ? undefined : "no such path";
}

/** @returns {string | undefined} the problem of a link in `file`, if it has one */
function linkProblem(file, target) {
  if (/^[a-z]+:/.test(target)) return undefined;
  const [relative, anchor] = target.split("#");
  const destination = relative === "" ? file : path.join(path.dirname(file), relative);
  if (!existsSync(path.join(root, destination))) return "no such file";
  if (anchor === undefined) return undefined;
  return anchors(readDocument(destination).prose).has(anchor) ? undefined : "no such heading";
}

/**
 * @param {string} code of an ES module if it has imports or exports, otherwise of a CommonJS module
 * @returns {string | undefined} the error of Node.js, if it cannot parse the code
 */
function syntaxProblem(code) {
  if (/^(import|export) /m.test(code)) return moduleProblem(code);
  try {
    compileFunction(code, ["require", "module", "exports"]);
  } catch (error) {
    return String(error);
  }
}

function moduleProblem(code) {
  const args = ["--input-type=module", "--check", "-"];
  const { status, stderr } = spawnSync(process.execPath, args, { input: code, encoding: "utf8" });
  return status === 0 ? undefined : stderr;
}

/** @returns {string[]} the words in the files of a folder that match `pattern` */
function wordsIn(folder, pattern) {
  const files = readdirSync(path.join(root, folder), { recursive: true });
  const texts = files
    .filter((file) => /\.(js|rs)$/.test(file))
    .map((file) => read(`${folder}/${file}`));
  return [...new Set(texts.flatMap((text) => text.match(pattern) ?? []))];
}

/** @returns {string[]} the members that an interface of index.d.ts declares, without inherited ones */
function membersOf(name) {
  const text = read("index.d.ts");
  const start = text.indexOf(`interface ${name} `);
  const body = text.slice(start, text.indexOf("\n}", start));
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, member]) => member);
}

/** @returns {Set<string>} the back-ticked words in the first cells of tables */
function rowsOf(file) {
  const rows = readDocument(file).prose.matchAll(/^\| (`[^|]*?) \|/gm);
  return new Set([...rows].flatMap(([, cell]) => cell.match(/[^`, ]+/g)));
}

/** Asserts that each name of `wanted` has a row in a table. */
function assertRows(file, wanted) {
  const rows = rowsOf(file);
  assert.deepEqual(
    wanted.filter((name) => !rows.has(name)),
    [],
  );
}

for (const file of documents()) {
  describe(file, () => {
    const { prose, blocks } = readDocument(file);

    test("has links that lead somewhere", () => {
      const problems = links(prose).map((target) => [target, linkProblem(file, target)]);
      assert.deepEqual(
        problems.filter(([, problem]) => problem !== undefined),
        [],
      );
    });

    test("names paths that exist", () => {
      const inCode = blocks.flatMap(({ code }) => pathsInCode(code, topFolders));
      const problems = [...paths(prose), ...inCode].map((name) => [name, pathProblem(file, name)]);
      assert.deepEqual(
        problems.filter(([, problem]) => problem !== undefined),
        [],
      );
    });

    for (const { language, source, code } of blocks) {
      if (source !== undefined) {
        test(`quotes ${source} as it is`, () => assert.equal(code, read(source)));
      } else if (language === "js") {
        test(`has JavaScript that parses: ${code.split("\n")[0]}`, () => {
          assert.equal(syntaxProblem(code), undefined);
        });
      }
    }
  });
}

test("documents with wrong links and wrong code would be found", () => {
  assert.equal(linkProblem("README.md", "docs/nowhere.md"), "no such file");
  assert.equal(linkProblem("README.md", "docs/README.md#nowhere"), "no such heading");
  assert.match(syntaxProblem("const = 1;"), /SyntaxError/);
  assert.match(syntaxProblem('import x from "x";\nawait = 1;'), /SyntaxError/);
});

test("documents with wrong paths would be found", () => {
  const prose = "`lib/nowhere.js` and `nowhere/`, `nowhere.rs` beside `a/b` and `npm run lint`";
  assert.deepEqual(paths(prose), ["lib/nowhere.js", "nowhere/", "nowhere.rs"]);
  for (const name of [...paths(prose), "lib/README.md"]) {
    assert.equal(pathProblem("README.md", name), "no such path", name);
  }
  assert.deepEqual(pathsInCode("node lib/nowhere.js # as blib/nowhere.js", ["lib"]), [
    "lib/nowhere.js",
  ]);
});

test("paths relative to the root or to the document, names and patterns are found", () => {
  for (const name of ["lib/turbo.js", "turbo.js", "lib/", "npm/*/package.json", "*.test.js"]) {
    assert.equal(pathProblem("README.md", name), undefined, name);
  }
  assert.equal(pathProblem("examples/chat/README.md", "public/chat.js"), undefined);
});

test("the index of the guides leads to each of them", () => {
  const guides = documents().filter((file) => path.dirname(file) === "docs");
  const linked = links(readDocument("docs/README.md").prose);
  const missing = guides.filter((file) => !linked.includes(path.basename(file)));
  assert.deepEqual(missing, ["docs/README.md"]);
});

test("the guides have every error code and every warning", () => {
  const codes = [
    ...wordsIn("lib", /\bTURBO_[A-Z_]+\b/g),
    ...wordsIn("src", /\b(TURBO|WS)_ERR_[A-Z0-9_]+\b/g),
  ];
  assertRows(
    "docs/errors.md",
    codes.filter((code) => code !== "TURBO_NATIVE"),
  );
});

test("the guides have every option", () => {
  const interfaces = [
    "DrainOptions",
    "EngineOptions",
    "ListenerOptions",
    "RedisAdapterOptions",
    "TurboOptions",
    "WebSocketServerOptions",
  ];
  const options = interfaces.flatMap(membersOf);
  assert.ok(options.length >= 5);
  assertRows("docs/options.md", [...options, "TURBO_NATIVE"]);
});

test("the guides have every counter and every reason", () => {
  const { REASONS } = require("../lib/engine/fallback.js");
  assertRows("docs/compatibility.md", Object.keys(REASONS));
  const server = require("../lib/server/fallback.js");
  const { PASS_REASONS } = require("../lib/server/pass-reasons.js");
  assertRows("docs/compatibility.md", [...Object.keys(server.REASONS), ...PASS_REASONS]);
  assertRows(
    "docs/monitoring.md",
    membersOf("ServerStats").map((name) => `server.${name}`),
  );
  const interfaces = ["Counters", "Histogram", "RedisStats", "WorkerStats"];
  assertRows("docs/monitoring.md", interfaces.flatMap(membersOf));
});

test("the guides have every metric, and the bounds of histograms", () => {
  const { METRICS } = require("../lib/metrics/table.js");
  const { instrumentNames } = require("../lib/metrics/open-telemetry.js");
  const { prometheusName } = require("../lib/metrics/prometheus.js");
  assertRows("docs/monitoring.md", METRICS.map(prometheusName));
  const text = read("docs/monitoring.md");
  const names = METRICS.flatMap(instrumentNames);
  assert.deepEqual(
    names.filter((name) => !text.includes(`\`${name}\``)),
    [],
  );
  const { HISTOGRAM_BOUNDS } = require("../lib/addon/codes.js");
  const bounds = HISTOGRAM_BOUNDS.join(", ").replace(/, (\d+)$/, " and $1 ms");
  assert.ok(text.includes(bounds), bounds);
});
