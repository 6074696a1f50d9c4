"use strict";

/** Loads the addon, and falls back to the official packages without it. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { describe, test } = require("node:test");
const turbo = require("../..");
const { currentPlatform, fileOf } = require("../../lib/addon/platform.js");

const root = path.join(__dirname, "../..");
const platform = currentPlatform();
const name = `socket.io-turbo-${platform}`;
const file = fileOf(platform);

/** A script that reports what a fresh process finds in the package. */
const REPORT = `
  const { native, nativeError, parser, turbo } = require(process.argv[1]);
  const isOfficial = parser.Encoder === require("socket.io-parser").Encoder;
  const decoded = [];
  for (const options of [{}, { maxAttachments: 1 }]) {
    const { Encoder, Decoder } = turbo(options).parser;
    const decoder = new Decoder();
    decoder.on("decoded", ({ data }) => decoded.push(data));
    const packet = { type: 2, nsp: "/", data: ["e", Buffer.of(1)] };
    for (const message of new Encoder().encode(packet)) decoder.add(message);
  }
  const error = nativeError && { message: nativeError.message, code: nativeError.code };
  console.log(JSON.stringify({ native, error, isOfficial, decoded }));
`;

/** A script that serves one client. */
const CONVERSATION = `
  const { Server } = require("socket.io");
  const { io: connect } = require("socket.io-client");
  const { turbo } = require(process.argv[1]);
  const io = new Server(0, turbo());
  io.on("connection", (socket) => socket.on("text", (text) => io.emit("text", text)));
  const { port } = io.httpServer.address();
  const client = connect("http://127.0.0.1:" + port, { transports: ["websocket"] });
  client.emit("text", "x".repeat(5_000));
  client.on("text", (text) => {
    client.disconnect();
    io.close();
    console.log(
      JSON.stringify({
        native: turbo.native,
        isOfficialParser: turbo.parser === require("socket.io-parser"),
        isOfficialAdapter: io.of("/").adapter.constructor === require("socket.io-adapter").Adapter,
        connections: turbo.stats().connections,
      }),
    );
  });
`;

/**
 * Runs a script in the package.
 *
 * @param {string} directory the package
 * @param {{ env?: object, execArgv?: string[], prelude?: string, script?: string }} [options]
 *   `prelude`: code that runs first
 */
function run(directory, { env = {}, execArgv = [], prelude = "", script = REPORT } = {}) {
  return spawnSync(process.execPath, [...execArgv, "-e", prelude + script, directory], {
    cwd: directory,
    env: { ...process.env, TURBO_NATIVE: undefined, ...env },
    encoding: "utf8",
  });
}

function report(directory, options) {
  const { stdout, stderr, status } = run(directory, options);
  assert.equal(status, 0, stderr);
  return { ...JSON.parse(stdout), warnings: stderr };
}

/** Creates a folder with the package as it is installed, without any addon, for one test. */
function installed(t) {
  const directory = fs.mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const main = path.join(directory, "main");
  for (const entry of ["package.json", "index.js", "lib"]) {
    fs.cpSync(path.join(root, entry), path.join(main, entry), { recursive: true });
  }
  fs.symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"), "junction");
  return main;
}

/** Adds a package where the main one looks for packages. @returns {string} its folder */
function add(main, packageName, manifest) {
  const directory = path.join(main, "node_modules", packageName);
  fs.mkdirSync(directory, { recursive: true });
  fs.writeFileSync(path.join(directory, "package.json"), JSON.stringify(manifest));
  return directory;
}

/** Adds the package of this platform, with this addon. */
function addPlatform(main, addon) {
  const directory = add(main, name, require(`../../npm/${platform}/package.json`));
  if (addon !== undefined) fs.writeFileSync(path.join(directory, file), addon);
  return directory;
}

function builtAddon() {
  return fs.readFileSync(path.join(root, file));
}

/** Returns the addon with some of its text replaced by another, which is not longer. */
function patchedAddon(replacements) {
  const addon = builtAddon();
  for (const [from, to] of Object.entries(replacements)) {
    assert.ok(addon.includes(from), from);
    const replacement = Buffer.alloc(from.length);
    replacement.write(to);
    for (let at = addon.indexOf(from); at !== -1; at = addon.indexOf(from, at + 1)) {
      replacement.copy(addon, at);
    }
  }
  return addon;
}

const event = { type: "Buffer", data: [1] };
const decoded = [
  ["e", event],
  ["e", event],
];

