"use strict";

/** Listening, in all forms of `listen()`, and its errors: the same with `createServer()` as with Node.js. */

const assert = require("node:assert/strict");
const { AsyncLocalStorage } = require("node:async_hooks");
const { once } = require("node:events");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { describe, test } = require("node:test");
const { getSystemErrorMap } = require("node:util");
const { kinds, newServer, request } = require("../support/http-servers.js");

const answer = (_request, response) => response.end("answer");

/** Returns the fields of an error that a program may look at. */
function fieldsOf({ name, message, code, errno, syscall, address }) {
  return { name, message: message.replace(/\d{4,}/g, "PORT"), code, errno, syscall, address };
}

/** Asserts that a server answers where it listens. */
async function assertAnswers(server, options) {
  const { body } = await request(server, options);
  assert.equal(body, "answer");
}

/** Returns the number of an error of the system, which on Windows is libuv's. */
function errnoOf(code) {
  return [...getSystemErrorMap()].find(([, [name]]) => name === code)[0];
}

/** Returns the fields of the error that a server emits. */
async function errorOf(server) {
  const [error] = await once(server, "error");
  return fieldsOf(error);
}

const forms = {
  "no argument": (server) => server.listen(),
  "a port": (server) => server.listen(0),
  "a port as text": (server) => server.listen("0"),
  "a port and a host": (server) => server.listen(0, "127.0.0.1"),
  "a port and a backlog": (server) => server.listen(0, 8),
  "a port, a host and a backlog": (server) => server.listen(0, "localhost", 8),
  options: (server) => server.listen({ port: 0, host: "127.0.0.1", backlog: 8 }),
  "options, exclusive": (server) => server.listen({ port: 0, exclusive: true }),
  "options without a port": (server) => server.listen({ port: undefined }),
  null: (server) => server.listen(null),
  "a callback": (server) => server.listen(() => {}),
};

