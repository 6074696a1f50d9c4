"use strict";

/**
 * `npm run bench [-- NAME …] [--contenders NAME,…] [--json FILE]`: runs the benchmarks, all
 * of them or those named; those with servers between the usual contenders or those named.
 */

const { writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { cpus } = require("node:os");
const { parseArgs } = require("node:util");
const { version } = require("..");
const { DEFAULTS, FLOORS, contenders, isFloor } = require("./contenders.js");

const benchmarks = {
  parser: () => require("./parser.js"),
  inbound: () => require("./inbound.js"),
  echo: () => require("./echo.js"),
  idle: () => require("./idle.js"),
  broadcast: () => require("./broadcast.js"),
  rooms: () => require("./rooms.js"),
  burst: () => require("./burst.js"),
  saturate: () => require("./saturate.js"),
};

/** By name. The floors are there for those benchmarks that have them. */
const comparable = { ...contenders, ...Object.fromEntries(FLOORS.map((name) => [name])) };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    contenders: { type: "string", default: DEFAULTS.join() },
    json: { type: "string" },
  },
});
const names = values.contenders.split(",");
check("benchmark", positionals, benchmarks);
check("contender", names, comparable);

/** Ends the process if one of `given` is not a key of `known`. */
function check(kind, given, known) {
  const unknown = given.find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  console.error(`no ${kind} "${unknown}"; there are: ${Object.keys(known).join(", ")}`);
  process.exit(2);
}

const machine = {
  version,
  node: process.version,
  v8: process.versions.v8,
  platform: `${process.platform}-${process.arch}`,
  cpu: cpus()[0].model,
  cores: cpus().length,
  // Not all export their package.json, hence the paths.
  socketIoParser: require("../node_modules/socket.io-parser/package.json").version,
  socketIo: require("../node_modules/socket.io/package.json").version,
  engineIo: require("../node_modules/engine.io/package.json").version,
  // The one that engine.io gets, which need not be ours.
  ws: createRequire(require.resolve("engine.io"))("ws/package.json").version,
};
console.log(
  Object.entries(machine)
    .map(([key, value]) => `${key}: ${value}`)
    .join(", "),
);

/** Runs one benchmark after the other. @returns {Promise<object>} their figures */
async function run() {
  const results = { machine, date: new Date().toISOString() };
  for (const name of positionals.length > 0 ? positionals : Object.keys(benchmarks)) {
    console.log(`\n## ${name}\n`);
    const { hasFloor, run } = benchmarks[name]();
    results[name] = await run(names.filter((name) => hasFloor || !isFloor(name)));
  }
  return results;
}

run().then(
  (results) => {
    if (values.json === undefined) return;
    writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  },
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
