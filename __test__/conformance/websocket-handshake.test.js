"use strict";

/** Opening handshakes, RFC 6455 §4.2, and bytes around them. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { test } = require("node:test");
const { WebSocket } = require("ws");
const { listen } = require("../support/tcp-server.js");
const {
  ACCEPT,
  WebSocketClient,
  nextTurn,
  upgradeRequest,
} = require("../support/websocket/client.js");
const { binary, close, piecesOf, ping, text } = require("../support/websocket/frames.js");
const {
  RecordingServer,
  describeServers,
  recordingServer,
} = require("../support/websocket/servers.js");

/** Runs a test with a server of its own. */
async function withServer(kind, options, run) {
  const server = new RecordingServer(kind, options);
  try {
    await server.listening();
    await run(server);
  } finally {
    await server.stop();
  }
}

/** Asserts that the response to a request is an HTTP error, and the connection ends. */
async function assertRejected(server, request, status, { body, headers = {} } = {}) {
  const { client, application } = await server.connect(request);
  assert.equal(client.response?.status, status);
  await client.ended();
  client.finish();
  if (body !== undefined) assert.equal(client.response.body, body);
  assert.equal(client.response.headers.connection, "close");
  for (const [name, value] of Object.entries(headers)) {
    assert.equal(client.response.headers[name], value);
  }
  assert.deepEqual(client.frames, []);
  assert.equal(application.websocket, undefined);
  client.destroy();
}

/** Asserts that a request is accepted; returns the headers of the response. */
async function assertAccepted(server, request) {
  const { client, application } = await server.connect(request);
  assert.equal(client.response?.status, 101);
  await client.write(text("message"));
  await client.close();
  assert.deepEqual(await application.closed(), [
    ["text", "message"],
    ["close", 1000, ""],
  ]);
  return { headers: client.response.headers, application };
}

describeServers("RFC 6455 §4.2.2, requests that are accepted", (kind) => {
  const server = recordingServer(kind);

  test("the response has these headers and no others", async () => {
    const { headers } = await assertAccepted(server);
    assert.deepEqual(headers, {
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-accept": ACCEPT,
    });
  });

  for (const version of ["13", "8"]) {
    test(`version ${version} is accepted`, () =>
      assertAccepted(server, { headers: { "Sec-WebSocket-Version": version } }));
  }

  test("§4.2.1: the names of the upgrade are compared without regard to case", () =>
    assertAccepted(server, {
      headers: { Upgrade: "WebSocket", Connection: "keep-alive, UPGRADE" },
    }));

  test("§4.2.2: the first of the subprotocols is chosen", async () => {
    const names = { "Sec-WebSocket-Protocol": "chat, superchat" };
    const { headers, application } = await assertAccepted(server, { headers: names });
    assert.equal(headers["sec-websocket-protocol"], "chat");
    assert.equal(application.websocket.protocol, "chat");
  });

  test("no extension is negotiated by default", async () => {
    const offer = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
    const { headers, application } = await assertAccepted(server, { headers: offer });
    assert.equal(headers["sec-websocket-extensions"], undefined);
    assert.equal(application.websocket.extensions, "");
  });

  test("a request that is sent byte by byte is accepted", async () => {
    const { path, application } = server.expect();
    const client = new WebSocketClient(server.port);
    await client.write(piecesOf(Buffer.from(upgradeRequest({ path })), 1));
    await client.responded();
    assert.equal(client.response.status, 101);
    await client.close();
    assert.deepEqual(await application.closed(), [["close", 1000, ""]]);
  });
});

