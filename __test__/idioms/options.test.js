"use strict";

/** Options of ours, and mistakes in them. */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { once } = require("node:events");
const { createServer } = require("node:http");
const path = require("node:path");
const { describe, test } = require("node:test");
const { Server } = require("socket.io");
const { WebSocketServer, createEngine, turbo } = require("../..");
const { connectionCounts, hasNative } = require("../support/engines.js");
const { connectClient } = require("../support/socket-io-client.js");
const { listen } = require("../support/tcp-server.js");

/** Runs a program of a user; returns the lines of its output, and its warnings. */
function run(program) {
  const options = { cwd: path.join(__dirname, "../.."), encoding: "utf8" };
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", program], options);
  assert.equal(status, 0, stderr);
  const warnings = stderr.match(/\[TURBO_\w+\] SocketIoTurboWarning: .*/g) ?? [];
  return { lines: stdout.trim().split("\n"), warnings };
}

test("new Server(http, turbo), without the parentheses, has the defaults", async (t) => {
  const httpServer = createServer();
  const io = new Server(httpServer, turbo);
  t.after(() => io.close());
  const [expected] = [new Server(turbo())];
  assert.equal(io.of("/").adapter.constructor, expected.of("/").adapter.constructor);
  assert.equal(io._parser, turbo.parser);
  assert.ok(io.engine.ws instanceof WebSocketServer);
  const client = connectClient((await listen(httpServer)).origin);
  await once(client, "connect");
  assert.equal(connectionCounts().native, hasNative ? 1 : 0);
  client.disconnect();
  const other = new Server(createServer(), turbo);
  assert.notEqual(other.of("/").adapter, io.of("/").adapter);
  other.close();
});

describe("turbo() beside `new Server()`", () => {
  for (const [what, server] of [
    ["attach()", "new Server().attach(http, turbo());"],
    ["listen()", "new Server().listen(http, turbo({ path: '/x' }));"],
    ["attach(), without the parentheses", "new Server().attach(http, turbo);"],
  ]) {
    test(`in ${what} is warned of once, with the right way to write it`, () => {
      const { warnings } = run(`
        const { Server } = require("socket.io");
        const { turbo } = require(".");
        for (const http of [1, 2].map(() => require("node:http").createServer())) ${server}
      `);
      assert.deepEqual(warnings, [
        "[TURBO_NOT_IN_USE] SocketIoTurboWarning: the adapter and the parser of turbo() are not used: " +
          "Socket.IO accepts them in its constructor only. Give the options to it, new Server(turbo()), " +
          "before attach() or listen()",
      ]);
    });
  }

  for (const [what, server] of [
    ["new Server(http, turbo())", "new Server(http, turbo({ path: '/x' }))"],
    ["new Server(turbo()), then attach()", "new Server(turbo()).attach(http, { path: '/x' })"],
    ["new Server(turbo()), then listen()", "new Server(turbo()).listen(http)"],
    ["new Server(http, turbo)", "new Server(http, turbo)"],
    ["parts of it", "new Server(http, { ...turbo(), adapter: createAdapter() })"],
    ["an own adapter", "new Server(http, turbo({ adapter: createAdapter() }))"],
    ["an adapter that is set later", "new Server(http, turbo()).adapter(createAdapter())"],
    ["Engine.IO alone", "require('engine.io').attach(http, turbo())"],
    ["options for two", "for (const s of [http, other]) new Server(s, options)"],
  ]) {
    test(`and ${what} is not`, () => {
      const { warnings } = run(`
        const { Server } = require("socket.io");
        const { createAdapter, turbo } = require(".");
        const [http, other] = [1, 2].map(() => require("node:http").createServer());
        const options = turbo();
        ${server};
      `);
      assert.deepEqual(warnings, []);
    });
  }
});

