"use strict";

/** `request.js` compared with what Node.js and engine.io make of the same heads. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const http = require("node:http");
const net = require("node:net");
const { PassThrough } = require("node:stream");
const { describe, test } = require("node:test");
const { inspect } = require("node:util");
const engine = require("engine.io");
const { createRequest } = require("../../lib/server/request.js");
const { chromeHead, generatedHeads, headOf, startServer } = require("../support/heads.js");
const { polled } = require("../support/observed.js");
const { SEED } = require("../support/random.js");

/** Stands for a connection on a worker. */
class StandIn {
  workers = {};
  endError = null;
  handle = null;

  constructor(websocket) {
    this.websocket = websocket;
  }

  traffic() {
    return [0, 0, 0, -1, 1];
  }

  pause() {}
}

/** Makes requests as Node.js does and as we do, which have to be equal. */
async function startPair(t, options) {
  const { server, upgrade } = await startServer(t, options);
  const engineServer = new engine.Server();
  const websocket = { name: "websocket" };
  /** @returns {Promise<{ theirs: http.IncomingMessage, ours: http.IncomingMessage }>} */
  return async function pairOf(head) {
    const theirs = await upgrade(head);
    engineServer.prepare(theirs);
    theirs.websocket = websocket;
    const { remoteAddress } = theirs.socket;
    const connection = new StandIn(websocket);
    return { theirs, ours: createRequest({ head, remoteAddress, connection, server }) };
  };
}

/** Names of all properties of an object and its prototypes. */
function namesOf(object) {
  const names = new Set();
  for (let part = object; part !== Object.prototype; part = Object.getPrototypeOf(part)) {
    for (const name of Reflect.ownKeys(part)) names.add(name);
  }
  return [...names];
}

/** Properties that refer to the connection, and the one whose reading adds a listener, until Node.js 24.20. */
const COMPARED_APART = ["socket", "client", "connection", "signal"];

/** Asserts that two requests have equal values in all properties but methods. */
function assertEqualMembers(ours, theirs) {
  const names = namesOf(theirs).filter((name) => !COMPARED_APART.includes(name));
  // Some make others when they are read.
  for (const request of [ours, theirs]) for (const name of names) void request[name];
  for (const name of names) {
    const [our, their] = [ours[name], theirs[name]];
    if (typeof their === "function") assert.equal(typeof our, "function", String(name));
    else if (their instanceof net.Socket) assert.ok(our instanceof net.Socket, String(name));
    else assert.deepEqual(our, their, String(name));
  }
}

/** Returns the state of a stream. */
function stateOf(stream) {
  const { readable, readableFlowing, readableEnded, readableAborted, readableDidRead } = stream;
  const { destroyed, closed, errored, aborted, complete } = stream;
  const flow = { readable, readableFlowing, readableEnded, readableAborted, readableDidRead };
  return { ...flow, destroyed, closed, errored, aborted, complete };
}

/** Returns the own properties of a request, the symbols by their descriptions. */
function ownKeysOf(request) {
  return Reflect.ownKeys(request).map(String);
}