describeServers("RFC 6455 §4.2.1, requests that are rejected", (kind) => {
  const server = recordingServer(kind);
  const BAD_KEY = "Missing or invalid Sec-WebSocket-Key header";
  const BAD_PROTOCOL = "Invalid Sec-WebSocket-Protocol header";
  const BAD_VERSION = "Missing or invalid Sec-WebSocket-Version header";

  for (const version of [undefined, "", "0", "7", "9", "12", "14", "abc", "13, 8"]) {
    test(`§4.4: version ${version} is rejected, and the supported ones are named`, () =>
      assertRejected(server, { headers: { "Sec-WebSocket-Version": version } }, 400, {
        body: BAD_VERSION,
        headers: { "sec-websocket-version": "13, 8" },
      }));
  }

  for (const key of [
    undefined,
    "",
    "P5l8BJcZwRc=",
    "dGhlIHNhbXBsZSBub25jZQ",
    "dGhlIHNhbXBsZSBub25jZQ===",
    "dGhlIHNhbXBsZSBub25jZ!==",
  ]) {
    test(`the key ${key} is rejected`, () =>
      assertRejected(server, { headers: { "Sec-WebSocket-Key": key } }, 400, { body: BAD_KEY }));
  }

  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    test(`${method} is rejected`, () =>
      assertRejected(server, { method }, 405, { body: "Invalid HTTP method" }));
  }

  for (const upgrade of ["foo", "websockets", "h2c", "websocket, foo"]) {
    test(`an upgrade to ${upgrade} is rejected`, () =>
      assertRejected(server, { headers: { Upgrade: upgrade } }, 400, {
        body: "Invalid Upgrade header",
      }));
  }

  for (const names of ["", ",", "foo,,bar", ",foo", "foo,", "foo, foo", "foo bar", 'f"oo', "a;b"]) {
    test(`the subprotocols "${names}" are rejected`, () =>
      assertRejected(server, { headers: { "Sec-WebSocket-Protocol": names } }, 400, {
        body: BAD_PROTOCOL,
      }));
  }

  test("the response to a request without an upgrade names the requirement", async () => {
    const { client } = await server.connect({
      headers: { Upgrade: undefined, Connection: "close" },
    });
    assert.equal(client.response.status, 426);
    await client.ended();
    client.destroy();
  });

  test("the next connection is accepted", () => assertAccepted(server));
});

describeServers("options that affect a request", (kind) => {
  test("path: another path is rejected", () =>
    withServer(kind, { path: "/socket" }, async (server) => {
      await assertRejected(server, { path: "/other" }, 400, { body: "Bad Request" });
      const client = await WebSocketClient.open(server.port, { path: "/socket?query" });
      assert.equal(client.response.status, 101);
      await client.close();
    }));

  test("verifyClient: its refusal has its code, body and headers", () =>
    withServer(
      kind,
      { verifyClient: (_info, done) => done(false, 404, "who?", { "X-Why": "unknown" }) },
      (server) =>
        assertRejected(server, {}, 404, { body: "who?", headers: { "x-why": "unknown" } }),
    ));

  test("verifyClient: its synchronous refusal has the status 401", () =>
    withServer(kind, { verifyClient: () => false }, (server) =>
      assertRejected(server, {}, 401, { body: "Unauthorized" }),
    ));

  test("handleProtocols: its choice is sent", () =>
    withServer(
      kind,
      { handleProtocols: (names) => [...names].find((name) => name.startsWith("v2")) ?? false },
      async (server) => {
        const offered = { "Sec-WebSocket-Protocol": "v1.chat, v2.chat" };
        const chosen = await assertAccepted(server, { headers: offered });
        assert.equal(chosen.headers["sec-websocket-protocol"], "v2.chat");
        const none = await assertAccepted(server, { headers: { "Sec-WebSocket-Protocol": "v1" } });
        assert.equal(none.headers["sec-websocket-protocol"], undefined);
      },
    ));

  test("wsClientError: its listener responds instead", () =>
    withServer(kind, {}, async (server) => {
      server.server.on("wsClientError", (error, socket) => {
        socket.end(`HTTP/1.1 418 Teapot\r\nConnection: close\r\nX-Error: ${error.message}\r\n\r\n`);
      });
      await assertRejected(server, { headers: { "Sec-WebSocket-Key": undefined } }, 418, {
        headers: { "x-error": "Missing or invalid Sec-WebSocket-Key header" },
      });
    }));
});

