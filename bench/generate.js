"use strict";

/**
 * `npm run load -- [URL] [OPTIONS]`: the load generator, which is a part of bench/load. Builds it when it
 * is first needed, and runs it on this terminal. See docs/load.md.
 */

const { spawn } = require("node:child_process");
const { build } = require("./processes/load-process.js");

/** Runs the generator until it ends. */
function run(args) {
  const generator = spawn(build(), ["live", ...args], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both. The generator ends with a summary, and this process after it.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => generator.kill("SIGTERM"));
  generator.on("error", (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
  generator.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}

try {
  run(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
