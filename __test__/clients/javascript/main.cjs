"use strict";

/**
 * The program in Node.js or Bun: `main.cjs PACKAGE URL TRANSPORT RECOVERY-URL`. It prints one line of
 * JSON for each feature.
 */

const { runProgram } = require("./program.js");

async function main([name, url, transport, recoveryUrl]) {
  const report = (line) => console.log(JSON.stringify(line));
  await runProgram(require(name), { url, transport, recoveryUrl }, report);
  process.exit();
}

main(process.argv.slice(2));
