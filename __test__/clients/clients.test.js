"use strict";

/**
 * Client libraries in several languages: what each can do with a stock server, it can do with ours, in
 * the same words; and docs/clients.md says that.
 */

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { availableParallelism } = require("node:os");
const path = require("node:path");
const { after, describe, test } = require("node:test");
const { engines } = require("../support/engines.js");
const { programs } = require("./programs.js");
const { expectedOf, resultsOf, tables, withoutNotes } = require("./results.js");

/** Most of the time of a run is spent waiting for heartbeats. */
const RUNS_AT_A_TIME = availableParallelism() + 2;

// All builds begin at once, and the programs that need none run first. A test reports what fails.
for (const program of programs) if (!program.skip) program.prepare().catch(() => {});

describe("a client", { concurrency: RUNS_AT_A_TIME }, () => {
  for (const program of [...programs].reverse()) {
    const { language, library, transports, skip } = program;
    for (const transport of transports) {
      test(`${language}, ${library}: ${transport}`, { skip }, async () => {
        await program.prepare();
        const runs = engines.map((engine) => resultsOf(program, transport, engine));
        const all = await Promise.all(runs);
        for (const [index, results] of all.entries()) {
          const failed = results.filter(({ ok }) => !ok);
          const problems = `${engines[index].name}: ${JSON.stringify(failed)}`;
          assert.deepEqual(withoutNotes(results), expectedOf(program), problems);
          assert.deepEqual(results, all[0]);
        }
      });
    }
  }

  after(() => Promise.all(programs.map((program) => program.end())));
});

test("docs/clients.md has the tables of these results", () => {
  const works = ({ limits }, _transport, feature) => limits[feature] === undefined;
  const document = readFileSync(path.join(__dirname, "../../docs/clients.md"), "utf8");
  assert.ok(document.includes(tables(works)), "node __test__/clients/write-tables.js");
});