describe("near misses of our options", () => {
  for (const [given, meant] of Object.entries({
    maxBackPressure: "maxBackpressure",
    maxbackpressure: "maxBackpressure",
    max_backpressure: "maxBackpressure",
    maxBackpresure: "maxBackpressure",
    backpressure: "maxBackpressure",
    maxBackpressureBytes: "maxBackpressure",
    iothreads: "ioThreads",
    IOThreads: "ioThreads",
    ioThread: "ioThreads",
    threads: "ioThreads",
    numThreads: "ioThreads",
    highWatermark: "highWaterMark",
    highwaterMark: "highWaterMark",
    ratelimit: "rateLimit",
    rateLimits: "rateLimit",
    maxAttachment: "maxAttachments",
    attachments: "maxAttachments",
  })) {
    test(`${given} is passed on, and warned of once`, () => {
      const { lines, warnings } = run(`
        const { turbo } = require(".");
        for (let i = 0; i < 2; i++) console.log(turbo({ ${given}: 3 }).${given});
      `);
      assert.deepEqual(lines, ["3", "3"]);
      assert.deepEqual(warnings, [
        `[TURBO_UNKNOWN_OPTION] SocketIoTurboWarning: ${given} is not an option; did you mean ${meant}?`,
      ]);
    });
  }

  test("are found in options of createEngine() and WebSocketServer, too", () => {
    const { warnings } = run(`
      const { WebSocketServer, createEngine } = require(".");
      createEngine({ iothreads: 1 });
      new WebSocketServer({ noServer: true, textTypes: "string" });
    `);
    assert.deepEqual(
      warnings.map((warning) => warning.replace(/.*Warning: /, "")),
      [
        "iothreads is not an option; did you mean ioThreads?",
        "textTypes is not an option; did you mean textType?",
      ],
    );
  });

  test("are no options of Socket.IO, Engine.IO, ws or others", () => {
    const names = [
      ...["path", "serveClient", "connectTimeout", "connectionStateRecovery", "cookie", "cors"],
      ...["cleanupEmptyChildNamespaces", "pingTimeout", "pingInterval", "upgradeTimeout"],
      ...["maxHttpBufferSize", "allowRequest", "transports", "allowUpgrades", "httpCompression"],
      ...["perMessageDeflate", "initialPacket", "allowEIO3", "destroyUpgrade", "origins"],
      ...[
        "destroyUpgradeTimeout",
        "timeout",
        "addTrailingSlash",
        "anOptionOfTomorrow",
        "maxPayload",
      ],
      ...["maxFragments", "maxBufferedChunks", "maxPendingAutoPongs", "autoPong", "host", "port"],
      ...["backlog", "server", "verifyClient", "handleProtocols", "noServer", "clientTracking"],
      ...["skipUTF8Validation", "allowSynchronousEvents", "closeTimeout", "namespace", "type"],
    ];
    const { lines, warnings } = run(`
      const { turbo } = require(".");
      const given = Object.fromEntries(${JSON.stringify(names)}.map((name) => [name, undefined]));
      console.log(Object.keys(turbo(given)).length);
    `);
    assert.deepEqual(lines, [String(names.length + 3)]);
    assert.deepEqual(warnings, []);
  });
});

const isOurs = (option, message) => ({
  name: "TypeError",
  code: "TURBO_ERR_INVALID_OPTION",
  option,
  message,
});

