"use strict";

/** Servers of `createServer()` for which only Node.js can accept connections. */

const assert = require("node:assert/strict");
const cluster = require("node:cluster");
const { once } = require("node:events");
const { mkdtempSync, rmSync } = require("node:fs");
const http = require("node:http");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { describe, test } = require("node:test");
const { createServer, native, stats } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { startFixture } = require("../support/fixture-process.js");
const { listen } = require("../support/tcp-server.js");

const [major, minor] = process.versions.node.split(".").map(Number);
const hasReusePort = process.platform === "linux" && (major > 22 || (major === 22 && minor >= 12));
const skip = !hasEngine && "without the engine, Node.js accepts all connections";

/** Returns the body of an answer. */
async function get(options) {
  const [response] = await once(http.get({ agent: false, ...options }), "response");
  const [body] = await once(response.setEncoding("utf8"), "data");
  return body;
}

const answer = (_request, response) => response.end("answer");

describe("a server of createServer()", { timeout: 60_000 }, () => {
  test("is an http.Server", async (t) => {
    const server = createServer({ keepAliveTimeout: 7 }, answer);
    t.after(() => server.close());
    assert.ok(server instanceof http.Server);
    assert.equal(server.constructor.name, "Server");
    assert.equal(server.keepAliveTimeout, 7);
    assert.equal(server.listening, false);
    const { port } = await listen(server);
    assert.equal(server.listening, true);
    assert.equal(await get({ port }), "answer");
  });

  test("is left to Node.js without the engine", { skip: hasEngine }, async (t) => {
    const server = createServer(answer);
    t.after(() => server.close());
    const reason = native ? "platform" : "addon";
    const { [reason]: before = 0 } = stats().server.fallback;
    const { port } = await listen(server);
    assert.equal(await get({ port }), "answer");
    assert.equal(stats().server.fallback[reason], before + 1);
  });

  test("is left to Node.js on a Unix domain socket, with one warning", { skip }, async (t) => {
    const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const warnings = [];
    const keep = (warning) => warnings.push(warning);
    process.on("warning", keep);
    t.after(() => process.off("warning", keep));
    for (const name of ["first", "second"]) {
      const server = createServer(answer);
      t.after(() => server.close());
      const socketPath = path.join(directory, name);
      await once(server.listen(socketPath), "listening");
      assert.equal(server.address(), socketPath);
      assert.equal(await get({ socketPath }), "answer");
    }
    assert.deepEqual(stats().server.fallback, { notTcp: 2 });
    assert.equal(warnings.length, 1);
    const { code, message } = warnings[0];
    assert.equal(code, "TURBO_FALLBACK");
    assert.match(message, /^Node\.js accepts the connections of a server: it listens on a Unix/);
  });

  test("listens itself in each worker of a cluster, by SO_REUSEPORT", {
    skip: skip || (!hasReusePort && "this Node.js or system has no `reusePort`"),
  }, async (t) => {
    const options = JSON.stringify({ reusePort: true });
    const fixture = startFixture(t, "cluster-listener.js", [cluster.SCHED_RR, options]);
    const { reports } = await fixture.exited;
    const [{ answer, server }] = reports;
    assert.equal(answer, "answer");
    assert.deepEqual([server.fallback, server.accepted], [{}, 1]);
  });

  for (const [name, policy] of [
    ["round robin", cluster.SCHED_RR],
    ["shared handles", cluster.SCHED_NONE],
  ]) {
    test(`is left to Node.js in a cluster with ${name}`, { skip }, async (t) => {
      const fixture = startFixture(t, "cluster-listener.js", [policy, "{}"]);
      const { reports } = await fixture.exited;
      const [{ answer, server }] = reports;
      assert.equal(answer, "answer");
      assert.deepEqual(server.fallback, { cluster: 1 });
    });

    test(`listens itself in a cluster with ${name}, if that is exclusive`, { skip }, async (t) => {
      const fixture = startFixture(t, "cluster-listener.js", [policy, '{"exclusive":true}']);
      const { reports } = await fixture.exited;
      const [{ answer, server }] = reports;
      assert.equal(answer, "answer");
      assert.deepEqual(server.fallback, {});
    });
  }
});
