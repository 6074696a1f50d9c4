"use strict";

/**
 * Which tests run on which platform, which are left out, and why.
 *
 * `node packaging/test-platforms/tests.js [QEMU | Wine]` prints the files of those that run.
 */

const { filesIn, testFiles } = require("../../__test__/support/test-files.js");

/** @typedef {Record<string, string>} LeftOut files and folders in `__test__/`, and the reason */

/** @type {LeftOut} what does not depend on the platform, or exists for this machine's only */
const EVERYWHERE = {
  bench: "compares servers, by load clients that are compiled for this machine",
  gallery: "plays pages of an example, which do not depend on the platform",
  clients: "has toolchains and browsers of this machine",
  "conformance/cluster-codec.test.js": "asks a program in Rust that is compiled for this machine",
  "conformance/engine-session.test.js": "asks a program in Rust that is compiled for this machine",
  "conformance/rust-codec.test.js": "asks a program in Rust that is compiled for this machine",
  "declarations.test.js": "reads files",
  "documentation.test.js": "reads files",
  "idioms/test-runners.test.js": "Jest and Vitest are installed with addons for this machine",
  model: "plays random programs, which do not depend on the platform",
  packaging: "installs the packages that are for this machine",
  runtimes: "Bun and Deno are those for this machine",
};

const MINUTES = "takes minutes by emulation";
const DEADLINES = "has deadlines that an emulated processor may miss";
const NOT_THE_PROCESSOR = "does not depend on the processor: linux-x64-musl runs it";

/** @type {LeftOut} */
const UNDER_QEMU = {
  "conformance/parser-differential.test.js": MINUTES,
  "conformance/upgrade-attacks.test.js": DEADLINES,
  "conformance/websocket-attacks.test.js": DEADLINES,
  "conformance/websocket-closing.test.js": NOT_THE_PROCESSOR,
  "conformance/websocket-differential.test.js": MINUTES,
  "conformance/websocket-handshake.test.js": NOT_THE_PROCESSOR,
  "conformance/websocket-limits.test.js": MINUTES,
  idioms: NOT_THE_PROCESSOR,
  "integration/admin-ui.test.js": DEADLINES,
  "integration/engine-clients.test.js": DEADLINES,
  "integration/engine-leak.test.js": MINUTES,
  "integration/engine-lifetime.test.js": DEADLINES,
  "integration/examples.test.js": NOT_THE_PROCESSOR,
  "integration/idle-memory.test.js": "measures memory, of which QEMU takes a part",
  "integration/slow-clients.test.js": DEADLINES,
  redis: DEADLINES,
  "server/attacks-heads.test.js": NOT_THE_PROCESSOR,
  "server/attacks-resources.test.js": DEADLINES,
  "server/attacks-slow.test.js": DEADLINES,
  "server/attacks-states.test.js": DEADLINES,
  "server/frameworks.test.js": NOT_THE_PROCESSOR,
  "server/generated-requests.test.js": MINUTES,
  "server/tls-browser.test.js": "has a browser of this machine",
};

const NO_ENGINE = "judges the engine, which the addon does not have on Windows";

/** @type {LeftOut} */
const UNDER_WINE = {
  conformance: `${NO_ENGINE}; that of the parser ${MINUTES}`,
  "engine/websocket-endings.test.js": NO_ENGINE,
  "engine/websocket-receiving.test.js": NO_ENGINE,
  "engine/websocket-sending.test.js": NO_ENGINE,
  "engine/websocket-server.test.js": NO_ENGINE,
  idioms: "does not depend on the system: linux-x64-musl runs it",
  "integration/admin-ui.test.js": "has a browser of this machine",
  "integration/engine-clients.test.js": NO_ENGINE,
  "integration/engine-leak.test.js": NO_ENGINE,
  "integration/engine-lifetime.test.js": NO_ENGINE,
  "integration/examples.test.js": "ends processes by signals, which Windows does not have",
  "integration/slow-clients.test.js": NO_ENGINE,
  redis: "the addon does not reach Redis on Windows",
  "server/frameworks.test.js": "does not depend on the system: linux-x64-musl runs it",
  "server/heartbeat-listeners.test.js": NO_ENGINE,
  "server/polling.test.js": NO_ENGINE,
  "server/polling-details.test.js": NO_ENGINE,
  "server/polling-upgrade.test.js": NO_ENGINE,
  "server/tls-browser.test.js": "has a browser of this machine",
};

/** By what the tests are run. */
const LEFT_OUT = {
  nothing: EVERYWHERE,
  QEMU: { ...EVERYWHERE, ...UNDER_QEMU },
  Wine: { ...EVERYWHERE, ...UNDER_WINE },
};

/**
 * @param {"QEMU" | "Wine"} [emulator] without it the processor and the system run the tests
 * @returns {LeftOut}
 */
function leftOut(emulator = "nothing") {
  const found = LEFT_OUT[emulator];
  if (found === undefined) throw new Error(`no tests are chosen for ${emulator}`);
  return found;
}

/**
 * @param {"QEMU" | "Wine"} [emulator]
 * @returns {string[]} the test files that run, relative to the root
 * @throws {Error} if something is left out that does not exist
 */
function testsToRun(emulator) {
  const files = testFiles();
  const names = Object.keys(leftOut(emulator));
  const missing = names.filter((name) => filesIn([name], files).length === 0);
  if (missing.length > 0) throw new Error(`there is no test ${missing.join(", ")} to leave out`);
  const without = filesIn(names, files);
  return files.filter((file) => !without.includes(file));
}

if (require.main === module) console.log(testsToRun(process.argv[2]).join("\n"));

module.exports = { leftOut, testsToRun };
