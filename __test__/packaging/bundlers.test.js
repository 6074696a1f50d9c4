"use strict";

/** Bundles of the installed packages, most of them in a folder without node_modules. */

const assert = require("node:assert/strict");
const { copyFileSync, mkdirSync, mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { after, before, describe, test } = require("node:test");
const { currentPlatform, fileOf } = require("../../lib/addon/platform.js");
const { nodeExecutables } = require("../support/node-versions.js");
const bundlers = require("./bundlers.js");
const { run } = require("./command.js");
const { publishPackages } = require("./published.js");
const { skipWithoutTools } = require("./tools.js");

const { OUTSIDE, esbuild, esbuildModule, rollup, webpack } = bundlers;

/** Two clients of a conversation are native. */
const CONVERSATION = { native: true, error: null, opened: 2 };

const packageName = `socket.io-turbo-${currentPlatform()}`;

/** Returns the output of a bundle, or of a stand-in for one. */
async function start(file, { env, executable = process.execPath } = {}) {
  return JSON.parse(await run(executable, [file], { env }));
}

/** Has webpack leave the platforms' packages outside. */
const externals = ({ request }, decide) =>
  OUTSIDE.test(request) ? decide(null, `commonjs ${request}`) : decide();

/** Each makes a bundle of an application in another folder, with the addon or its file's name. */
const COPYING = {
  "esbuild with --loader:.node=copy": (app, to) => esbuild(app, to, ["--loader:.node=copy"]),
  "esbuild with --loader:.node=file": (app, to) =>
    esbuild(app, to, ["--loader:.node=file", "--minify"]),
  "esbuild with --format=esm and a copy": (app, to) =>
    esbuildModule(app, to, ["--loader:.node=copy"]),
  "esbuild with --format=esm and a file's name": (app, to) =>
    esbuildModule(app, to, ["--loader:.node=file"]),
  "webpack with node-loader": (app, to) =>
    webpack(app, to, { module: { rules: [{ test: /\.node$/, loader: "node-loader" }] } }),
  "webpack with an asset": (app, to) =>
    webpack(app, to, { module: { rules: [{ test: /\.node$/, type: "asset/resource" }] } }),
  ncc: bundlers.ncc,
  "@vercel/nft, as Next's standalone output": bundlers.trace,
};

/** Each leaves the platforms' packages outside. */
const LEAVING = {
  "esbuild with --external": (app, to) => esbuild(app, to, ["--external:socket.io-turbo-*"]),
  "webpack with externals": (app, to) => webpack(app, to, { externals: [externals] }),
  "Rollup, as CommonJS": (app, to) => rollup(app, to, "cjs"),
  "Rollup, as an ES module": (app, to) => rollup(app, to, "es"),
};

describe("a bundle", { skip: skipWithoutTools }, () => {
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
  let packages;
  let app;
  let addon;

  before(async () => {
    packages = await publishPackages(directory);
    app = (await packages.install("npm")).directory;
    addon = path.join(app, "node_modules", packageName, fileOf(currentPlatform()));
  });

  after(async () => {
    await packages.stop();
    rmSync(directory, { recursive: true });
  });

  let folders = 0;
  /** A folder without node_modules in it or above it. */
  function elsewhere() {
    const folder = path.join(directory, `bundle-${++folders}`);
    mkdirSync(folder);
    return folder;
  }

  /** A copy of a bundle without the files beside it. */
  function alone(bundle) {
    const copy = path.join(elsewhere(), path.basename(bundle));
    copyFileSync(bundle, copy);
    return copy;
  }

  for (const [name, bundle] of Object.entries(COPYING)) {
    test(`by ${name} has the addon with it`, async () => {
      assert.deepEqual(await start(await bundle(app, elsewhere())), CONVERSATION);
    });
  }

  for (const [name, bundle] of Object.entries(LEAVING)) {
    test(`by ${name} takes the addon from node_modules, or says what to do`, async () => {
      const bundled = await bundle(app, path.join(app, `bundle-${++folders}`));
      assert.deepEqual(await start(bundled), CONVERSATION);
      const file = alone(bundled);
      const { native, error } = await start(file);
      assert.equal(native, false);
      assert.match(
        error,
        /is not installed where the bundle is, .*NAPI_RS_NATIVE_LIBRARY_PATH to its path$/,
      );
      const env = { NAPI_RS_NATIVE_LIBRARY_PATH: addon };
      assert.deepEqual(await start(file, { env }), CONVERSATION);
    });
  }

  for (const loader of ["copy", "file"]) {
    test(`by esbuild with --loader:.node=${loader} says what to do without that file`, async () => {
      const file = alone(await esbuild(app, elsewhere(), [`--loader:.node=${loader}`]));
      const { native, error } = await start(file);
      assert.equal(native, false);
      assert.match(error, loader === "copy" ? /let the bundler copy/ : /Copy the file along with/);
      const env = { NAPI_RS_NATIVE_LIBRARY_PATH: addon };
      assert.deepEqual(await start(file, { env }), CONVERSATION);
    });
  }

  test("by esbuild with another loader says that the addon is not there", async () => {
    const { native, error } = await start(
      await esbuild(app, elsewhere(), ["--loader:.node=dataurl"]),
    );
    assert.equal(native, false);
    assert.match(
      error,
      /a bundler has replaced .* with something that is not the addon\. .*--loader:\.node=copy/,
    );
  });

  // One is made by postject, the other by Node.js itself.
  for (const node of new Set([nodeExecutables().at(0), nodeExecutables().at(-1)])) {
    test(`is a single executable with Node.js ${node.major}, the addon beside it`, async () => {
      const bundle = await esbuild(app, elsewhere(), ["--loader:.node=file"]);
      const executable = await bundlers.singleExecutable(bundle, node);
      assert.deepEqual(JSON.parse(await run(executable, [])), CONVERSATION);
    });
  }

  test("is no single executable that requires the addon, and says what to do", async () => {
    const bundle = await esbuild(app, elsewhere(), ["--loader:.node=copy"]);
    const [node] = nodeExecutables();
    const executable = await bundlers.singleExecutable(bundle, node);
    const { native, error } = JSON.parse(await run(executable, []));
    assert.equal(native, false);
    assert.match(
      error,
      /in a single executable application, require\(\) cannot load addons\. .*=file/,
    );
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: addon };
    assert.deepEqual(JSON.parse(await run(executable, [], { env })), CONVERSATION);
  });
});