/** Asserts that all works with the official packages, with one warning that has the reason. */
function fallsBack(main, expected, options) {
  const { warnings, error, ...rest } = report(main, options);
  assert.deepEqual(rest, { native: false, isOfficial: true, decoded });
  assert.equal(error.code, "TURBO_ERR_NOT_NATIVE");
  assert.match(error.message, expected);
  assert.match(error.message, /^the native addon is not loaded: [^\n]+$/);
  assert.equal(warnings.match(/SocketIoTurboWarning/g).length, 1);
  const warning =
    "[TURBO_NOT_NATIVE] SocketIoTurboWarning: the official packages are used and nothing is " +
    `accelerated, because ${error.message}`;
  assert.ok(warnings.includes(warning), warnings);
}

/** Code that makes a process believe that it runs on another platform. */
const pretend = (values) =>
  Object.entries(values)
    .map(([key, value]) => `Object.defineProperty(process, "${key}", { value: "${value}" });`)
    .join("");

describe("the addon", { skip: process.env.TURBO_NATIVE === "0" && "TURBO_NATIVE=0" }, () => {
  test("is loaded", () => {
    assert.equal(turbo.nativeError, null);
    assert.equal(turbo.native, true);
  });

  test("warns of nothing in a clone of the repository", () => {
    const expected = { native: true, error: null, isOfficial: false, decoded, warnings: "" };
    assert.deepEqual(report(root), expected);
  });

  test("warns of nothing when it is loaded from the platform's package", (t) => {
    const main = installed(t);
    addPlatform(main, builtAddon());
    const expected = { native: true, error: null, isOfficial: false, decoded, warnings: "" };
    for (const setting of [undefined, "", "require"]) {
      assert.deepEqual(report(main, { env: { TURBO_NATIVE: setting } }), expected);
    }
  });
});

/** Makes the platform's package export another value than the addon, as bundlers do. */
function replaceAddon(main, code) {
  const directory = addPlatform(main);
  fs.writeFileSync(path.join(directory, "replaced.js"), `module.exports = ${code};`);
  fs.writeFileSync(path.join(directory, "package.json"), JSON.stringify({ main: "replaced.js" }));
}

describe("in a bundle", { skip: process.env.TURBO_NATIVE === "0" && "TURBO_NATIVE=0" }, () => {
  for (const [what, code] of [
    ["its name", '"./addon-1A2B.node"'],
    ["its name as that of an ES module", '{ __esModule: true, default: "./addon-1A2B.node" }'],
    ["its path", "__filename.replace(/node_modules.*/, 'lib/addon/addon-1A2B.node')"],
  ]) {
    test(`the file is loaded where ${what} is exported in place of the addon`, (t) => {
      const main = installed(t);
      replaceAddon(main, code);
      fs.writeFileSync(path.join(main, "lib/addon/addon-1A2B.node"), builtAddon());
      const expected = { native: true, error: null, isOfficial: false, decoded, warnings: "" };
      assert.deepEqual(report(main), expected);
    });
  }

  test("the addon of a clone is found above the folder of the bundle", (t) => {
    const main = installed(t);
    const bundle = JSON.stringify(path.join(main, "dist/server.js"));
    const location = `module.exports = { isBundled: true, ownFile: ${bundle} };`;
    fs.writeFileSync(path.join(main, "lib/addon/location.js"), location);
    fs.writeFileSync(path.join(main, file), builtAddon());
    const expected = { native: true, error: null, isOfficial: false, decoded, warnings: "" };
    assert.deepEqual(report(main), expected);
  });

  test("a message asks to copy a file that is named and missing", (t) => {
    const main = installed(t);
    replaceAddon(main, '"./addon-1A2B.node"');
    fallsBack(main, /addon.addon-1A2B\.node, by which the bundler has replaced .*Copy the file/);
  });

  for (const code of ["{}", "null", '"data:application/octet-stream;base64,f0VMRg"']) {
    test(`${code} in the place of the addon is no reason to install again`, (t) => {
      const main = installed(t);
      replaceAddon(main, code);
      fallsBack(
        main,
        new RegExp(`: a bundler has replaced ${name} with something that is not the addon\\. Let`),
      );
    });
  }
});

