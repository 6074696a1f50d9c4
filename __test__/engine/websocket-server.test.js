"use strict";

/** `WebSocketServer` alone, as users of ws use it. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer, get } = require("node:http");
const net = require("node:net");
const { test } = require("node:test");
const { WebSocket } = require("ws");
const { listen } = require("../support/tcp-server.js");
const { arrived, connect, connectPair, startServer } = require("../support/websocket/pair.js");
const { describeServers } = require("../support/websocket/servers.js");

const GUARD = { timeout: 30_000 };

/** Starts an HTTP server, which is closed after the test. */
async function startHttp(t) {
  const httpServer = createServer((_request, response) => response.end("page"));
  const { port } = await listen(httpServer);
  t.after(() => {
    httpServer.close();
    httpServer.closeAllConnections();
  });
  return { httpServer, origin: `127.0.0.1:${port}` };
}

/** Closes a server without a port of its own, with its connections, after the test. */
function endAfter(t, server) {
  t.after(() => {
    for (const socket of server.clients ?? []) socket.terminate();
    server.close();
  });
  return server;
}

/** Asserts that text arrives in both directions. */
async function assertTalks({ client, socket }) {
  client.send("to the server");
  assert.deepEqual(await once(socket, "message"), [Buffer.from("to the server"), false]);
  socket.send("to the client");
  assert.deepEqual(await once(client, "message"), [Buffer.from("to the client"), false]);
}

/** Returns the status of the response to an upgrade that the server refuses. */
async function refusalOf(url) {
  const client = new WebSocket(url);
  const [, response] = await once(client, "unexpected-response");
  response.resume();
  return response.statusCode;
}

/** Returns the response to a handshake with added or replaced headers. */
async function responseTo(port, headers) {
  const handshake = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const request = get({ host: "127.0.0.1", port, headers: { ...handshake, ...headers } });
  const [response] = await once(request, "response");
  response.resume();
  return response;
}

describeServers("new WebSocketServer()", (kind) => {
  const { WebSocketServer } = kind;

  test("listens on a port of its own", GUARD, async (t) => {
    const { server, request, ...pair } = await connectPair(t, kind);
    assert.equal(server.address().address, "127.0.0.1");
    assert.ok(server.address().port > 0);
    assert.equal(request.headers.upgrade, "websocket");
    await assertTalks(pair);
    const response = await fetch(`http://127.0.0.1:${server.address().port}/`);
    assert.equal(response.status, 426);
    assert.equal(await response.text(), "Upgrade Required");
  });

  test("calls its callback when it listens", GUARD, async (t) => {
    const server = await new Promise((resolve) => {
      const created = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => resolve(created));
    });
    endAfter(t, server);
    await assertTalks(await connect(t, server));
  });

  test("shares a server with its pages", GUARD, async (t) => {
    const { httpServer, origin } = await startHttp(t);
    const server = endAfter(t, new WebSocketServer({ server: httpServer, path: "/ws" }));
    assert.equal(await (await fetch(`http://${origin}/`)).text(), "page");
    await assertTalks(await connect(t, server, { url: `ws://${origin}/ws?query` }));
    assert.equal(await refusalOf(`ws://${origin}/other`), 400);
    assert.equal(await (await fetch(`http://${origin}/`)).text(), "page");
  });

  test("accepts upgrades through handleUpgrade(), without a server", GUARD, async (t) => {
    const { httpServer, origin } = await startHttp(t);
    const servers = {
      "/a": endAfter(t, new WebSocketServer({ noServer: true })),
      "/b": endAfter(t, new WebSocketServer({ noServer: true })),
    };
    httpServer.on("upgrade", (request, socket, head) => {
      const server = servers[request.url];
      server.handleUpgrade(request, socket, head, (webSocket, upgraded) => {
        assert.equal(upgraded, request);
        server.emit("connection", webSocket, request);
      });
    });
    for (const [path, server] of Object.entries(servers)) {
      await assertTalks(await connect(t, server, { url: `ws://${origin}${path}` }));
      assert.equal(server.clients.size, 1);
      assert.throws(() => server.address(), /noServer/);
    }
  });

  for (const options of [{}, { port: 0, noServer: true }, { port: 0, server: createServer() }]) {
    test(`refuses ${Object.keys(options).join(" and ") || "no options"}`, GUARD, () => {
      assert.throws(() => new WebSocketServer(options), {
        name: "TypeError",
        message:
          'One and only one of the "port", "server", or "noServer" options must be specified',
      });
    });
  }

  test("refuses a socket that is passed to it twice", GUARD, async (t) => {
    const { httpServer, origin } = await startHttp(t);
    const server = endAfter(t, new WebSocketServer({ noServer: true }));
    const thrown = new Promise((resolve) => {
      httpServer.on("upgrade", (request, socket, head) => {
        server.handleUpgrade(request, socket, head, () => {
          try {
            server.handleUpgrade(request, socket, head, () => {});
          } catch (error) {
            resolve(error);
          }
        });
      });
    });
    const client = new WebSocket(`ws://${origin}/`);
    t.after(() => client.terminate());
    await once(client, "open");
    assert.match((await thrown).message, /called more than once with the same socket/);
  });

  test("reads frames that arrive together with the request", GUARD, async (t) => {
    const server = await startServer(t, kind);
    const messages = [];
    server.on("connection", (socket) => {
      socket.on("message", (data) => messages.push(String(data)));
    });
    const { port } = server.address();
    const client = net.connect(port, "127.0.0.1");
    client.write(
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
        "\x81\x85\0\0\0\0early\x88\x80\0\0\0\0",
      "latin1",
    );
    let response = "";
    client.on("data", (bytes) => {
      response += bytes.toString("latin1");
    });
    client.on("end", () => client.end());
    await once(client, "close");
    assert.deepEqual(messages, ["early"]);
    assert.match(response, /^HTTP\/1.1 101 .*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/s);
    assert.ok(response.endsWith("\x88\x00"));
  });

  test("creates instances of a class of the user", GUARD, async (t) => {
    class Greeter extends WebSocket {
      greet() {
        this.send("hello");
      }
    }
    const { client, socket } = await connectPair(t, kind, { WebSocket: Greeter });
    assert.ok(socket instanceof Greeter);
    socket.greet();
    assert.deepEqual(await once(client, "message"), [Buffer.from("hello"), false]);
  });
});

