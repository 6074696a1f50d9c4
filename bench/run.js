"use strict";

/**
 * `npm run bench [-- NAME …] [OPTIONS]`: runs the benchmarks, all of them or those named.
 *
 * | option | meaning |
 * | --- | --- |
 * | `--contenders NAME,…` | who is compared, the first being the one to whom the others are |
 * | `--payload BYTES,…` | of each message, where a scenario has one |
 * | `--quick` | one short round of ws and turbo: whether it works, nothing to quote |
 * | `--json FILE` | writes the figures, for `npm run bench:report` |
 * | `--list` | says which benchmarks and contenders there are |
 */

const { writeFileSync } = require("node:fs");
const { parseArgs } = require("node:util");
const { summaryTable } = require("./suite/comparison.js");
const { contender, contenders } = require("./processes/contenders.js");
const { machine } = require("./suite/machine.js");
const { Progress } = require("./suite/progress.js");
const { Settings, expectedSeconds, runSuite } = require("./suite/index.js");

/** In the order in which they run. */
const scenarios = {
  parser: require("./scenarios/parser.js"),
  paths: require("./scenarios/paths.js"),
  inbound: require("./scenarios/inbound.js"),
  echo: require("./scenarios/echo.js"),
  idle: require("./scenarios/idle.js"),
  connect: require("./scenarios/connect.js"),
  blocked: require("./scenarios/blocked.js"),
  broadcast: require("./scenarios/broadcast.js"),
  "emit-each": require("./scenarios/emit-each.js"),
  rooms: require("./scenarios/rooms.js"),
  burst: require("./scenarios/burst.js"),
  saturate: require("./scenarios/saturate.js"),
  deflate: require("./scenarios/deflate.js"),
  polling: require("./scenarios/polling.js"),
  http: require("./scenarios/http.js"),
  tls: require("./scenarios/tls.js"),
  cluster: require("./scenarios/cluster.js"),
};

const OPTIONS = {
  contenders: { type: "string" },
  payload: { type: "string" },
  quick: { type: "boolean", default: false },
  json: { type: "string" },
  list: { type: "boolean", default: false },
};

/** A command line that cannot be followed. */
class UsageError extends Error {}

/** @returns {{ names: string[], settings: Settings, json?: string, isList: boolean }} */
function readArguments() {
  const { values, positionals } = parse();
  return {
    names: positionals.map(checkScenario),
    settings: new Settings({
      isQuick: values.quick,
      contenders: values.contenders?.split(",").map(checkContender),
      payloads: values.payload?.split(",").map(checkPayload),
    }),
    json: values.json,
    isList: values.list,
  };
}

function parse() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function checkScenario(name) {
  if (Object.hasOwn(scenarios, name)) return name;
  throw new UsageError(`no benchmark "${name}"; there are: ${Object.keys(scenarios).join(", ")}`);
}

function checkContender(name) {
  const found = contender(name);
  if (found === undefined) {
    throw new UsageError(
      `no contender "${name}"; there are: ${Object.keys(contenders).join(", ")}, and ./FILE.js`,
    );
  }
  const missing = found.missing?.();
  if (missing !== undefined) throw new UsageError(`contender "${name}" is missing: ${missing}`);
  return name;
}

function checkPayload(text) {
  const payload = Number(text);
  if (Number.isInteger(payload) && payload > 0) return payload;
  throw new UsageError(`--payload takes whole numbers of bytes, not "${text}"`);
}

/** The scenarios that are named, or else all that can run here; in a quick run, the quick ones. */
function choose(names, { isQuick }) {
  const isNamed = names.length > 0;
  const entries = Object.entries(scenarios).filter(([name, { isSlow }]) =>
    isNamed ? names.includes(name) : !(isQuick && isSlow),
  );
  const isHere = ([name, { missing }]) => {
    const reason = missing?.();
    if (reason === undefined) return true;
    if (isNamed) throw new UsageError(`benchmark "${name}" cannot run: ${reason}`);
    console.log(`${name}: left out; ${reason}`);
    return false;
  };
  return Object.fromEntries(entries.filter(isHere));
}

/** Says who is left out of a run in which nobody was named, and why. */
function tellMissing({ contenders: named, isQuick }) {
  if (named !== undefined || isQuick) return;
  for (const [name, { missing }] of Object.entries(contenders)) {
    const reason = missing?.();
    if (reason !== undefined) console.log(`${name}: left out; ${reason}`);
  }
}

function list() {
  const titles = { ...scenarios, ...contenders };
  for (const [name, { title }] of Object.entries(titles))
    console.log(`${name.padEnd(12)} ${title}`);
}

async function main() {
  const { names, settings, json, isList } = readArguments();
  if (isList) return list();
  const here = machine();
  console.log(
    Object.entries(here)
      .map((entry) => entry.join(": "))
      .join(", "),
  );
  const chosen = choose(names, settings);
  tellMissing(settings);
  const seconds = expectedSeconds(chosen, settings);
  const results = await runSuite(chosen, settings, new Progress(seconds));
  const rows = Object.values(results).flatMap((result) => result.rows);
  if (rows.length > 0) console.log(`\n## summary\n\n${summaryTable(rows)}`);
  if (settings.isQuick) console.log("\nA quick run: nothing to quote.");
  if (json !== undefined) writeJson(json, { machine: here, settings, results });
}

function writeJson(file, { machine, settings, results }) {
  const { isQuick, timing } = settings;
  const command = commandOf(process.argv.slice(2), file);
  const date = new Date().toISOString();
  const content = { date, command, isQuick, timing, machine, results };
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}

/** As a user would repeat it, wherever he wants the figures. */
function commandOf(args, json) {
  const told = args.filter((argument) => argument !== json && !argument.startsWith("--json"));
  return told.length === 0 ? "npm run bench" : `npm run bench -- ${told.join(" ")}`;
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
