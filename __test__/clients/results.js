"use strict";

/** Runs programs against servers, and renders the table of docs/clients.md. */

const { FEATURES, TRANSPORTS, programs } = require("./programs.js");
const { RECOVERY, startServer } = require("./server.js");

/**
 * Runs a program, which is prepared, with servers of its own.
 *
 * @param {import("./programs.js").Program} program
 * @param {string} transport
 * @param {import("../support/engines.js").Engine} engine
 * @returns {Promise<{ feature: string, ok: boolean, note: string }[]>}
 */
async function resultsOf(program, transport, engine) {
  const servers = await Promise.all([startServer(engine), startServer(engine, RECOVERY)]);
  const [{ url }, { url: recoveryUrl }] = servers;
  try {
    return await program.run({ url, transport, recoveryUrl });
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

/** @returns {object[]} the results that are expected of a program, without its words for failures */
function expectedOf({ limits, reason }) {
  return Object.keys(FEATURES).map((feature) => {
    const ok = limits[feature] === undefined;
    return { feature, ok, ...(feature === "disconnection" && { note: reason }) };
  });
}

/** @returns {object[]} results, without what programs say of the others */
function withoutNotes(results) {
  return results.map(({ feature, ok, note }) => ({
    feature,
    ok,
    ...(feature === "disconnection" && { note }),
  }));
}

/** @returns {string} a cell of the table: the transports by which a feature works */
function cell(works) {
  const letters = TRANSPORTS.filter(works).map((transport) => transport[0].toUpperCase());
  if (letters.length === TRANSPORTS.length) return "✓";
  return letters.join(" ") || "–";
}

/**
 * Renders the tables of docs/clients.md.
 *
 * @param {(program: import("./programs.js").Program, transport: string, feature: string) => boolean}
 *   works
 * @returns {string}
 */
function tables(works) {
  const row = (cells) => `| ${cells.join(" | ")} |`;
  const head = (cells) => [row(cells), row(cells.map(() => "---"))];
  const libraries = programs.map((program) => {
    const name = program.library.replace(/ (\d[^ ,]*)/, " **$1**");
    return row([program.language, name, program.column, program.reason]);
  });
  const features = Object.entries(FEATURES).map(([feature, description]) => {
    const cells = programs.map((program) =>
      cell(
        (transport) => program.transports.includes(transport) && works(program, transport, feature),
      ),
    );
    return row([`**${feature}**: ${description}`, ...cells]);
  });
  return [
    ...head(["language", "library and version", "column below", "reason of a disconnection"]),
    ...libraries,
    "",
    ...head(["feature", ...programs.map(({ column }) => column)]),
    ...features,
  ].join("\n");
}

module.exports = { expectedOf, resultsOf, tables, withoutNotes };