describeServers("the handshake of a WebSocketServer", (kind) => {
  test("chooses the first protocol, or that of handleProtocols", GUARD, async (t) => {
    const protocols = ["one", "two"];
    const first = await connectPair(t, kind, {}, { protocols });
    assert.equal(first.client.protocol, "one");
    assert.equal(first.socket.protocol, "one");
    const handleProtocols = (offered) => [...offered].at(-1);
    const chosen = await connectPair(t, kind, { handleProtocols }, { protocols });
    assert.equal(chosen.client.protocol, "two");
    assert.equal(chosen.socket.protocol, "two");
  });

  test("sends the headers that a listener adds", GUARD, async (t) => {
    const server = await startServer(t, kind);
    server.on("headers", (headers, request) => headers.push(`X-Url: ${request.url}`));
    const client = new WebSocket(`ws://127.0.0.1:${server.address().port}/path`);
    t.after(() => client.terminate());
    const [response] = await once(client, "upgrade");
    assert.equal(response.headers["x-url"], "/path");
  });

  test("calls verifyClient, which may answer at once or later", GUARD, async (t) => {
    const verifiers = {
      401: ({ req }) => req.url === "/good",
      403: ({ req }, decide) =>
        setImmediate(decide, req.url === "/good", 403, "no", { "X-Why": "bad" }),
    };
    for (const [status, verifyClient] of Object.entries(verifiers)) {
      const server = await startServer(t, kind, { verifyClient });
      const url = `ws://127.0.0.1:${server.address().port}`;
      assert.equal(await refusalOf(`${url}/bad`), Number(status));
      await assertTalks(await connect(t, server, { url: `${url}/good` }));
    }
  });

  test(
    "responds to requests that are no handshakes, or leaves them to a listener",
    GUARD,
    async (t) => {
      const server = await startServer(t, kind);
      const { port } = server.address();
      const { statusCode, headers } = await responseTo(port, { "Sec-WebSocket-Version": "12" });
      assert.equal(statusCode, 400);
      assert.equal(headers["sec-websocket-version"], "13, 8");
      server.on("wsClientError", (error, socket) => {
        socket.end(
          `HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\nX-Why: ${error.message}\r\n\r\n`,
        );
      });
      assert.equal((await responseTo(port, { "Sec-WebSocket-Key": "short" })).statusCode, 418);
    },
  );
});

describeServers("the end of a WebSocketServer", (kind) => {
  const { WebSocketServer } = kind;

  test("leaves its clients connected, and waits for them", GUARD, async (t) => {
    const { server, ...pair } = await connectPair(t, kind);
    let isClosed = false;
    server.close((error) => {
      assert.equal(error, undefined);
      isClosed = true;
    });
    await assertTalks(pair);
    assert.equal(isClosed, false);
    const closed = once(server, "close");
    pair.client.close();
    await closed;
    assert.equal(isClosed, true);
    await assert.rejects(
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
      }),
      { message: "The server is not running" },
    );
  });

  test("waits for its clients also without a port of its own", GUARD, async (t) => {
    const { httpServer, origin } = await startHttp(t);
    const server = endAfter(t, new WebSocketServer({ server: httpServer }));
    const { client } = await connect(t, server, { url: `ws://${origin}/` });
    const closed = once(server, "close");
    server.close();
    client.terminate();
    await closed;
    assert.equal(server.clients.size, 0);
    assert.equal(await (await fetch(`http://${origin}/`)).text(), "page");
  });

  test("refuses upgrades afterwards", GUARD, async (t) => {
    const { httpServer, origin } = await startHttp(t);
    const server = new WebSocketServer({ noServer: true });
    httpServer.on("upgrade", (request, socket, head) => {
      server.handleUpgrade(request, socket, head, assert.fail);
    });
    server.close();
    assert.equal(await refusalOf(`ws://${origin}/`), 503);
  });

  test("lists its clients", GUARD, async (t) => {
    const server = await startServer(t, kind);
    const pairs = [await connect(t, server), await connect(t, server), await connect(t, server)];
    const sockets = () => pairs.map(({ socket }) => socket);
    assert.deepEqual([...server.clients], sockets());
    const ends = [({ client }) => client.close(), ({ socket }) => socket.terminate()];
    for (const end of ends) {
      const [gone] = pairs.splice(1, 1);
      const closed = once(gone.socket, "close");
      end(gone);
      await closed;
      assert.deepEqual([...server.clients], sockets());
    }
    await assertTalks(pairs[0]);
  });

  test("lists no clients with clientTracking: false", GUARD, async (t) => {
    const { httpServer, origin } = await startHttp(t);
    const server = new WebSocketServer({ server: httpServer, clientTracking: false });
    const pair = await connect(t, server, { url: `ws://${origin}/` });
    assert.equal(server.clients, undefined);
    const closed = once(server, "close");
    server.close();
    await closed;
    await assertTalks(pair);
    await arrived(pair.socket);
  });
});