describe("NAPI_RS_NATIVE_LIBRARY_PATH", { skip: process.env.TURBO_NATIVE === "0" }, () => {
  const expected = { native: true, error: null, isOfficial: false, decoded, warnings: "" };

  /** Writes a file that the variable then names, relative to the working directory of `run()`. */
  function named(main, addon) {
    fs.writeFileSync(path.join(main, "named.node"), addon);
    return { env: { NAPI_RS_NATIVE_LIBRARY_PATH: "named.node" } };
  }

  test("names the file where no other is found", (t) => {
    const main = installed(t);
    assert.deepEqual(report(main, named(main, builtAddon())), expected);
    addPlatform(main, "not an addon");
    assert.deepEqual(report(main, named(main, builtAddon())), expected);
  });

  test("may name the addon of another package: ours is loaded first", (t) => {
    const main = installed(t);
    addPlatform(main, builtAddon());
    assert.deepEqual(report(main, named(main, "another addon")), expected);
  });

  test("reports both reasons if it does not help", (t) => {
    const main = installed(t);
    fallsBack(
      main,
      /: the optional dependency .*named\.node, which NAPI_RS_NATIVE_LIBRARY_PATH names, cannot be loaded either: .*named\.node/,
      named(main, "not an addon"),
    );
  });

  test("does not help if it names an addon of another version", (t) => {
    const main = installed(t);
    const manifest = { ...require("../../package.json"), version: "99.0.0" };
    fs.writeFileSync(path.join(main, "package.json"), JSON.stringify(manifest));
    fallsBack(
      main,
      /cannot be loaded either: the addon for .* has version /,
      named(main, builtAddon()),
    );
  });
});

describe("an addon without the engine, as on Windows,", () => {
  const skip = process.env.TURBO_NATIVE === "0" && "TURBO_NATIVE=0";

  test("serves the parser, and leaves connections to ws, visibly", { skip }, (t) => {
    const main = installed(t);
    const directory = addPlatform(main);
    fs.writeFileSync(
      path.join(directory, file.replace(/\.node$/, ".js")),
      `const { quote, version } = require(${JSON.stringify(path.join(root, file))});
       module.exports = { quote, version };`,
    );
    const manifest = { main: file.replace(/\.node$/, ".js") };
    fs.writeFileSync(path.join(directory, "package.json"), JSON.stringify(manifest));
    const { status, stdout, stderr } = run(main, { script: CONVERSATION });
    assert.equal(status, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), {
      native: true,
      isOfficialParser: false,
      isOfficialAdapter: true,
      connections: { native: 0, handshakes: 1, opened: 0, fallback: { platform: 1 }, ended: {} },
    });
    assert.equal(stderr.match(/SocketIoTurboWarning/g).length, 1);
    assert.match(
      stderr,
      /\[TURBO_FALLBACK\] SocketIoTurboWarning: .*: the addon serves connections on Linux and macOS only/,
    );
  });
});

