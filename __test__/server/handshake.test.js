"use strict";

/**
 * Handshakes of WebSocket clients that I/O threads accept: for each option and each listener that may decide on
 * one, the client and the program see the same as with stock parts, byte for byte.
 */

const assert = require("node:assert/strict");
const { AsyncLocalStorage } = require("node:async_hooks");
const http = require("node:http");
const { describe, test } = require("node:test");
const { Server } = require("socket.io");
const { createServer, stats, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { connect } = require("../support/http-servers.js");
const { polled } = require("../support/observed.js");

const GUARD = { timeout: 10_000 };

const stock = { createServer: http.createServer, serverOptions: (options) => options };
const ours = { createServer, serverOptions: turbo };

const OFFER = "permessage-deflate; client_max_window_bits";

/** Returns the head of a handshake. */
function headOf({ query = "", headers = [] } = {}) {
  const lines = [
    `GET /socket.io/?EIO=4&transport=websocket${query} HTTP/1.1`,
    "Host: example.org",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** Returns whether a session has been opened: the last bytes are those of a whole message. */
function isOpened(count) {
  return (received) => received.split("}").length > count;
}

const withoutSid = (bytes) => bytes.replace(/"sid":"[\w-]{20}"/, '"sid":"SID"');

/** Starts a server of Socket.IO. What happens is written to `log`. */
async function serve(t, kind, { options = {}, prepare = () => {} }) {
  const server = kind.createServer();
  const io = new Server(server, kind.serverOptions(options));
  const log = [];
  const see = (...values) => log.push(values);
  io.engine.on("connection_error", ({ req, code, message, context }) => {
    see("connection_error", req.url, code, message, { ...context, error: context.error?.message });
  });
  io.engine.on("connection", (conn) => {
    see("connection", io.engine.clients[conn.id] === conn, io.engine.clientsCount);
    conn.on("close", (...args) => see("close", ...args));
  });
  prepare({ io, see });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const clients = [];
  t.after(async () => {
    for (const { socket } of clients) socket.destroy();
    await io.close();
  });
  const enter = async () => {
    const client = await connect(t, server);
    clients.push(client);
    return client;
  };
  return { io, log, enter };
}

/** Returns what a client receives, and what the program sees. */
async function exchange(t, kind, scenario) {
  const { io, log, enter } = await serve(t, kind, scenario);
  const client = await enter();
  client.write(headOf(scenario));
  const isComplete = scenario.messages === 0 ? () => false : isOpened(scenario.messages ?? 1);
  const received = withoutSid(await client.until(isComplete));
  return { received, log: [...log], isEnded: client.isEnded, clients: io.engine.clientsCount };
}

/**
 * @typedef {object} Scenario
 * @property {object} [options] of Socket.IO
 * @property {(server: { io: Server, see: (...values: unknown[]) => void }) => void} [prepare]
 * @property {string} [query]
 * @property {string[]} [headers] of the request
 * @property {number} [messages] how many closing braces the client receives; 0 if it is refused
 */

/** @type {Record<string, Scenario>} */
const scenarios = {
  "no options": {},
  "parameters of the program": { query: "&token=a%20b+c&EIO=4&t=x" },
  "options of the heartbeat": {
    options: { pingInterval: 12_345, pingTimeout: 6_789, maxHttpBufferSize: 4_321 },
  },
  "options of the heartbeat that are changed later": {
    prepare: ({ io }) => {
      io.engine.opts.pingInterval = 5_555;
      io.engine.opts.maxHttpBufferSize = 77;
    },
  },
  "an initial packet": { options: { initialPacket: "{hello}" }, messages: 2 },
  "a cookie, which is set by long-polling alone": { options: { cookie: { name: "io" } } },
  "cors for all": { options: { cors: { origin: "*" } }, headers: ["Origin: http://a.example"] },
  "cors with credentials": {
    options: { cors: { origin: ["http://a.example"], credentials: true } },
    headers: ["Origin: http://a.example"],
  },
  "cors by a function": {
    options: { cors: { origin: (origin, next) => setImmediate(next, null, origin) } },
    headers: ["Origin: http://a.example"],
  },
  "cors by a function that fails": {
    options: { cors: { origin: (_origin, next) => next(new Error("no")) } },
    messages: 0,
  },
  // Ours never has the context take over.
  "compression that a client offers": {
    options: {
      perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true },
    },
    headers: [`Sec-WebSocket-Extensions: ${OFFER}`],
  },
  "compression that no client offers": { options: { perMessageDeflate: true } },
  "compression that the server does not have": { headers: [`Sec-WebSocket-Extensions: ${OFFER}`] },
  "another extension": {
    options: { perMessageDeflate: true },
    headers: ["Sec-WebSocket-Extensions: foo; bar=1"],
  },
  "a malformed extension": {
    options: { perMessageDeflate: true },
    headers: ["Sec-WebSocket-Extensions: permessage-deflate; ="],
    messages: 0,
  },
  "an unacceptable extension": {
    options: { perMessageDeflate: true },
    headers: ["Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99"],
    messages: 0,
  },
  "allowRequest that allows": {
    options: { allowRequest: (request, next) => next(null, request.headers.host !== "") },
  },
  "allowRequest that allows later": {
    options: { allowRequest: (_request, next) => setImmediate(next, null, true) },
  },
  "allowRequest that forbids": {
    options: { allowRequest: (_request, next) => next("not you", false) },
    messages: 0,
  },
  "allowRequest that forbids in other letters": {
    options: { allowRequest: (_request, next) => next("žluťoučký", false) },
    messages: 0,
  },
  "allowRequest that forbids without a reason": {
    options: { allowRequest: (_request, next) => setImmediate(next, null, false) },
    messages: 0,
  },
  "allowRequest that destroys the socket": {
    options: { allowRequest: ({ socket }) => socket.destroy() },
    messages: 0,
  },
  "allowRequest that answers by the socket": {
    options: {
      allowRequest: ({ socket }) => socket.end("HTTP/1.1 429 Too Many Requests\r\n\r\nlater"),
    },
    messages: 0,
  },
  "middlewares that set headers": {
    prepare: ({ io, see }) => {
      io.engine.use((request, response, next) => {
        see("first", request.method, request._query.transport, response.getHeader("x-a"));
        response.setHeader("x-a", "1");
        response.setHeader("x-b", ["2", "3"]);
        next();
      });
      io.engine.use(async (_request, response, next) => {
        see("second", response.getHeader("x-a"));
        response.removeHeader("x-a");
        next();
      });
      io.engine.use((_request, _response, next) => setImmediate(next));
    },
  },
  "a middleware that fails": {
    prepare: ({ io }) => io.engine.use((_request, _response, next) => next(new Error("no"))),
    messages: 0,
  },
  "a middleware that throws": {
    prepare: ({ io }) => {
      io.engine.use(() => {
        throw new Error("no");
      });
    },
    messages: 0,
  },
  "a middleware that ends the response": {
    prepare: ({ io, see }) => {
      io.engine.use((_request, response) => {
        response.on("finish", () => see("finish"));
        response.on("close", () => see("close of the response"));
        response.writeHead(401);
        response.end();
      });
    },
    messages: 0,
  },
  "a middleware that ends the response and goes on": {
    prepare: ({ io }) => {
      io.engine.use((_request, response, next) => {
        response.end();
        next();
      });
    },
    messages: 0,
  },
  "listeners of headers": {
    prepare: ({ io, see }) => {
      io.engine.on("initial_headers", (headers, request) => {
        see("initial_headers", { ...headers }, request.url);
        headers["X-Initial"] = "1";
      });
      io.engine.on("headers", (headers, request) => {
        see("headers", { ...headers }, request.url);
        headers["X-Each"] = "2";
      });
    },
  },
  "listeners of ws": {
    prepare: ({ io, see }) => {
      io.httpServer.on("listening", () => {
        io.engine.ws.on("headers", (lines, request) => {
          see("headers of ws", lines.length, request.url);
          lines.push("X-Late: 1");
        });
      });
    },
  },
  "ids of the program": {
    prepare: ({ io }) => {
      io.engine.generateId = ({ headers }) => `of ${headers.host} {}`;
    },
  },
  "ids of the program, later": {
    prepare: ({ io }) => {
      io.engine.generateId = async () => {
        await new Promise(setImmediate);
        return "later";
      };
    },
  },
  "a method of the program in the place of engine.io's": {
    prepare: ({ io, see }) => {
      const { verify } = io.engine;
      io.engine.verify = function (request, isUpgrade, callback) {
        see("verify", request.url, isUpgrade);
        verify.call(this, request, isUpgrade, callback);
      };
    },
  },
  "listeners of packets of all sockets": {
    prepare: ({ io, see }) => {
      io.engine.on("flush", (_conn, packets) =>
        see(
          "flush",
          packets.map(({ type }) => type),
        ),
      );
      io.engine.on("drain", () => see("drain"));
    },
  },
  "a message that is sent at once": {
    prepare: ({ io }) => io.engine.on("connection", (conn) => conn.send("{first}")),
    messages: 2,
  },
  "a socket that is closed at once": {
    prepare: ({ io, see }) => {
      io.engine.on("connection", (conn) => {
        conn.close();
        see("closed", conn.readyState);
      });
    },
  },
};

/** Methods of engine.io's server and of ws's, each of which a program may replace on one server. */
const METHODS = {
  engine: [
    "_applyMiddlewares",
    "createTransport",
    "generateId",
    "handshake",
    "onWebSocket",
    "prepare",
    "verify",
  ],
  ws: ["handleUpgrade", "completeUpgrade", "shouldHandle", "emit"],
};

/** Puts a method in front of one of an object's class. */
function wrap(object, name, see) {
  const method = object[name];
  object[name] = function (...args) {
    see(name, args.length);
    return method.apply(this, args);
  };
}

for (const name of METHODS.engine) {
  scenarios[`${name}() of the program`] = {
    prepare: ({ io, see }) => wrap(io.engine, name, see),
  };
}
for (const name of METHODS.ws) {
  scenarios[`${name}() of the program in the place of ws's`] = {
    prepare: ({ io, see }) => {
      io.httpServer.on("listening", () => wrap(io.engine.ws, name, see));
    },
  };
}

describe("A handshake with", { skip: !hasEngine }, () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    test(name, GUARD, async (t) => {
      const passed = JSON.stringify(stats().server.passed);
      const expected = await exchange(t, stock, scenario);
      const actual = await exchange(t, ours, scenario);
      assert.deepEqual(actual, expected);
      // The oracle itself shows that the scenario takes place.
      assert.match(
        expected.received,
        scenario.messages === 0 ? /^$|^HTTP\/1\.1 4/ : /^HTTP\/1\.1 101/,
      );
      assert.equal(JSON.stringify(stats().server.passed), passed);
    });
  }

  test("requests of other paths and transports", GUARD, async (t) => {
    const request =
      "GET /socket.io/?EIO=4&transport=none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const answers = [];
    for (const kind of [stock, ours]) {
      const { log, enter } = await serve(t, kind, {});
      const client = await enter();
      client.write(request);
      answers.push([await client.ended(), log]);
    }
    assert.deepEqual(answers[1], answers[0]);
  });

  test("a store of its own for each connection", GUARD, async (t) => {
    const results = [];
    for (const kind of [stock, ours]) {
      const storage = new AsyncLocalStorage();
      const seen = [];
      let count = 0;
      const allowRequest = (_request, next) => {
        const outer = storage.getStore();
        storage.enterWith(`${outer} ${++count}`);
        next(null, true);
      };
      const { enter } = await serve(t, kind, {
        options: { allowRequest },
        prepare: ({ io }) => {
          io.engine.on("connection", (conn) => {
            const store = storage.getStore();
            conn.on("data", (data) => seen.push({ data, store, atData: storage.getStore() }));
          });
        },
      });
      const clients = [];
      for (const text of ["1", "2"]) {
        const client = await enter();
        client.write(headOf());
        await client.until(isOpened(1));
        clients.push([client, text]);
      }
      // A masked frame whose mask is 0.
      for (const [client, text] of clients) client.write(`\x81\x82\0\0\0\x004${text}`);
      await polled(() => seen.length === 2);
      results.push(seen.sort((a, b) => a.data - b.data));
    }
    const atData = (list) => list.map(({ data, atData }) => [data, atData]);
    assert.deepEqual(atData(results[1]), atData(results[0]));
    // With Node.js, the second request may be handled in the context of the first one.
    assert.deepEqual(
      results[1].map(({ store }) => store),
      ["undefined 1", "undefined 2"],
    );
    assert.equal(results[0][0].store, "undefined 1");
  });
});
