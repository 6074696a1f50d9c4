"use strict";

/** Test runners load the package again for each file, in one process. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { once } = require("node:events");
const { mkdtempSync, readdirSync, rmSync, writeFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { describe, test } = require("node:test");
const { companions, skipWithoutCompanions } = require("../companions");
const { hasNative } = require("../support/engines.js");
const { polled } = require("../support/observed.js");
const { connectClient } = require("../support/socket-io-client.js");
const { listen } = require("../support/tcp-server.js");
const { threadCount } = require("../support/threads.js");

const root = path.join(__dirname, "../..");

/** /proc lists the threads and descriptors of a process. */
const skip = !(hasNative && process.platform === "linux") && "no workers, or no /proc";

const untilThreads = (count) => polled(() => threadCount() === count);

function descriptorCount() {
  return readdirSync("/proc/self/fd").length;
}

/** Loads the package anew, as test runners do for each file. */
function loadAgain() {
  for (const file of Object.keys(require.cache)) {
    const isOurs = file.startsWith(path.join(root, "lib")) || file === path.join(root, "index.js");
    const isSocketIo = /node_modules\/(socket\.io|engine\.io|ws)\//.test(file);
    if (isOurs || isSocketIo) delete require.cache[file];
  }
  return { turbo: require("../..").turbo, Server: require("socket.io").Server };
}

/** Starts a server; `open()` connects a client and waits until it has received a broadcast. */
async function serve({ turbo, Server }, options) {
  const httpServer = createServer();
  const io = new Server(httpServer, turbo(options));
  io.on("connection", (socket) => {
    socket.join("room");
    socket.on("ask", () => io.to("room").emit("answer", socket.id));
  });
  const { origin } = await listen(httpServer);
  const open = async () => {
    const client = connectClient(origin);
    await once(client, "connect");
    const answer = once(client, "answer");
    client.emit("ask");
    assert.deepEqual(await answer, [client.id]);
    return client;
  };
  const close = async () => {
    const closed = once(httpServer, "close");
    io.close();
    await closed;
  };
  return { turbo, io, open, close };
}

describe("a process that loads the package again and again", { skip }, () => {
  test("has as many threads as one that loads it once", async () => {
    const servers = [];
    for (let i = 0; i < 3; i++) {
      const server = await serve(loadAgain(), { ioThreads: 2 });
      servers.push(server);
      await server.open();
      await server.open();
      assert.equal(threadCount(), 2);
      assert.equal(server.turbo.stats().connections.native, 2);
      assert.equal(server.turbo.stats().workers.length, 2);
    }
    for (const { close } of servers) await close();
    await untilThreads(0);
  });

  test("has no thread and no descriptor left of 30 servers that are closed", async () => {
    const before = descriptorCount();
    for (let i = 0; i < 30; i++) {
      const { open, close, turbo } = await serve(loadAgain());
      const client = await open();
      assert.equal(turbo.stats().connections.native, 1);
      client.disconnect();
      await close();
      await untilThreads(0);
      assert.equal(turbo.stats().connections.opened, 1);
    }
    await polled(() => descriptorCount() <= before);
  });

  test("adds no listeners to the process", async () => {
    const before = process.listenerCount("exit");
    const { open, close } = await serve(loadAgain());
    await open();
    await close();
    await untilThreads(0);
    assert.equal(process.listenerCount("exit"), before);
  });
});

