"use strict";

/**
 * The programs in this folder, which do the same with client libraries in several languages.
 *
 * @typedef {object} Program
 * @property {string} language
 * @property {string} library its name and version
 * @property {string} column its heading in the table of docs/clients.md
 * @property {string[]} transports that the library has
 * @property {Record<string, string>} limits what the library cannot do, with any server, by the feature
 * @property {string} [reason] of the library, when the server disconnects it
 * @property {string | false} skip the reason to skip it
 * @property {() => Promise<void>} prepare builds it, or launches a browser
 * @property {(address: { url: string, transport: string, recoveryUrl: string }) =>
 *   Promise<{ feature: string, ok: boolean, note: string }[]>} run
 * @property {() => Promise<void>} end
 */

const { execFile } = require("node:child_process");
const { accessSync, constants, readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const path = require("node:path");
const { promisify, stripVTControlCharacters } = require("node:util");
const { browsers } = require("../support/browsers");
const { interpreter, skipWithoutPython } = require("../support/clients/python.js");
const { listen } = require("../support/tcp-server.js");
const { runProgram } = require("./javascript/program.js");

const TRANSPORTS = ["polling", "websocket", "upgrade"];

/** The features that a program tries, in its order. */
const FEATURES = {
  transport: "the server finds the transport that the client was configured for",
  events: "events both ways: text, numbers, nested values",
  acknowledgements: "the server acknowledges events of the client",
  answers: "the client acknowledges events of the server",
  rooms: "broadcasts to a room, with and without the sender",
  binary: "binary data as an argument, both ways",
  "nested binary": "binary data inside an argument, and in an acknowledgement",
  namespaces: "a second namespace",
  refusal: "a middleware refuses a token, with an error and its data, and admits another",
  "dynamic namespaces": "a namespace that a regular expression allows",
  "1 MiB": "messages of 1 MiB",
  recovery: "connection state recovery: a missed event arrives, and the id stays",
  heartbeats: "six heartbeats without other traffic",
  disconnection: "the server disconnects the client, which reports a reason",
  restart: "the client connects again after the server has ended and started",
};

const isCI = process.env.CI === "true";
const MISSING = "not in this library";

/** In milliseconds: for a first build on a busy machine. Programs wait for 30 s at most themselves. */
const TIMEOUT = 600_000;

const folder = (name) => path.join(__dirname, name);

/** Returns the version in a file, which is the first group of a pattern. */
function versionIn(file, pattern) {
  return pattern.exec(readFileSync(path.join(__dirname, file), "utf8"))[1];
}

/** Returns the version of a package in a lock file of npm. */
function lockedVersion(file, name) {
  const { packages } = JSON.parse(readFileSync(path.join(__dirname, file), "utf8"));
  return packages[`node_modules/${name}`].version;
}

/** @returns {string | false} the reason to skip what needs a program of `PATH` */
function skipWithout(name) {
  if (isCI) return false;
  const directories = (process.env.PATH ?? "").split(path.delimiter);
  return !directories.some((directory) => isExecutable(path.join(directory, name))) && `no ${name}`;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a program to its end. An escape sequence is no output: Maven writes them.
 *
 * @returns {Promise<string>} its output
 */
async function execute(file, args, cwd) {
  const options = { cwd, timeout: TIMEOUT, maxBuffer: 16 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)(file, args, options);
  return stripVTControlCharacters(stdout);
}

/** A program that prints a line for each feature. */
function commandLine({ file, args = [], build, ...details }) {
  let built;
  return {
    limits: {},
    transports: TRANSPORTS,
    prepare: () => {
      built ??= build === undefined ? Promise.resolve() : build();
      return built;
    },
    async run({ url, transport, recoveryUrl }) {
      const output = await execute(file, [...args, url, transport, recoveryUrl], __dirname);
      return output
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
    },
    end: async () => {},
    ...details,
  };
}

const go = commandLine({
  language: "Go",
  library: `zishang520/socket.io/clients/socket ${versionIn("go/go.mod", /clients\/socket\/v3 v(\S+)/)}`,
  column: "Go",
  reason: "io server disconnect",
  // It sends only when no poll is open, so it stalls; with stock servers too.
  transports: ["websocket", "upgrade"],
  skip: skipWithout("go"),
  build: () => execute("go", ["build", "-o", "target/main", "."], folder("go")),
  file: folder("go/target/main"),
});

const java = commandLine({
  language: "Java",
  library: `io.socket:socket.io-client ${versionIn("java/pom.xml", /socket\.io-client<\/artifactId>\s*<version>([^<]+)/)}`,
  column: "Java",
  reason: "io server disconnect",
  limits: { recovery: MISSING },
  skip: skipWithout("mvn"),
  build: () => execute("mvn", ["-B", "-q", "compile"], folder("java")),
  file: "java",
  // The half of the time of a short run is spent on compiling.
  args: ["-XX:TieredStopAtLevel=1", "-cp", "java/target/classes:java/target/lib/*", "Main"],
});

const python = ["sync", "asyncio"].map((kind) =>
  commandLine({
    language: "Python",
    library: `python-socketio ${versionIn("../python/requirements.txt", /python-socketio==(\S+)/)}, ${kind === "sync" ? "without asyncio" : "asyncio"}`,
    column: kind === "sync" ? "Python" : "Python, asyncio",
    reason: "server disconnect",
    limits: { recovery: MISSING },
    skip: skipWithoutPython,
    file: interpreter,
    args: [folder("python/main.py"), kind],
  }),
);

const rust = commandLine({
  language: "Rust",
  library: `rust_socketio ${versionIn("rust/Cargo.toml", /rust_socketio = "=([^"]+)/)}`,
  column: "Rust",
  reason: "no reason",
  // Its pong may overlap with another request, which servers refuse: the half of the runs failed on a
  // busy machine, with stock servers too.
  transports: ["websocket", "upgrade"],
  limits: {
    answers: MISSING,
    binary: "its WebSocket hands no binary event on",
    "nested binary": MISSING,
    recovery: MISSING,
  },
  skip: skipWithout("cargo"),
  build: () => execute("cargo", ["build", "--locked", "--quiet"], folder("rust")),
  file: folder("rust/target/debug/socket-io-turbo-clients"),
});

const LOCK = "../../package-lock.json";
const bun = path.join(__dirname, "../runtimes/node_modules/bun/bin/bun");
const RUNTIMES = [
  { runtime: "Node.js", file: process.execPath, skip: false },
  {
    runtime: "Bun",
    file: bun,
    skip: !isCI && !isExecutable(bun) && "no Bun: npm ci --prefix __test__/runtimes",
  },
];

const javascript = RUNTIMES.flatMap(({ runtime, file, skip }) =>
  [
    { name: "socket.io-client", column: runtime, limits: {} },
    {
      name: "socket.io-client-v2",
      column: `${runtime}, 2.x`,
      limits: { recovery: "not in this version" },
    },
  ].map(({ name, column, limits }) =>
    commandLine({
      language: "JavaScript",
      library: `socket.io-client ${lockedVersion(LOCK, name)} in ${runtime}`,
      column,
      reason: "io server disconnect",
      limits,
      skip,
      file,
      args: [folder("javascript/main.cjs"), name],
    }),
  ),
);

const script = path.join(require.resolve("socket.io-client"), "../../../dist/socket.io.min.js");

/** The files of a page that has the program. */
const PAGE = {
  "/": '<!doctype html><meta charset="utf-8"><script src="client.js"></script><script src="program.js"></script>',
  "/client.js": readFileSync(script),
  "/program.js": String(runProgram),
};

/** In the page: runs the program. */
async function runInPage(address) {
  const lines = [];
  await window.runProgram(window.io, address, (line) => lines.push(line));
  return lines;
}

function inBrowser({ name, skip, launch }) {
  let pages;
  let browser;
  let launched;
  const start = async () => {
    pages = createServer((request, response) => {
      response.setHeader(
        "content-type",
        request.url === "/" ? "text/html" : "text/javascript; charset=utf-8",
      );
      response.end(PAGE[request.url]);
    });
    const { origin } = await listen(pages);
    browser = await launch();
    return origin;
  };
  return {
    language: "JavaScript",
    library: `socket.io-client ${lockedVersion(LOCK, "socket.io-client")} in ${name}`,
    column: name,
    reason: "io server disconnect",
    transports: TRANSPORTS,
    limits: {},
    skip,
    prepare: async () => {
      launched ??= start();
      await launched;
    },
    async run(address) {
      const page = await browser.open(`${await launched}/`);
      const lines = await page.evaluate(runInPage, address);
      await page.close();
      return lines;
    },
    async end() {
      await browser?.close();
      pages?.closeAllConnections();
      pages?.close();
    },
  };
}

/** @type {Program[]} */
const programs = [go, java, ...python, rust, ...javascript, ...browsers.map(inBrowser)];

module.exports = { FEATURES, TRANSPORTS, execute, programs, skipWithout };