describe("a message names the missing part and the remedy", () => {
  test("where the optional dependency is not installed", (t) => {
    const main = installed(t);
    const folders = path.join(main, "../node_modules").replaceAll("\\", "\\\\");
    fallsBack(
      main,
      new RegExp(
        `: the optional dependency ${name} is not installed\\. Looked for version ${turbo.version} of it ` +
          `in [^"]*${folders}.*\\. "npm view ${name}@${turbo.version}" tells whether your registry has it.*` +
          "--omit=optional.*lock file",
      ),
    );
  });

  test("where the dependency for another platform is installed", (t) => {
    const main = installed(t);
    const other = platform === "darwin-x64" ? "darwin-arm64" : "darwin-x64";
    add(main, `socket.io-turbo-${other}`, {});
    fallsBack(
      main,
      new RegExp(`only the one for ${other}: node_modules was installed on or for another`),
    );
  });

  test("where there is no addon for the platform", (t) => {
    fallsBack(installed(t), /: there is no prebuilt addon for sunos-x64, only for darwin-arm64, /, {
      prelude: pretend({ platform: "sunos", arch: "x64" }),
    });
  });

  test("with musl and on Windows, whose packages have names of their own", (t) => {
    const main = installed(t);
    const detectLibc = add(main, "detect-libc", { main: "index.js" });
    fs.writeFileSync(
      path.join(detectLibc, "index.js"),
      'module.exports = { MUSL: "musl", familySync: () => "musl", versionSync: () => "1.2.5" };',
    );
    for (const [values, expected] of [
      [{ platform: "linux", arch: "arm64" }, "linux-arm64-musl"],
      [{ platform: "win32", arch: "x64" }, "win32-x64-msvc"],
    ]) {
      const message = new RegExp(`dependency socket\\.io-turbo-${expected} is not installed\\.`);
      fallsBack(main, message, { prelude: pretend(values) });
    }
  });

  test("where the package has lost its file", (t) => {
    const main = installed(t);
    addPlatform(main);
    fallsBack(main, new RegExp(`: ${name} is installed, but its addon file is missing\\. Remove`));
  });

  for (const [what, addon] of [
    ["no addon", () => "not an addon at all, but some text that is long enough for a header"],
    ["empty", () => ""],
    ["cut off in its header", () => builtAddon().subarray(0, 40)],
  ]) {
    test(`where the file is ${what}`, (t) => {
      const main = installed(t);
      addPlatform(main, addon());
      fallsBack(
        main,
        new RegExp(
          `: the addon file of ${name} is damaged or was built for another platform\\. Rem`,
        ),
      );
    });
  }

  for (const [where, text] of [
    ["Windows", "$ is not a valid Win32 application."],
    ["Windows in German", "$ ist keine zulässige Win32-Anwendung."],
    ["Wine", "Bad EXE format for $."],
  ]) {
    test(`where the file is damaged, in one line and with its path once, on ${where}`, (t) => {
      const main = installed(t);
      addPlatform(main, "");
      const windowsPath = `\\\\?\\C:\\app\\${name}\\${file}`;
      const message = `${text.replace("$", windowsPath)}\r\n${windowsPath}`;
      const { error } = report(main, {
        prelude: `require("node:module")._extensions[".node"] = () => {
          throw Object.assign(new Error(${JSON.stringify(message)}), { code: "ERR_DLOPEN_FAILED" });
        };`,
      });
      assert.equal(
        error.message,
        `the native addon is not loaded: the addon file of ${name} is damaged or was built for another platform. ` +
          `Remove node_modules and install again: ${text.replace("$", windowsPath)}`,
      );
    });
  }

  test("where Windows does not name the file", (t) => {
    const main = installed(t);
    addPlatform(main, "");
    fallsBack(
      main,
      / could not be loaded: The specified module could not be found\. C:\\app\\x\.node$/,
      {
        prelude: `require("node:module")._extensions[".node"] = () => {
        throw new Error("The specified module could not be found.\\r\\nC:\\\\app\\\\x.node");
      };`,
      },
    );
  });

  test("where the file in a clone of the repository is damaged", (t) => {
    const main = installed(t);
    fs.writeFileSync(path.join(main, file), "not an addon");
    fallsBack(main, /is damaged or was built for another platform/);
  });

  test("where the addon is of another version", (t) => {
    const main = installed(t);
    addPlatform(main, builtAddon());
    const manifest = { ...require("../../package.json"), version: "99.0.0" };
    fs.writeFileSync(path.join(main, "package.json"), JSON.stringify(manifest));
    const found = turbo.version.replaceAll(".", "\\.");
    fallsBack(
      main,
      new RegExp(
        `: the addon for ${platform} has version ${found}, but socket\\.io-turbo has version 99\\.0\\.0; both must be the same\\. Remove node_modules`,
      ),
    );
  });

  test("where addons are forbidden", (t) => {
    const main = installed(t);
    addPlatform(main, builtAddon());
    fallsBack(main, /disabled\. Start Node\.js without --no-addons, or with --allow-addons/, {
      execArgv: ["--no-addons"],
    });
  });

  const skip = !platform.endsWith("-gnu") && "no glibc";

  test("where glibc is too old", { skip }, (t) => {
    const main = installed(t);
    // Of x64, and the oldest of arm64.
    const version = ["GLIBC_2.14", "GLIBC_2.17"].find((text) => builtAddon().includes(text));
    addPlatform(main, patchedAddon({ [version]: "GLIBC_9.99" }));
    fallsBack(
      main,
      new RegExp(`: ${name} needs GLIBC 9\\.99, but this system has 2\\.\\d+\\. Use`),
    );
  });

  test("where the C library is another", { skip }, (t) => {
    const main = installed(t);
    addPlatform(main, patchedAddon({ "libc.so.6": "libc.so" }));
    fallsBack(main, new RegExp(`: ${name} was built for another C library \\(glibc or musl\\)`));
  });
});

describe("TURBO_NATIVE", () => {
  test("=0 does not load the addon, without a warning", () => {
    const { warnings, error, ...rest } = report(root, { env: { TURBO_NATIVE: "0" } });
    assert.deepEqual(rest, { native: false, isOfficial: true, decoded });
    assert.deepEqual(error, {
      message: "the native addon is not loaded: it is switched off by TURBO_NATIVE=0",
      code: "TURBO_ERR_NOT_NATIVE",
    });
    assert.equal(warnings, "");
  });

  test("=require throws where the addon is missing, instead of falling back", (t) => {
    const { status, stdout, stderr } = run(installed(t), { env: { TURBO_NATIVE: "require" } });
    assert.equal(status, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /Error: the native addon is not loaded: the optional dependency /);
    assert.match(stderr, /code: 'TURBO_ERR_NOT_NATIVE'/);
  });

  for (const setting of ["1", "true", "required"]) {
    test(`=${setting} is refused`, () => {
      const { status, stderr } = run(root, { env: { TURBO_NATIVE: setting } });
      assert.equal(status, 1);
      assert.match(
        stderr,
        new RegExp(
          `TypeError: the environment variable TURBO_NATIVE must be "0", "require" or unset, got "${setting}"`,
        ),
      );
      assert.match(stderr, /code: 'TURBO_ERR_INVALID_OPTION'/);
    });
  }
});
