"use strict";

/** What npm would publish, unpacked and used (`files` in package.json is a whitelist). */

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { mkdirSync, mkdtempSync, rmSync, symlinkSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { test } = require("node:test");

const root = path.join(__dirname, "../..");

/** Packs the package into a new folder. @returns {{ directory: string, files: string[] }} */
function pack(t) {
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const options = ["pack", "--json", "--ignore-scripts", "--pack-destination", directory];
  const output = execFileSync("npm", options, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ filename, files }] = [JSON.parse(output)].flat();
  execFileSync("tar", ["xzf", path.join(directory, filename), "-C", directory]);
  return { directory, files: files.map((file) => file.path) };
}

test("the packed package loads from CommonJS and from an ES module", (t) => {
  const { directory, files } = pack(t);
  const strange = files.filter(
    (file) =>
      !/^(LICENSE|README\.md|package\.json|index\.(js|mjs|d\.ts|d\.mts)|binding\.js)$/.test(file) &&
      !/^lib\/[a-z-]+\.js$/.test(file) &&
      !/^socket-io-turbo\.[a-z0-9-]+\.node$/.test(file),
  );
  assert.deepEqual(strange, []);

  // Dependencies are found in the folders above, as in an application.
  const modules = path.join(directory, "app/node_modules");
  mkdirSync(modules, { recursive: true });
  symlinkSync(path.join(directory, "package"), path.join(modules, "socket.io-turbo"));
  symlinkSync(path.join(root, "node_modules"), path.join(directory, "node_modules"));
  for (const [type, script] of [
    ["commonjs", `const { turbo } = require("socket.io-turbo");`],
    ["module", `import { turbo } from "socket.io-turbo";`],
  ]) {
    const args = [`--input-type=${type}`, "-e", `${script} console.log(turbo.native);`];
    const output = execFileSync(process.execPath, args, {
      cwd: path.join(directory, "app"),
      encoding: "utf8",
    });
    assert.equal(output, "true\n");
  }
});