describe("options of perMessageDeflate", () => {
  test("have names that are nearly right, of which there are warnings", () => {
    const names = {
      treshold: "threshold",
      Threshold: "threshold",
      serverNoContextTakeOver: "serverNoContextTakeover",
      clientNoContextTakover: "clientNoContextTakeover",
      serverMaxWindowBit: "serverMaxWindowBits",
      zlibDeflateOption: "zlibDeflateOptions",
    };
    const given = JSON.stringify(Object.fromEntries(Object.keys(names).map((name) => [name, 9])));
    const { warnings } = run(`
      const { WebSocketServer, turbo } = require(".");
      turbo({ perMessageDeflate: ${given} });
      new WebSocketServer({ noServer: true, perMessageDeflate: ${given} });
    `);
    assert.deepEqual(
      warnings.map((warning) => warning.replace(/.*Warning: /, "")),
      Object.entries(names).map(
        ([name, meant]) =>
          `perMessageDeflate.${name} is not an option; did you mean perMessageDeflate.${meant}?`,
      ),
    );
  });

  test("are those of ws, without a warning", () => {
    const { warnings } = run(`
      const { WebSocketServer, turbo } = require(".");
      const perMessageDeflate = {
        threshold: 0,
        serverNoContextTakeover: true,
        clientNoContextTakeover: false,
        serverMaxWindowBits: 8,
        clientMaxWindowBits: true,
        concurrencyLimit: 3,
        zlibDeflateOptions: { level: -1, memLevel: 1, strategy: 4, chunkSize: 1024, windowBits: 15 },
        zlibInflateOptions: { chunkSize: 1024 },
      };
      for (const each of [perMessageDeflate, {}, true, false, null, undefined]) {
        turbo({ perMessageDeflate: each });
        new WebSocketServer({ noServer: true, perMessageDeflate: each });
      }
    `);
    assert.deepEqual(warnings, []);
  });

  const refused = {
    threshold: ["1kb", Number.NaN, Symbol("1")],
    serverMaxWindowBits: [7, 16, 9.5],
    clientMaxWindowBits: [7, 16, 9.5],
    "zlibDeflateOptions.level": [-2, 10, "6", null],
    "zlibDeflateOptions.memLevel": [0, 10, "8"],
    "zlibDeflateOptions.strategy": [-1, 5],
  };
  for (const [name, values] of Object.entries(refused)) {
    for (const value of values) {
      test(`refuse ${name}: ${typeof value} ${String(value)}`, () => {
        const [outer, inner] = name.split(".");
        const perMessageDeflate = { [outer]: inner === undefined ? value : { [inner]: value } };
        const option = `perMessageDeflate.${name}`;
        const expected = isOurs(option, new RegExp(`^${option} must be .*, got `));
        assert.throws(() => turbo({ perMessageDeflate }), expected);
        assert.throws(() => new WebSocketServer({ noServer: true, perMessageDeflate }), expected);
        const Engine = createEngine();
        assert.throws(() => new Engine({ noServer: true, perMessageDeflate }), expected);
      });
    }
  }

  test("may have any value that ws understands", () => {
    const understood = [
      1,
      "yes",
      [{ threshold: 1 }],
      { threshold: "100", serverMaxWindowBits: "10", zlibDeflateOptions: false },
      { threshold: -1, clientNoContextTakeover: 1, serverNoContextTakeover: "true" },
      { threshold: null, serverMaxWindowBits: null, zlibDeflateOptions: null },
      { threshold: true, zlibDeflateOptions: { level: 5.5, memLevel: Number.NaN } },
    ];
    for (const perMessageDeflate of understood) {
      turbo({ perMessageDeflate });
      new WebSocketServer({ noServer: true, perMessageDeflate });
    }
  });
});

describe("a value of a wrong type throws", () => {
  for (const value of ["x", 3, null, [], () => {}]) {
    test(`createEngine() of ${typeof value} ${String(value)}`, () => {
      assert.throws(() => createEngine(value), isOurs("options", /^options must be an object/));
    });
  }

  test("turbo(httpServer)", () => {
    const message =
      "options must be an object of options, not a server, as in " +
      "new Server(httpServer, turbo()), got an object";
    for (const server of [createServer(), new Server()]) {
      assert.throws(() => turbo(server), isOurs("options", message));
    }
  });

  for (const [option, accepted, values] of [
    ["adapter", "a class or a factory of adapters", ["redis", {}, 1, true]],
    ["wsEngine", "a class like ws's WebSocketServer", ["eiows", "ws", {}]],
    ["parser", "an object with the classes Encoder and Decoder", ["msgpack", {}, () => {}]],
  ]) {
    for (const value of values) {
      test(`turbo({ ${option}: ${typeof value} ${String(value)} })`, () => {
        const message = new RegExp(`^${option} must be ${accepted}, got `);
        assert.throws(() => turbo({ [option]: value }), isOurs(option, message));
      });
    }
  }
});
