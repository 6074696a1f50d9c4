"use strict";

/**
 * `npm run bench [-- NAME …] [--json FILE]`: runs the benchmarks, all of them or
 * those named.
 */

const { writeFileSync } = require("node:fs");
const { cpus } = require("node:os");
const { parseArgs } = require("node:util");
const { native, nativeError, version } = require("..");

const benchmarks = { parser: () => require("./parser.js") };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "string" } },
});
const unknown = positionals.find((name) => !Object.hasOwn(benchmarks, name));
if (unknown !== undefined) {
  console.error(`no benchmark "${unknown}"; there are: ${Object.keys(benchmarks).join(", ")}`);
  process.exit(2);
}
if (!native) {
  console.error(`the addon is not loaded, there is nothing to compare: ${nativeError.message}`);
  process.exit(1);
}

const machine = {
  version,
  node: process.version,
  v8: process.versions.v8,
  platform: `${process.platform}-${process.arch}`,
  cpu: cpus()[0].model,
  cores: cpus().length,
  // Its package.json is not exported, but npm's lock tells.
  socketIoParser: require("../node_modules/socket.io-parser/package.json").version,
};
console.log(
  Object.entries(machine)
    .map(([key, value]) => `${key}: ${value}`)
    .join(", "),
);

const results = { machine, date: new Date().toISOString() };
for (const name of positionals.length > 0 ? positionals : Object.keys(benchmarks)) {
  console.log(`\n## ${name}\n`);
  results[name] = benchmarks[name]().run();
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
}