describe("the threads", { skip }, () => {
  test("stay while a server is open, also without clients", async () => {
    const { open, close, turbo } = await serve(loadAgain());
    const [first, second] = [await open(), await open()];
    first.disconnect();
    second.disconnect();
    await polled(() => turbo.stats().connections.native === 0);
    await new Promise(setImmediate);
    assert.equal(threadCount(), 1);
    await close();
    await untilThreads(0);
  });

  test("begin again with the next server, and the counters go on", async () => {
    const loaded = loadAgain();
    for (let round = 1; round <= 3; round++) {
      const { open, close, turbo } = await serve(loaded);
      await open();
      await open();
      const { connections, workers, framesOut } = turbo.stats();
      assert.deepEqual([connections.native, connections.opened], [2, 2 * round]);
      assert.equal(workers.length, 1);
      assert.ok(framesOut >= 2 * round);
      await close();
      await untilThreads(0);
      assert.equal(turbo.stats().connections.native, 0);
    }
  });

  test("stay for the connections that outlive a server of ws's kind", async () => {
    const { WebSocketServer } = loadAgain().turbo;
    const { WebSocket } = require("ws");
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
    await once(server, "listening");
    const client = new WebSocket(`ws://127.0.0.1:${server.address().port}`);
    await once(client, "open");
    server.close();
    client.send("still here");
    assert.equal(String((await once(client, "message"))[0]), "still here");
    assert.equal(threadCount(), 1);
    client.close();
    await untilThreads(0);
  });
});

/** A test file of a program, as the test runner loads it with all its modules. */
const SUITE = `
  const { once } = require("node:events");
  const { createServer } = require("node:http");
  const { Server } = require(${JSON.stringify(require.resolve("socket.io"))});
  const { io: connect } = require(${JSON.stringify(require.resolve("socket.io-client"))});
  const { turbo } = require(${JSON.stringify(root)});
  const { threadCount } = require(${JSON.stringify(require.resolve("../support/threads.js"))});

  test("serves a client", async () => {
    expect(threadCount()).toBe(0);
    const httpServer = createServer();
    const io = new Server(httpServer, turbo());
    io.on("connection", (socket) => socket.on("ask", (answer) => answer("yes")));
    await once(httpServer.listen(0, "127.0.0.1"), "listening");
    const client = connect("http://127.0.0.1:" + httpServer.address().port, {
      transports: ["websocket"],
    });
    expect(await client.emitWithAck("ask")).toBe("yes");
    expect(turbo.stats().connections.native).toBe(1);
    client.disconnect();
    const closed = once(httpServer, "close");
    io.close();
    await closed;
    while (threadCount() > 0) await new Promise(setImmediate);
  });
`;

const FILES = ["a", "b", "c", "d"];

/** Writes a program with some test files; returns its folder. */
function program(t, name, contents) {
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const file of FILES) writeFileSync(path.join(directory, name(file)), contents);
  return directory;
}

/** Runs a test runner, which must end by itself; returns its output. */
function run(bin, args, cwd) {
  const file = path.join(companions, bin);
  const env = {
    ...process.env,
    NO_COLOR: "1",
    NODE_TEST_CONTEXT: undefined,
    FORCE_COLOR: undefined,
  };
  const options = { cwd, env, encoding: "utf8", timeout: 120_000 };
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], options);
  assert.equal(status, 0, stdout + stderr);
  return stdout + stderr;
}

describe("a test runner finds no resources of servers that are closed", () => {
  const missing = skip || skipWithoutCompanions;

  test("jest, in one process", { skip: missing }, (t) => {
    const directory = program(t, (file) => `${file}.test.js`, SUITE);
    const config = { testEnvironment: "node", transform: {} };
    writeFileSync(path.join(directory, "package.json"), JSON.stringify({ jest: config }));
    const args = ["--runInBand", "--detectOpenHandles"];
    const output = run("jest/bin/jest.js", args, directory);
    assert.match(output, /Tests: +4 passed, 4 total/);
    assert.doesNotMatch(output, /open handle|did not exit|socket\.io-turbo/i);
  });

  for (const args of [["--pool=threads"], ["--pool=forks"], ["--pool=threads", "--no-isolate"]]) {
    test(`vitest, ${args.join(" ")}`, { skip: missing }, (t) => {
      const imports = `
        import { createRequire } from "node:module";
        import { expect, test } from "vitest";
        const require = createRequire(import.meta.url);
      `;
      const directory = program(t, (file) => `${file}.test.mjs`, imports + SUITE);
      const output = run("vitest/vitest.mjs", ["run", "--no-file-parallelism", ...args], directory);
      assert.match(output, /Tests +4 passed \(4\)/);
      assert.doesNotMatch(output, /socket\.io-turbo|hanging/i);
    });
  }
});