describeServers("the headers event", (kind) => {
  test("can add headers to the response, and remove some", () =>
    withServer(kind, {}, async (server) => {
      server.server.once("headers", (headers, request) => {
        assert.equal(headers[0], "HTTP/1.1 101 Switching Protocols");
        headers.push(`Set-Cookie: url=${request.url}; HttpOnly`, "X-Second: yes");
      });
      const { headers } = await assertAccepted(server);
      assert.equal(headers["set-cookie"], "url=/0; HttpOnly");
      assert.equal(headers["x-second"], "yes");
    }));
});

describeServers("data around the handshake", (kind) => {
  const server = recordingServer(kind);
  const long = Buffer.alloc(300_000, "0123456789");
  const SESSION = Buffer.concat([text("one"), ping("two"), binary(long), close(1000, "bye")]);

  /** Sends a request and frames in the given pieces; asserts that the frames are received. */
  async function assertSession(cut) {
    const { path, application } = server.expect();
    const client = new WebSocketClient(server.port);
    const request = Buffer.from(upgradeRequest({ path }));
    await client.write(cut(Buffer.concat([request, SESSION]), request.length));
    assert.deepEqual(await client.wire(), [["pong", "two"], ["close", 1000, "bye"], "FIN"]);
    client.finish();
    const events = await application.closed();
    assert.deepEqual(
      events.map(([name]) => name),
      ["text", "ping", "binary", "close"],
    );
  }

  test("frames in the same segment as the request are read", () => assertSession((bytes) => bytes));

  for (const offset of [-2, 1, 2, 5, 9, 30]) {
    test(`frames are read if the first segment ends ${offset} bytes behind the request`, () =>
      assertSession((bytes, end) => [
        bytes.subarray(0, end + offset),
        bytes.subarray(end + offset),
      ]));
  }

  test("frames are read if request and frames arrive in small pieces", () =>
    assertSession((bytes, end) => [
      ...piecesOf(bytes.subarray(0, end + 40), 3),
      ...piecesOf(bytes.subarray(end + 40), 40_000),
    ]));

  test("frames that arrive before the response are read", () => {
    let accept;
    const verifyClient = (_info, done) => {
      accept = () => done(true);
    };
    return withServer(kind, { verifyClient }, async (server) => {
      const { path, application } = server.expect();
      const client = new WebSocketClient(server.port);
      await client.write([upgradeRequest({ path }), text("early")]);
      while (accept === undefined) await nextTurn();
      await client.write(piecesOf(SESSION, 20_000));
      for (let i = 0; i < 20; i++) await nextTurn();
      accept();
      assert.deepEqual(await client.wire(), [["pong", "two"], ["close", 1000, "bye"], "FIN"]);
      client.finish();
      const events = await application.closed();
      assert.deepEqual(events.slice(0, 2), [
        ["text", "early"],
        ["text", "one"],
      ]);
      assert.deepEqual(events.at(-1), ["close", 1000, "bye"]);
    });
  });

  test("messages that are sent in the connection event follow the response", () =>
    withServer(kind, {}, async (server) => {
      server.server.on("connection", (websocket) => {
        websocket.send("welcome");
        websocket.close(1000);
      });
      const { client } = await server.connect();
      await client.hasReceived(2);
      await client.close();
      assert.deepEqual(await client.wire(), [["text", "welcome"], ["close", 1000, ""], "FIN"]);
    }));

  test("a peer that disconnects before it is accepted causes no connection event", () => {
    let accept;
    const verifyClient = (_info, done) => {
      accept = () => done(true);
    };
    return withServer(kind, { verifyClient }, async (server) => {
      let connections = 0;
      server.server.on("connection", () => connections++);
      const client = new WebSocketClient(server.port);
      await client.write(upgradeRequest());
      while (accept === undefined) await nextTurn();
      client.reset();
      for (let i = 0; i < 20; i++) await nextTurn();
      accept();
      await client.ended();
      await assertSecondAccepted(server, () => accept());
      assert.equal(connections, 1);
    });
  });
});