describe("the request of a connection that Node.js has never had", () => {
  for (const joinDuplicateHeaders of [false, true]) {
    test(`equals Node's for generated heads; joinDuplicateHeaders: ${joinDuplicateHeaders}`, async (t) => {
      const pairOf = await startPair(t, { joinDuplicateHeaders });
      for (const head of generatedHeads(SEED + Number(joinDuplicateHeaders), 150)) {
        const { theirs, ours } = await pairOf(head);
        const again = (await pairOf(head)).ours;
        for (const request of [ours, again]) {
          assert.deepEqual(request.headers, theirs.headers);
          assert.deepEqual(Object.keys(request.headers), Object.keys(theirs.headers));
          assert.deepEqual(request.rawHeaders, theirs.rawHeaders);
          assert.deepEqual(request._query, theirs._query);
          assert.equal(request.url, theirs.url);
        }
        assertEqualMembers(ours, theirs);
        assert.deepEqual(ownKeysOf(ours), ownKeysOf(theirs));
        assertEqualMembers(again, theirs);
      }
    });
  }

  test("has equal members, each read first", async (t) => {
    const pairOf = await startPair(t);
    const { theirs, ours: sample } = await pairOf(chromeHead);
    for (const name of namesOf(theirs)) {
      if (COMPARED_APART.includes(name)) continue;
      const { ours } = await pairOf(chromeHead);
      const [our, their] = [ours[name], theirs[name]];
      if (typeof their !== "function") assert.deepEqual(our, their, String(name));
      else if (Object.hasOwn(theirs, name)) assert.equal(typeof our, "function");
      else if (name !== "hasOwnProperty") assert.equal(our, their, String(name));
      assert.equal(name in sample, true, String(name));
    }
  });

  test("is an instance of the class, whose loops find the same names", async (t) => {
    const pairOf = await startPair(t);
    const { theirs, ours } = await pairOf(chromeHead);
    assert.ok(ours instanceof http.IncomingMessage);
    assert.equal(ours.constructor, http.IncomingMessage);
    const named = (request) => {
      const names = [];
      for (const name in request) names.push(name);
      return names.sort();
    };
    assert.deepEqual(named(ours), named(theirs));
    assert.deepEqual(Object.keys(ours), []);
    assert.ok(Reflect.apply(ours.hasOwnProperty, ours, ["url"]));
    assert.deepEqual(Object.keys(ours), Object.keys(theirs));
  });

  test("reads and writes of what programs use leave it lean", async (t) => {
    const { ours } = await (await startPair(t))(chromeHead);
    ours.session = { id: "s" };
    ours.url += "&more=1";
    ours.user = "u";
    const { headers, rawHeaders, method, httpVersion, connection, client } = ours;
    headers.origin = null;
    assert.equal(ours.headers.origin, null);
    assert.equal(ours.rawHeaders, rawHeaders);
    assert.deepEqual([method, httpVersion], ["GET", "1.1"]);
    assert.equal(connection, ours.socket);
    assert.equal(client, connection);
    assert.equal(connection.encrypted, undefined);
    assert.equal(connection.remoteAddress, "127.0.0.1");
    assert.deepEqual(Object.keys(ours).sort(), ["rawHeaders", "session", "url", "user"]);
    assert.notEqual(Object.getPrototypeOf(ours), http.IncomingMessage.prototype);
  });

  test("keeps what a program has set when it expands", async (t) => {
    const { ours, theirs } = await (await startPair(t))(chromeHead);
    for (const request of [ours, theirs]) {
      request.session = { id: "s" };
      request.url = "/rewritten";
      request.headers.origin = "changed";
      request.headers.mine = "added";
      request.method = "POST";
      request._query = { mine: "1" };
      request.statusCode = 5;
      Object.defineProperty(request, "user", { value: "u", configurable: true });
      delete request.session.id;
    }
    const { headers } = ours;
    for (const request of [ours, theirs]) request.on("mine", assert.fail);
    assert.equal(Object.getPrototypeOf(ours), http.IncomingMessage.prototype);
    assert.equal(ours.headers, headers);
    assertEqualMembers(ours, theirs);
    assert.deepEqual(ownKeysOf(ours), ownKeysOf(theirs));
    assert.equal(Object.getOwnPropertyDescriptor(ours, "user").enumerable, false);
    assert.equal(ours.signal?.aborted, theirs.signal?.aborted);
  });

  test("headers can be replaced", async (t) => {
    for (const request of Object.values(await (await startPair(t))(chromeHead))) {
      const headers = { mine: "x" };
      request.headers = headers;
      assert.equal(request.headers, headers);
      request.emit("mine");
      assert.equal(request.headers, headers);
      request.headers = null;
      assert.equal(request.headers.host, "localhost:3000");
    }
  });

  test("can be read when it is frozen", async (t) => {
    const { ours, theirs } = await (await startPair(t))(chromeHead);
    // Without this, reading them throws with Node's, too.
    for (const request of [ours, theirs]) void request.headers;
    for (const request of [ours, theirs]) Object.freeze(request);
    for (const name of ["method", "url", "headers", "rawHeaders", "_query", "upgrade", "complete"])
      assert.deepEqual(ours[name], theirs[name]);
  });

  test("works as the prototype of another object, and behind a proxy", async (t) => {
    for (const request of Object.values(await (await startPair(t))(chromeHead))) {
      const heir = Object.create(request);
      heir.url = "/heir";
      assert.deepEqual([heir.url, request.method], ["/heir", "GET"]);
      assert.equal(heir.headers.host, "localhost:3000");
      const proxy = new Proxy(request, {});
      assert.equal(proxy.httpVersion, "1.1");
      proxy.mine = 1;
      assert.equal(proxy.readable, true);
      assert.equal(request.mine, 1);
      assert.equal(heir.readable, true);
      assert.equal(heir.url, "/heir");
    }
  });

  test("can be read as a stream, which is at its end", async (t) => {
    const pairOf = await startPair(t);
    const ways = {
      on: async (request) => {
        request.on("data", () => assert.fail());
        await once(request, "end");
      },
      pipe: (request) => once(request.pipe(new PassThrough()).resume(), "end"),
      loop: async (request) => {
        for await (const _chunk of request) assert.fail();
      },
      read: async (request) => {
        assert.equal(request.read(), null);
        await once(request, "end");
      },
      setEncoding: async (request) => {
        assert.equal(request.setEncoding("utf8"), request);
        await once(request.resume(), "end");
      },
      readable: async (request) => {
        const events = [];
        request.on("readable", () => events.push("readable"));
        request.on("end", () => events.push("end"));
        request.resume();
        request.on("readable", () => events.push("second"));
        await once(request, "end");
        return events;
      },
    };
    for (const [name, way] of Object.entries(ways)) {
      const { ours, theirs } = await pairOf(chromeHead);
      const [expected, actual] = [await way(theirs), await way(ours)];
      assert.deepEqual(actual, expected, name);
      assert.deepEqual(stateOf(ours), stateOf(theirs), name);
    }
  });

  test("express's way of giving it another prototype keeps its values", async (t) => {
    for (const request of Object.values(await (await startPair(t))(chromeHead))) {
      request.res = {};
      Object.setPrototypeOf(request, Object.create(http.IncomingMessage.prototype));
      assert.equal(request.url, "/socket.io/?EIO=4&transport=websocket");
      assert.equal(request.headers.upgrade, "websocket");
    }
  });

  test("is printed as Node's", async (t) => {
    const { ours, theirs } = await (await startPair(t))(chromeHead);
    // Sockets differ: they are compared on their own.
    for (const request of [ours, theirs]) {
      request.socket = null;
      request.client = null;
    }
    assert.equal(inspect(ours), inspect(theirs));
    assert.equal(JSON.stringify(ours), JSON.stringify(theirs));
  });

  test("without an upgrade it is as engine.io leaves it after the response", async (t) => {
    const { server } = await startServer(t);
    const engineServer = engine.attach(server);
    const path = "/engine.io/?EIO=4&transport=polling";
    const connected = once(engineServer, "connection");
    http.get({ port: server.address().port, path, headers: { a: "b" } }, (response) => {
      response.resume();
    });
    const [{ request: theirs }] = await connected;
    await polled(() => theirs.closed);
    const { rawHeaders } = theirs;
    const lines = [0, 2, 4].map((index) => `${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
    const head = headOf(path, lines);
    const ours = createRequest({ head, remoteAddress: "::1", connection: new StandIn({}), server });
    assert.equal(ours.res, null);
    assert.equal(ours.parser, theirs.parser);
    // Of the listeners that Node.js and engine.io leave there.
    const added = ["cleanup", "_eventsCount"];
    ours.setMaxListeners(1);
    assert.deepEqual(
      ownKeysOf(ours),
      ownKeysOf(theirs).filter((key) => !added.includes(key)),
    );
    assert.deepEqual(stateOf(ours), stateOf(theirs));
    assert.equal(ours._dumped, theirs._dumped);
    assert.deepEqual(ours.headers, theirs.headers);
  });

  test("without an upgrade it says so, and has no WebSocket", () => {
    const head = headOf("/socket.io/?EIO=4&transport=polling", [
      "Host: a",
      "Connection: keep-alive",
    ]);
    const server = new http.Server();
    const connection = new StandIn({});
    const request = createRequest({ head, remoteAddress: "::1", connection, server });
    assert.equal(request.upgrade, false);
    assert.equal(request.websocket, undefined);
    assert.deepEqual({ ...request._query }, { EIO: "4", transport: "polling" });
    request.emit("x");
    assert.equal("websocket" in request, false);
  });
});

test("a socket is an instance of the class and stays lean for what Socket.IO reads", () => {
  const server = new http.Server();
  const connection = new StandIn();
  const { socket } = createRequest({ head: chromeHead, remoteAddress: "::1", connection, server });
  assert.ok(socket instanceof net.Socket);
  assert.equal(socket.server, server);
  assert.equal(socket.parser, null);
  assert.equal(socket.remoteAddress, "::1");
});
