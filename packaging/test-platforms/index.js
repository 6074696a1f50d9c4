"use strict";

/**
 * `npm run test:platforms [-- NAME …]`: builds the addon for other platforms than this machine's,
 * and runs the tests with it, as far as a Debian on x64 can. What is missing is installed, as root: packages of
 * Debian, PyPI, npm and crates.io. Without names, all platforms have their turn, and one that
 * fails does not stop the others.
 *
 * `--build` ends before the tests. `--check` compiles without linking: for the names, or for every platform
 * that there is a package for. `--except NAME` leaves one out.
 */

const { parseArgs } = require("node:util");
const { buildPlatform, testPlatform } = require("./platform-test.js");
const { outputOf } = require("./machine.js");
const { check, publishedTargets } = require("./rust.js");

/** @type {Record<string, import("./platform-test.js").Platform>} */
const PLATFORMS = {
  ...require("./linux-musl.js"),
  ...require("./linux-gnu.js"),
  ...require("./windows/index.js"),
  ...require("./macos.js"),
};

/** @returns {{ names: string[], except: string[], mode: "test" | "build" | "check" }} */
function readArguments() {
  const { values, positionals: names } = parseArgs({
    allowPositionals: true,
    options: {
      build: { type: "boolean" },
      check: { type: "boolean" },
      except: { type: "string", multiple: true, default: [] },
    },
  });
  const unknown = [...names, ...values.except].find((name) => !Object.hasOwn(PLATFORMS, name));
  if (unknown !== undefined) {
    throw new Error(`${unknown} is not one of ${Object.keys(PLATFORMS).join(", ")}`);
  }
  const mode = values.check ? "check" : values.build ? "build" : "test";
  return { names, except: values.except, mode };
}

/** @returns {string[]} the targets to compile for */
function targetsOf(names, except) {
  const targets = (some) => some.map((name) => PLATFORMS[name].target);
  if (names.length > 0) return targets(names);
  // The lints compile it.
  const host = /^host: (.*)$/m.exec(outputOf("rustc", ["-vV"]))?.[1];
  return publishedTargets().filter((it) => it !== host && !targets(except).includes(it));
}

/** @returns {[string, () => string][]} what there is to do, which returns a line for the summary */
function steps({ names, except, mode }) {
  if (mode === "check") {
    const targets = targetsOf(names, except);
    const compile = () => {
      check(targets);
      return "compile";
    };
    return [[targets.join(", "), compile]];
  }
  const chosen = names.length > 0 ? names : Object.keys(PLATFORMS);
  const step = mode === "build" ? buildPlatform : testPlatform;
  return chosen
    .filter((name) => !except.includes(name))
    .map((name) => [name, () => step(name, PLATFORMS[name])]);
}

/** @returns {string} what came of a step, in a line; a failure makes the exit code 1 */
function outcome(name, step) {
  console.log(`\n# ${name}`);
  const start = performance.now();
  let text;
  try {
    text = step();
  } catch (error) {
    process.exitCode = 1;
    text = `failed: ${error.message}`;
    console.error(text);
  }
  return `${name}: ${text} (${Math.round((performance.now() - start) / 1000)} s)`;
}

try {
  const outcomes = steps(readArguments()).map(([name, step]) => outcome(name, step));
  console.log(`\n${outcomes.join("\n")}`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
