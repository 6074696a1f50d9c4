"use strict";

/** The clients of examples/clients, as their readers run them. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const path = require("node:path");
const { startExample } = require("../support/examples.js");
const { interpreter, skipWithoutPython } = require("../support/clients/python.js");
const { execute, skipWithout } = require("./programs.js");

const folder = path.join(__dirname, "../../examples/clients");

const CLIENTS = {
  Go: { skip: skipWithout("go"), command: (url) => ["go", "run", ".", url] },
  Java: {
    skip: skipWithout("mvn"),
    command: (url) => ["mvn", "-B", "-q", "compile", "exec:java", `-Dexec.args=${url}`],
  },
  Python: { skip: skipWithoutPython, command: (url) => [interpreter, "hello.py", url] },
  Rust: {
    skip: skipWithout("cargo"),
    // Its dependencies have been built there, for the program in this folder.
    command: (url) => [
      "cargo",
      "run",
      "--locked",
      "--quiet",
      "--target-dir",
      path.join(__dirname, "rust/target"),
      "--",
      url,
    ],
  },
};

describe("a client says hello to Node.js", { concurrency: true }, () => {
  for (const [language, { skip, command }] of Object.entries(CLIENTS)) {
    test(language, { skip }, async (t) => {
      const { url, stop } = await startExample(t, "clients/server.js");
      const [file, ...args] = command(url);
      const output = await execute(file, args, path.join(folder, language.toLowerCase()));
      assert.equal(output.trim(), `Hello ${language}, this is Node.js`);
      assert.equal(await stop(), 0);
    });
  }
});