for (const kind of kinds) {
  describe(`a server of ${kind.name}`, { timeout: 60_000 }, () => {
    for (const [name, listen] of Object.entries(forms)) {
      test(`listens with ${name}`, async (t) => {
        const server = newServer(t, kind, answer);
        assert.equal(server.address(), null);
        assert.equal(server.listening, false);
        assert.equal(listen(server), server);
        await once(server, "listening");
        assert.equal(server.listening, true);
        const { address, family, port } = server.address();
        assert.ok(port > 0);
        assert.equal(family, net.isIPv6(address) ? "IPv6" : "IPv4");
        await assertAnswers(server, { host: net.isIPv6(address) ? "::1" : "127.0.0.1" });
      });
    }

    test("listens on IPv6 only", async (t) => {
      const server = newServer(t, kind, answer);
      await once(server.listen({ port: 0, host: "::", ipv6Only: true }), "listening");
      await assertAnswers(server, { host: "::1" });
      await assert.rejects(request(server, { host: "127.0.0.1" }), { code: "ECONNREFUSED" });
    });

    test("listens on the handle of another server", async (t) => {
      const other = net.createServer();
      await once(other.listen(0, "127.0.0.1"), "listening");
      const server = newServer(t, kind, answer);
      await once(server.listen(other), "listening");
      assert.equal(server.address().port, other.address().port);
      await assertAnswers(server);
    });

    test("listens on a Unix domain socket, on Windows on a named pipe", async (t) => {
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), "socket-io-turbo-"));
      t.after(() => fs.rmSync(directory, { recursive: true }));
      const server = newServer(t, kind, answer);
      const isWindows = process.platform === "win32";
      const socketPath = path.join(isWindows ? "\\\\?\\pipe" : "", directory, "socket");
      await once(server.listen({ path: socketPath, readableAll: true }), "listening");
      assert.equal(server.address(), socketPath);
      const get = () => require("node:http").get({ socketPath, agent: false });
      const [response] = await once(get(), "response");
      assert.equal(response.resume().statusCode, 200);
    });

    test("closes when a signal aborts", async (t) => {
      const controller = new AbortController();
      const server = newServer(t, kind, answer);
      await once(server.listen({ port: 0, signal: controller.signal }), "listening");
      controller.abort();
      await once(server, "close");
      assert.equal(server.listening, false);
    });

    test("calls the callback as a listener of `listening`", async (t) => {
      const server = newServer(t, kind);
      const self = await new Promise((resolve) => {
        server.listen(0, function () {
          resolve(this);
        });
      });
      assert.equal(self, server);
    });

    test("emits `listening` in a later turn", async (t) => {
      const server = newServer(t, kind);
      let isEmitted = false;
      server.on("listening", () => {
        isEmitted = true;
      });
      server.listen(0);
      assert.deepEqual([isEmitted, server.listening], [false, true]);
      await once(server, "listening");
    });

    test("emits an error for a port in use", async (t) => {
      const first = newServer(t, kind, answer);
      await once(first.listen(0, "127.0.0.1"), "listening");
      const second = newServer(t, kind);
      const { port } = first.address();
      assert.deepEqual(await errorOf(second.listen(port, "127.0.0.1")), {
        name: "Error",
        message: "listen EADDRINUSE: address already in use 127.0.0.1:PORT",
        code: "EADDRINUSE",
        errno: errnoOf("EADDRINUSE"),
        syscall: "listen",
        address: "127.0.0.1",
      });
      assert.equal(second.listening, false);
      await assertAnswers(first);
      await once(second.listen(0, "127.0.0.1"), "listening");
    });

    test("emits an error for an address that is not its own", async (t) => {
      const server = newServer(t, kind);
      assert.deepEqual(await errorOf(server.listen(0, "192.0.2.1")), {
        name: "Error",
        message: "listen EADDRNOTAVAIL: address not available 192.0.2.1",
        code: "EADDRNOTAVAIL",
        errno: errnoOf("EADDRNOTAVAIL"),
        syscall: "listen",
        address: "192.0.2.1",
      });
    });

    test("emits an error for a name that does not exist", async (t) => {
      const server = newServer(t, kind);
      const { code, syscall } = await errorOf(server.listen(0, "name.invalid"));
      assert.match(code, /^(ENOTFOUND|EAI_AGAIN)$/);
      assert.equal(syscall, "getaddrinfo");
    });

    test("emits an error for a descriptor that is no socket", async (t) => {
      const fd = fs.openSync(__filename);
      t.after(() => fs.closeSync(fd));
      const { code, syscall } = await errorOf(newServer(t, kind).listen({ fd }));
      assert.deepEqual([code, syscall], ["EINVAL", "listen"]);
    });

    test("throws if it listens already, and for a port out of range", async (t) => {
      const server = newServer(t, kind, answer);
      assert.throws(() => server.listen(65536), { code: "ERR_SOCKET_BAD_PORT" });
      assert.throws(() => server.listen({}), { code: "ERR_INVALID_ARG_VALUE" });
      await once(server.listen(0, "127.0.0.1"), "listening");
      assert.throws(() => server.listen(0), { code: "ERR_SERVER_ALREADY_LISTEN" });
      await assertAnswers(server);
    });

    test("listens again after it was closed, on the same port", async (t) => {
      const server = newServer(t, kind, answer);
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address();
      for (let i = 0; i < 3; i++) {
        await assertAnswers(server);
        await new Promise((resolve) => server.close(resolve));
        await once(server.listen(port, "127.0.0.1"), "listening");
      }
      await assertAnswers(server);
    });

    test("leaves its port to another server in the turn in which it closes", async (t) => {
      const first = newServer(t, kind, answer);
      await once(first.listen(0, "127.0.0.1"), "listening");
      const { port } = first.address();
      const second = newServer(t, kind, answer);
      first.close();
      await once(second.listen(port, "127.0.0.1"), "listening");
      await assertAnswers(second);
    });

    test("emits `close` for each time that it is closed", async (t) => {
      const server = newServer(t, kind, answer);
      let closed = 0;
      server.on("close", () => closed++);
      server.listen(0, "127.0.0.1");
      server.close();
      await once(server.listen(0, "127.0.0.1"), "listening");
      while (closed < 1) await once(server, "close");
      assert.equal(server.listening, true);
      await new Promise((resolve) => server.close(resolve));
      assert.equal(closed, 2);
    });

    test("has the asynchronous context of the call of listen()", async (t) => {
      const storage = new AsyncLocalStorage();
      const seen = [];
      const server = newServer(t, kind, (_request, response) => {
        seen.push(storage.getStore());
        response.end("answer");
      });
      const listening = once(server, "listening");
      storage.run("listening", () => server.listen(0, "127.0.0.1"));
      await listening;
      await storage.run("another", () => assertAnswers(server));
      assert.deepEqual(seen, ["listening"]);
    });

    test("emits `close` first when it listens again in the turn in which it closes", async (t) => {
      const server = newServer(t, kind, answer);
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address();
      const events = [];
      for (const event of ["close", "listening"]) server.on(event, () => events.push(event));
      server.close();
      await once(server.listen(port, "127.0.0.1"), "listening");
      assert.deepEqual(events, ["close", "listening"]);
      await assertAnswers(server);
      await new Promise((resolve) => server.close(resolve));
      assert.deepEqual(events, ["close", "listening", "close"]);
    });

    test("reports to the callback of close() that it does not run", async (t) => {
      const server = newServer(t, kind);
      const error = await new Promise((resolve) => server.close(resolve));
      assert.equal(error.code, "ERR_SERVER_NOT_RUNNING");
    });

    test("is closed by Symbol.asyncDispose", async (t) => {
      const server = newServer(t, kind, answer);
      await once(server.listen(0, "127.0.0.1"), "listening");
      await server[Symbol.asyncDispose]();
      assert.equal(server.listening, false);
    });
  });
}