/** Asserts that a connection is accepted once `accept` is called. */
async function assertSecondAccepted(server, accept) {
  const client = new WebSocketClient(server.port);
  await client.write(upgradeRequest());
  while (client.response === undefined) {
    accept();
    await nextTurn();
  }
  assert.equal(client.response.status, 101);
  await client.close();
}

/** Starts an HTTP server that leaves upgrades to a WebSocket server without one of its own. */
async function startWithoutServer(kind, options) {
  const webSocketServer = new kind.WebSocketServer({ noServer: true, ...options });
  const http = createServer();
  const { port } = await listen(http);
  const stop = async () => {
    http.close();
    http.closeAllConnections();
    await once(http, "close");
  };
  return { webSocketServer, http, port, stop };
}

describeServers("noServer", (kind) => {
  test("handleUpgrade() calls back with the WebSocket and the request", async () => {
    const { webSocketServer, http, port, stop } = await startWithoutServer(kind);
    const called = new Promise((resolve) => {
      http.once("upgrade", (request, socket, head) => {
        webSocketServer.handleUpgrade(request, socket, head, (...parameters) =>
          resolve([request, ...parameters]),
        );
      });
    });
    const client = await WebSocketClient.open(port, { path: "/no-server" });
    const [request, websocket, sameRequest] = await called;
    assert.equal(sameRequest, request);
    assert.ok(websocket instanceof WebSocket);
    assert.ok(webSocketServer.clients.has(websocket));
    websocket.send("hello");
    await client.hasReceived(1);
    await client.close();
    assert.deepEqual(client.frames[0], ["text", "hello"]);
    await stop();
  });

  test("a server that is closing responds with 503", async () => {
    const { webSocketServer, http, port, stop } = await startWithoutServer(kind);
    http.on("upgrade", (request, socket, head) => {
      webSocketServer.handleUpgrade(request, socket, head, () => assert.fail("accepted"));
    });
    webSocketServer.close();
    const client = await WebSocketClient.open(port);
    assert.equal(client.response.status, 503);
    assert.equal(await client.ended(), "FIN");
    assert.equal(client.response.body, "Service Unavailable");
    client.destroy();
    await stop();
  });

  test("clientTracking: false keeps no clients, and close() leaves them open", async () => {
    const { webSocketServer, http, port, stop } = await startWithoutServer(kind, {
      clientTracking: false,
    });
    const connected = new Promise((resolve) => {
      http.once("upgrade", (request, socket, head) => {
        webSocketServer.handleUpgrade(request, socket, head, resolve);
      });
    });
    const client = await WebSocketClient.open(port);
    const websocket = await connected;
    assert.equal(webSocketServer.clients, undefined);
    webSocketServer.close();
    await once(webSocketServer, "close");
    websocket.send("still here");
    await client.hasReceived(1);
    await client.close();
    await stop();
  });
});

describeServers("an HTTP server of one's own", (kind) => {
  test("serves requests, and WebSockets beside them", async () => {
    const http = createServer((_request, response) => response.end("plain"));
    await listen(http);
    await withServer(kind, { server: http }, async (server) => {
      const { client, application } = await server.connect();
      const response = await fetch(`http://127.0.0.1:${server.port}/`);
      assert.equal(await response.text(), "plain");
      await client.write(text("message"));
      await application.hasSeen(1);
      await client.close();
    });
    http.close();
    http.closeAllConnections();
    await once(http, "close");
  });

  test("throws when a socket is upgraded twice", async () => {
    const { webSocketServer, http, port, stop } = await startWithoutServer(kind);
    const error = new Promise((resolve) => {
      http.once("upgrade", (request, socket, head) => {
        webSocketServer.handleUpgrade(request, socket, head, () => {});
        try {
          webSocketServer.handleUpgrade(request, socket, head, () => {});
          resolve(undefined);
        } catch (error) {
          resolve(error);
        }
      });
    });
    const client = await WebSocketClient.open(port);
    assert.match((await error)?.message ?? "no error", /called more than once/);
    await client.close();
    await stop();
  });
});
