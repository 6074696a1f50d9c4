"use strict";

/** The contents of the packages that are published. */

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { after, test } = require("node:test");
const { parseTriple } = require("@napi-rs/cli");
const { platforms, root } = require("../../packaging/platforms.js");
const { packMain, packPlatform } = require("../../packaging/tarballs.js");
const { skipWithoutCargo } = require("../support/cargo.js");
const { skipWithoutTools } = require("./tools.js");

const own = require("../../package.json");

/** Bytes that the main package may have. */
const MAX_SIZE = 200 * 1024;

/** @returns {{ files: string[], manifest: object }} what is in a tarball */
function unpacked(tarball) {
  const tar = (...args) => execFileSync("tar", args, { encoding: "utf8" });
  const files = tar("tzf", tarball).trim().split("\n");
  return {
    files: files.map((file) => file.replace(/^package\//, "")).sort(),
    manifest: JSON.parse(tar("xzOf", tarball, "package/package.json")),
  };
}

/** As GitHub tells its workflows where they are. */
function repository(name, server) {
  return { GITHUB_REPOSITORY: name, GITHUB_SERVER_URL: server };
}

Object.assign(process.env, repository("", ""));

/** The packages of the platforms have a stand-in for the addon: it is not looked into. */
const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
after(() => rmSync(directory, { recursive: true }));
const addon = path.join(directory, "stand-in");
writeFileSync(addon, "not an addon");
const main = packMain(directory);
const packed = new Map(
  platforms.map((platform) => [platform.name, packPlatform(directory, { ...platform, addon })]),
);

test("the main package has the sources in JavaScript, their types and nothing else", () => {
  const { files } = unpacked(main);
  const known =
    /^(LICENSE|README\.md|package\.json|index\.(js|mjs|d\.ts|d\.mts)|lib\/[a-z/-]+\.js)$/;
  assert.deepEqual(
    files.filter((file) => !known.test(file)),
    [],
  );
  for (const file of own.files.filter((name) => name !== "lib/")) assert.ok(files.includes(file));
  assert.ok(files.includes("lib/addon/index.js"));
});

test("the main package is small", () => {
  const { size } = statSync(main);
  assert.ok(size <= MAX_SIZE, `${size} bytes`);
});

test("the main package asks for each platform's in its own version, and runs no scripts", () => {
  const { manifest } = unpacked(main);
  const { scripts, devDependencies, overrides, napi, ...rest } = own;
  assert.ok(scripts && devDependencies && overrides && napi);
  assert.deepEqual(manifest, {
    ...rest,
    type: "commonjs",
    optionalDependencies: Object.fromEntries(
      platforms.map(({ name }) => [`socket.io-turbo-${name}`, own.version]),
    ),
  });
});

test("there is a package for each target that the addon is built for", () => {
  const targets = own.napi.targets.map((triple) => parseTriple(triple));
  assert.deepEqual(
    targets.map(({ platformArchABI }) => platformArchABI).sort(),
    platforms.map(({ name }) => name),
  );
  for (const { platform, arch, abi, platformArchABI } of targets) {
    const { manifest } = platforms.find(({ name }) => name === platformArchABI);
    assert.deepEqual(manifest.os, [platform]);
    assert.deepEqual(manifest.cpu, [arch]);
    const libc = { gnu: ["glibc"], musl: ["musl"] }[platform === "linux" ? abi : undefined];
    assert.deepEqual(manifest.libc, libc);
  }
});

for (const platform of platforms) {
  test(`the package for ${platform.name} has an addon, licences and no scripts`, () => {
    const { files, manifest } = unpacked(packed.get(platform.name));
    const addon = `socket-io-turbo.${platform.name}.node`;
    const expected = ["LICENSE", "README.md", "THIRD-PARTY-LICENSES", "package.json", addon];
    assert.deepEqual(files, expected.sort());
    assert.equal(manifest.name, `socket.io-turbo-${platform.name}`);
    assert.equal(manifest.version, own.version);
    assert.equal(manifest.main, addon);
    assert.equal(manifest.scripts, undefined);
    assert.deepEqual(manifest.engines, own.engines);
  });
}

test("a package is not packed without its addon, nor with another version", (t) => {
  const platform = { ...platforms[0], addon: path.join(directory, "nowhere") };
  assert.throws(() => packPlatform(directory, platform), /nowhere is missing: npm run build/);
  const { manifest } = platforms[0];
  const { version } = manifest;
  manifest.version = "99.0.0";
  t.after(() => {
    manifest.version = version;
  });
  assert.throws(() => packMain(directory), {
    message: `${manifest.name} has version 99.0.0, the main package ${own.version}`,
  });
});

test("the repository is named where GitHub tells it", (t) => {
  Object.assign(process.env, repository("owner/name", "https://example.com"));
  t.after(() => Object.assign(process.env, repository("", "")));
  const { manifest } = unpacked(packMain(path.join(directory, "named")));
  assert.deepEqual(manifest.repository, {
    type: "git",
    url: "git+https://example.com/owner/name.git",
  });
});

test("publint has nothing to say", { skip: skipWithoutTools }, async () => {
  const { publint } = await import("publint");
  for (const tarball of [main, ...packed.values()]) {
    const { buffer, byteOffset, byteLength } = readFileSync(tarball);
    const copy = buffer.slice(byteOffset, byteOffset + byteLength);
    const { messages } = await publint({ strict: true, pack: { tarball: copy } });
    assert.deepEqual(messages, [], tarball);
  }
});

test("arethetypeswrong has nothing to say", { skip: skipWithoutTools }, () => {
  const cli = path.join(__dirname, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const args = [cli, main, "--format", "json"];
  const { analysis } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  assert.deepEqual(analysis.problems, []);
  assert.equal(analysis.packageName, "socket.io-turbo");
});

/** The crates that the addon is built from, on all platforms: names and versions. */
function crates() {
  const targets = own.napi.targets.flatMap((triple) => ["--target", triple]);
  const args = ["tree", "--locked", "--edges=normal", "--prefix=none", "--format={p}", ...targets];
  const tree = execFileSync("cargo", args, { cwd: root, encoding: "utf8" });
  const all = tree.split("\n").map((line) => line.replace(/ v(\S+).*$/, " $1"));
  return [...new Set(all)].filter((crate) => crate !== "" && !crate.startsWith("socket-io-turbo "));
}

test("the licences are those of the crates of the addon", { skip: skipWithoutCargo }, () => {
  const text = readFileSync(path.join(root, "THIRD-PARTY-LICENSES"), "utf8");
  const named = [...text.matchAll(/^ {2}([\w-]+ \d+\.\d+\.\S+)$/gm)].map(([, crate]) => crate);
  const advice = "CONTRIBUTING.md says how to collect them anew";
  assert.deepEqual(
    crates().filter((crate) => !named.includes(crate)),
    [],
    advice,
  );
  const lock = readFileSync(path.join(root, "Cargo.lock"), "utf8");
  const locked = [...lock.matchAll(/^name = "(.+)"\nversion = "(.+)"$/gm)];
  const known = locked.map(([, name, version]) => `${name} ${version}`);
  assert.deepEqual(
    named.filter((crate) => !known.includes(crate)),
    [],
    advice,
  );
});
