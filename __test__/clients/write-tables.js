"use strict";

/**
 * `node __test__/clients/write-tables.js`: runs all programs against our server, and writes what works
 * into docs/clients.md.
 */

const { readFileSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { engineNamed } = require("../support/engines.js");
const { programs } = require("./programs.js");
const { resultsOf, tables } = require("./results.js");

const file = path.join(__dirname, "../../docs/clients.md");
const TABLES = /(<!-- write-tables -->\n\n).*(\n\n<!-- end -->)/s;

async function main() {
  const working = new Set();
  for (const program of programs) {
    if (program.skip) throw new Error(`${program.library}: ${program.skip}`);
    await program.prepare();
    const runs = program.transports.map(async (transport) => {
      for (const { feature, ok } of await resultsOf(program, transport, engineNamed("turbo"))) {
        console.log(`${ok ? "works" : "fails"}: ${program.column}, ${transport}, ${feature}`);
        if (ok) working.add([program.column, transport, feature].join());
      }
    });
    await Promise.all(runs);
    await program.end();
  }
  const works = (program, ...rest) => working.has([program.column, ...rest].join());
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file,
    text.replace(TABLES, (_all, start, end) => start + tables(works) + end),
  );
}

main();
