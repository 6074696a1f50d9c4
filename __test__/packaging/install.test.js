"use strict";

/**
 * Installation as users do it: the packed packages, from a registry, in an empty folder, without a compiler and
 * without scripts.
 */

const assert = require("node:assert/strict");
const { cpSync, mkdtempSync, readdirSync, rmSync } = require("node:fs");
const { symlinkSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { after, before, describe, test } = require("node:test");
const { currentPlatform } = require("../../lib/addon/platform.js");
const { nodeExecutables } = require("../support/node-versions.js");
const { run } = require("./command.js");
const { publishPackages } = require("./published.js");
const { skipWithoutTools } = require("./tools.js");

const root = path.join(__dirname, "../..");

/** Two clients of a conversation, and one addon for both. */
const CONVERSATION = { native: true, error: null, opened: 2 };

describe("from a registry", { skip: skipWithoutTools }, () => {
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
  let packages;

  before(async () => {
    packages = await publishPackages(directory);
  });

  after(async () => {
    await packages.stop();
    rmSync(directory, { recursive: true });
  });

  for (const [key, name] of [
    ["pnpm", "pnpm"],
    ["yarn1", "Yarn 1"],
    ["yarn4", "Yarn 4 with Plug'n'Play"],
  ]) {
    test(`${name} installs it, for CommonJS and ES modules`, async () => {
      const app = await packages.install(key);
      assert.deepEqual(await app.start("chat.cjs"), [CONVERSATION]);
      assert.deepEqual(await app.start("chat.mjs"), [CONVERSATION]);
    });
  }

  describe("npm 11", () => {
    let app;

    before(async () => {
      app = await packages.install("npm");
      const tsc = path.join(root, "node_modules/typescript/bin/tsc");
      await run(process.execPath, [tsc, "-p", app.directory]);
    });

    test("installs the addon of this platform and no other", () => {
      const ours = readdirSync(path.join(app.directory, "node_modules")).filter((name) =>
        name.startsWith("socket.io-turbo"),
      );
      assert.deepEqual(ours.sort(), ["socket.io-turbo", `socket.io-turbo-${currentPlatform()}`]);
    });

    test("leaves nothing to build: no compiler is in reach", async () => {
      await assert.rejects(app.start("-e", { args: ["process.exit(1)"] }));
      const [found] = await app.start("-e", { args: [COMPILERS] });
      assert.deepEqual(found, { cargo: "ENOENT", cc: "ENOENT", python3: "ENOENT" });
    });

    for (const { major, executable } of nodeExecutables()) {
      for (const [form, file] of [
        ["CommonJS", "chat.cjs"],
        ["an ES module", "chat.mjs"],
        ["TypeScript", "chat.js"],
      ]) {
        test(`runs a server and clients from ${form} under Node.js ${major}`, async () => {
          assert.deepEqual(await app.start(file, { executable }), [CONVERSATION]);
        });
      }

      test(`runs with hardened intrinsics where Socket.IO does, under Node.js ${major}`, async () => {
        const env = {
          NODE_OPTIONS:
            "--disable-proto=delete --frozen-intrinsics --disable-warning=ExperimentalWarning",
        };
        const stock = await app.start("stock.cjs", { executable, env });
        assert.deepEqual(stock, [{ native: false, error: null, opened: 0 }]);
        assert.deepEqual(await app.start("chat.cjs", { executable, env }), [CONVERSATION]);
      });
    }

    test("falls back with TURBO_NATIVE=0", async () => {
      const [{ native, opened }] = await app.start("chat.mjs", { env: { TURBO_NATIVE: "0" } });
      assert.deepEqual({ native, opened }, { native: false, opened: 0 });
    });

    test("runs in worker threads that are terminated at random", async () => {
      useFixtures(app.directory);
      const file = "__test__/fixtures/terminated-workers.js";
      const [{ seed }, { before, after }] = await app.start(file, { args: ["turbo", "10"] });
      assert.ok(after <= before, `${before} descriptors became ${after}, SEED=${seed}`);
    });

    test("runs in a cluster with sticky sessions", async () => {
      assert.deepEqual(await app.start("sticky-cluster.cjs"), [{ workers: 2, opened: 6 }]);
    });

    test("runs three times in one process, with two addons", async () => {
      copyPackages(app.directory, "with-addon", /^socket\.io-turbo/);
      copyPackages(app.directory, "without-addon", /^socket\.io-turbo$/);
      assert.deepEqual(await app.start("copies.cjs"), [CONVERSATION, CONVERSATION, CONVERSATION]);
    });
  });
});

/** Says what becomes of starting each. */
const COMPILERS = `
  const { spawnSync } = require("node:child_process");
  const start = (name) => [name, spawnSync(name, ["--version"]).error?.code ?? "is there"];
  console.log(JSON.stringify(Object.fromEntries(["cargo", "cc", "python3"].map(start))));
`;

/** Lets the fixtures of the other tests find the installed package where the sources are else. */
function useFixtures(directory) {
  for (const folder of ["fixtures", "support"]) {
    cpSync(path.join(root, "__test__", folder), path.join(directory, "__test__", folder), {
      recursive: true,
    });
  }
  writeFileSync(path.join(directory, "index.js"), 'module.exports = require("socket.io-turbo");');
  symlinkSync(
    path.join(directory, "node_modules/socket.io-turbo/lib"),
    path.join(directory, "lib"),
  );
}

/** Copies those of the installed packages whose names match into a folder of the application. */
function copyPackages(directory, folder, names) {
  const source = path.join(directory, "node_modules");
  for (const name of readdirSync(source).filter((name) => names.test(name))) {
    cpSync(path.join(source, name), path.join(directory, folder, "node_modules", name), {
      recursive: true,
    });
  }
}
