"use strict";

/** The bundlers that the packages are tested with: each makes one file of an application. */

const { copyFileSync, cpSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { run } = require("./command.js");

const tools = path.join(__dirname, "node_modules");

/** Defines `require()` in a bundle that is an ES module, for the CommonJS modules in it. */
const REQUIRE =
  "--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Our platforms' packages, which bundlers may leave outside. */
const OUTSIDE = /^socket\.io-turbo-/;

/** Runs a tool. */
const start = (file, args, cwd) =>
  run(process.execPath, [path.join(tools, file), ...args], { cwd });

/**
 * @param {string} app the folder of the application
 * @param {string} output the folder of the bundle
 * @param {string[]} options
 * @returns {Promise<string>} the bundle
 */
async function esbuild(app, output, options) {
  const args = ["chat.cjs", "--bundle", "--platform=node", `--outdir=${output}`, ...options];
  await start("esbuild/bin/esbuild", [...args, "--log-level=error"], app);
  return path.join(output, "chat.js");
}

/** As {@link esbuild}, with an ES module as the result. */
async function esbuildModule(app, output, options) {
  const args = ["--format=esm", "--out-extension:.js=.mjs", REQUIRE, ...options];
  const bundle = await esbuild(app, output, args);
  return bundle.replace(/js$/, "mjs");
}

/**
 * @param {string} app the folder of the application
 * @param {string} output the folder of the bundle
 * @param {object} options of webpack
 * @returns {Promise<string>} the bundle
 * @throws {Error} with webpack's report
 */
async function webpack(app, output, options) {
  const compiler = require("webpack")({
    mode: "production",
    optimization: { minimize: false },
    target: "node",
    context: app,
    entry: "./chat.cjs",
    output: { path: output, filename: "chat.js" },
    resolveLoader: { modules: [tools] },
    ...options,
  });
  const stats = await new Promise((resolve, reject) => {
    compiler.run((error, result) => (error === null ? resolve(result) : reject(error)));
  });
  if (stats.hasErrors()) throw new Error(stats.toString({ colors: false }));
  return path.join(output, "chat.js");
}

/**
 * @param {string} app the folder of the application
 * @param {string} output the folder of the bundle
 * @param {"cjs" | "es"} format
 * @returns {Promise<string>} the bundle, which leaves the platforms' packages outside
 */
async function rollup(app, output, format) {
  const name = format === "es" ? "chat.mjs" : "chat.cjs";
  const plugins = ["commonjs", "json", "node-resolve"].map((plugin) => {
    const { default: make } = require(`@rollup/plugin-${plugin}`);
    return make(plugin === "node-resolve" ? { exportConditions: ["node"] } : {});
  });
  const input = path.join(app, name);
  const bundle = await require("rollup").rollup({ input, plugins, external: OUTSIDE, onwarn() {} });
  const file = path.join(output, name);
  await bundle.write({ file, format, inlineDynamicImports: true });
  return file;
}

/**
 * @param {string} app the folder of the application
 * @param {string} output the folder of the bundle
 * @returns {Promise<string>} the bundle
 */
async function ncc(app, output) {
  await start("@vercel/ncc/dist/ncc/cli.js", ["build", "chat.cjs", "-q", "-o", output], app);
  return path.join(output, "index.cjs");
}

/**
 * Copies the files that are traced, as Next's standalone output and serverless platforms do.
 *
 * @param {string} app the folder of the application
 * @param {string} output the folder of the copies
 * @returns {Promise<string>} the copy of the application's file
 */
async function trace(app, output) {
  const { nodeFileTrace } = require("@vercel/nft");
  const { fileList } = await nodeFileTrace([path.join(app, "chat.cjs")], { base: app });
  for (const file of fileList) cpSync(path.join(app, file), path.join(output, file));
  return path.join(output, "chat.cjs");
}

/**
 * Makes a single executable of a bundle, beside it.
 *
 * @param {string} bundle
 * @param {{ major: number, executable: string }} node the Node.js that is part of it
 * @returns {Promise<string>} the executable
 */
async function singleExecutable(bundle, { major, executable }) {
  const folder = path.dirname(bundle);
  const config = path.join(folder, "sea.json");
  const output = path.join(folder, `chat-${major}`);
  const write = (result) => {
    const settings = { main: bundle, output: result, disableExperimentalSEAWarning: true };
    writeFileSync(config, JSON.stringify(settings));
  };
  // Node.js 25.5 and later make it in one step.
  if (major >= 26) {
    write(output);
    await run(executable, ["--build-sea", config]);
    return output;
  }
  const blob = path.join(folder, "sea.blob");
  write(blob);
  await run(executable, ["--experimental-sea-config", config]);
  copyFileSync(executable, output);
  const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
  await start("postject/dist/cli.js", [output, "NODE_SEA_BLOB", blob, "--sentinel-fuse", fuse]);
  return output;
}

module.exports = {
  OUTSIDE,
  esbuild,
  esbuildModule,
  ncc,
  rollup,
  singleExecutable,
  trace,
  webpack,
};
