"use strict";

/** Servers and their processes: what keeps a process, and who may listen where. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const net = require("node:net");
const path = require("node:path");
const { createInterface } = require("node:readline");
const { describe, test } = require("node:test");
const { hasEngine } = require("../../lib/addon/index.js");
const { connect, request } = require("../support/http-servers.js");
const { startFixture } = require("../support/fixture-process.js");

const isWindows = process.platform === "win32";

const FIXTURE = path.join(__dirname, "../fixtures/http-listener.js");

/** The address of a server in another process, as that of one in this process. */
function serverAt(port) {
  return { address: () => ({ port }) };
}

for (const kind of hasEngine ? ["stock", "turbo"] : ["turbo"]) {
  const start = (t, action) => startFixture(t, "http-listener.js", [kind, action]);

  describe(`the process of a server (${kind})`, { timeout: 120_000 }, () => {
    for (const action of ["unref", "unrefBefore"]) {
      test(`ends after ${action}() of the server`, async (t) => {
        const { code, reports } = await start(t, action).exited;
        assert.equal(code, 0);
        assert.equal(reports.length, 1);
      });
    }

    test("stays for a server that is referenced again", async (t) => {
      const fixture = start(t, "refAgain");
      const { port, pid } = await fixture.next();
      for (let i = 0; i < 3; i++) assert.equal((await request(serverAt(port))).body, `${pid}`);
    });

    for (const action of ["close", "closeUnreferenced"]) {
      test(`ends when the server is closed (${action})`, async (t) => {
        const { code, reports } = await start(t, action).exited;
        assert.equal(code, 0);
        assert.deepEqual(reports.at(-1), { closed: true });
      });
    }

    test("ends by process.exit()", async (t) => {
      const { code } = await start(t, "exit").exited;
      assert.equal(code, 7);
    });

    test("stays for a connection of a server that is not referenced", async (t) => {
      const { code, reports } = await start(t, "unrefWithConnection").exited;
      assert.equal(code, 0);
      assert.deepEqual(reports.slice(1), [{ isAlive: true }]);
    });

    const skip = isWindows && "Windows has no descriptors of listeners";
    test("listens on a descriptor that it got when it was started", { skip }, async (t) => {
      const listener = net.createServer();
      await once(listener.listen(0, "127.0.0.1"), "listening");
      const { port } = listener.address();
      const child = spawn(process.execPath, [FIXTURE, kind, "descriptor"], {
        stdio: ["ignore", "pipe", "inherit", listener._handle],
      });
      t.after(() => child.kill());
      const [line] = await once(createInterface(child.stdout), "line");
      assert.equal(JSON.parse(line).port, port);
      await new Promise((resolve) => listener.close(resolve));
      for (let i = 0; i < 3; i++) {
        assert.equal((await request(serverAt(port))).body, `${child.pid}`);
      }
    });

    test("sends its server to another process, which listens on", async (t) => {
      const fixture = start(t, "send");
      const { port } = await fixture.next();
      const { pid } = await fixture.next();
      for (let i = 0; i < 5; i++) assert.equal((await request(serverAt(port))).body, `${pid}`);
      fixture.child.kill("SIGTERM");
      await fixture.exited;
    });

    test("frees the port of a worker thread that is terminated", async (t) => {
      const { code, reports } = await start(t, "worker").exited;
      assert.equal(code, 0);
      assert.deepEqual(reports.at(-1), { isFree: true });
    });

    const unlimited = isWindows && "Windows does not limit descriptors";
    test("serves clients again after it had no descriptors", { skip: unlimited }, async (t) => {
      const fixture = start(t, "exhausted");
      const { port, pid } = await fixture.next();
      assert.deepEqual(await fixture.next(), { code: "EMFILE" });
      // Node.js closes it, an I/O thread leaves it to the kernel; neither ends.
      const early = await connect(t, serverAt(port));
      process.kill(pid, "SIGUSR2");
      assert.deepEqual(await fixture.next(), { isFree: true });
      assert.equal((await request(serverAt(port))).body, `${pid}`);
      early.socket.destroy();
      const { code } = await fixture.exited;
      assert.equal(code, 0);
    });
  });
}
