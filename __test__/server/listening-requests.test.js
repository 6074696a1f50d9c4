"use strict";

/**
 * Requests by hand to a server of `createServer()`: the answers, byte for byte, and the events are those of
 * Node.js. All that I/O threads do not serve has to arrive as if they had never seen it.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { connect, kinds, newServer, stock } = require("../support/http-servers.js");

const ours = kinds.filter(({ isOurs }) => isOurs);

/** Answers with what the server has understood of a request, unless it breaks off. */
async function answer(request, response) {
  let body = "";
  try {
    for await (const chunk of request.setEncoding("latin1")) body += chunk;
  } catch (error) {
    body += error.code;
  }
  const { method, url, httpVersion, rawHeaders, rawTrailers } = request;
  response.end(JSON.stringify({ method, url, httpVersion, rawHeaders, rawTrailers, body }));
}

/**
 * Sends requests to a server and returns the answers and the events, when the server has ended the connection.
 *
 * @param {import("../support/http-servers.js").Kind} kind
 * @param {string[]} parts each is sent when the server has got the one before
 * @param {(server: import("node:http").Server, events: unknown[]) => void} [prepare]
 */
async function exchange(t, kind, parts, prepare, options = {}) {
  const events = [];
  const server = newServer(t, kind, options, answer);
  prepare?.(server, events);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = await connect(t, server);
  for (const part of parts) {
    client.write(part);
    // So that they are packets of their own.
    await new Promise((resolve) => client.socket.write("", resolve));
    await new Promise(setImmediate);
  }
  return { received: await client.ended(), events };
}

const CLOSE = "Connection: close\r\n\r\n";
const HOST = "Host: a\r\n";
const get = (target, rest = `${HOST}${CLOSE}`) => `GET ${target} HTTP/1.1\r\n${rest}`;
const post = (rest) => `POST / HTTP/1.1\r\n${HOST}${rest}`;
const NEXT = get("/next");

/** The bytes of requests, in parts. The last request ends the connection. */
const REQUESTS = {
  "a request": [get("/")],
  "a request in two packets": [get("/a").slice(0, 9), get("/a").slice(9)],
  "a request byte by byte": [...get("/slow")],
  "empty lines before a request": [`\r\n\r\n${get("/")}`],
  "lines that end without a carriage return": [get("/").replaceAll("\r", "")],
  "a request of HTTP/1.0": ["GET / HTTP/1.0\r\n\r\n"],
  "a request of HTTP/1.0 that is kept alive": [
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /next HTTP/1.0\r\n\r\n",
  ],
  "two requests in one packet": [get("/", `${HOST}\r\n`) + NEXT],
  "twenty requests in one packet": [get("/", `${HOST}\r\n`).repeat(20) + NEXT],
  "a hundred requests, one after the other": [...Array(100).fill(get("/", `${HOST}\r\n`)), NEXT],
  "a body": [`${post("Content-Length: 5\r\n")}${CLOSE}hello`],
  "a body in parts": [`${post("Content-Length: 5\r\n")}${CLOSE}`, "he", "llo"],
  "a large body": [`${post("Content-Length: 300000\r\n")}${CLOSE}${"x".repeat(300_000)}`],
  "a body in chunks, with trailers": [
    `${post("Transfer-Encoding: chunked\r\nTrailer: x\r\n")}${CLOSE}`,
    "5\r\nhello\r\n",
    "1;name=value\r\n!\r\n0\r\nX: y\r\n\r\n",
  ],
  "a body that the head does not expect": [`${get("/", `${HOST}\r\n`)}hello`],
  "a request to the path of Socket.IO that is odd": [get("/socket.io/?EIO=4&transport=none")],
  "a request to a session that does not exist": [
    get("/socket.io/?EIO=4&transport=polling&sid=nobody"),
  ],
  "a request of an old protocol": [get("/socket.io/?EIO=3&transport=polling")],
  "a request in the form of a proxy": [get("http://a/socket.io/?EIO=4&transport=none")],
  "a request to a path that begins as that of Socket.IO": [get("/socket.iox?EIO=4")],
  "a request for a client file": [get("/socket.io/nothing.js")],
  "a method of Engine.IO that is unknown": [`PUT /socket.io/?EIO=4 HTTP/1.1\r\n${HOST}${CLOSE}`],
  "no host": ["GET / HTTP/1.1\r\n\r\n"],
  "an unknown method": [`BREW / HTTP/1.1\r\n${HOST}\r\n`],
  "no request": ["hello\r\n\r\n"],
  "bytes of TLS": ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  "an unknown version": [`GET / HTTP/9.9\r\n${HOST}\r\n`],
  "HTTP/2": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  "a space before a colon": [get("/", `${HOST}A : b\r\n${CLOSE}`)],
  "a folded header": [get("/", `${HOST}A: b\r\n  c\r\n${CLOSE}`)],
  "a character that no header may have": [get("/", `${HOST}A: \x01\r\n${CLOSE}`)],
  "a carriage return in a header": [get("/", `${HOST}A: b\rc\r\n${CLOSE}`)],
  "a null byte in a path": [get("/\x00")],
  "bytes of UTF-8 in a path": [get("/\xc3\xa9")],
  "a head that is too large": [get("/", `${HOST}A: ${"x".repeat(20_000)}\r\n${CLOSE}`)],
  "a head of Engine.IO that is too large": [
    get("/socket.io/?EIO=4&transport=polling", `${HOST}A: ${"x".repeat(20_000)}\r\n${CLOSE}`),
  ],
  "a path that is too large": [get(`/${"x".repeat(20_000)}`)],
  "many headers": [get("/", `${HOST}${"A: b\r\n".repeat(3_000)}${CLOSE}`)],
  "two hosts": [get("/", `${HOST}${HOST}${CLOSE}`)],
  "two equal lengths": [
    `${post("Content-Length: 5\r\nContent-Length: 5\r\n")}${CLOSE}hello${NEXT}`,
  ],
  "two lengths": [`${post("Content-Length: 5\r\nContent-Length: 0\r\n")}${CLOSE}hello${NEXT}`],
  "a length and chunks": [
    `${post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")}\r\n0\r\n\r\n${NEXT}`,
  ],
  "chunks and a length": [
    `${post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")}\r\n0\r\n\r\n${NEXT}`,
  ],
  "an unknown encoding": [`${post("Transfer-Encoding: zip\r\n")}\r\n0\r\n\r\n${NEXT}`],
  "chunks that are not last": [
    `${post("Transfer-Encoding: chunked, zip\r\n")}\r\n0\r\n\r\n${NEXT}`,
  ],
  "chunks twice": [`${post("Transfer-Encoding: chunked, chunked\r\n")}\r\n0\r\n\r\n${NEXT}`],
  "an encoding after a tab": [`${post("Transfer-Encoding:\tchunked\r\n")}\r\n0\r\n\r\n${NEXT}`],
  "a length with a sign": [`${post("Content-Length: +5\r\n")}\r\nhello${NEXT}`],
  "a length that is negative": [`${post("Content-Length: -5\r\n")}\r\nhello${NEXT}`],
  "a length that is too long": [`${post(`Content-Length: ${"9".repeat(30)}\r\n`)}\r\nhello${NEXT}`],
  "a chunk with a sign": [`${post("Transfer-Encoding: chunked\r\n")}\r\n+5\r\nhello\r\n0\r\n\r\n`],
  "a chunk whose line ends without a carriage return": [
    `${post("Transfer-Encoding: chunked\r\n")}\r\n5\nhello\r\n0\r\n\r\n${NEXT}`,
  ],
  "a chunk that is longer than its length": [
    `${post("Transfer-Encoding: chunked\r\n")}\r\n5\r\nhello!\r\n0\r\n\r\n${NEXT}`,
  ],
  "an expectation": [`${post("Content-Length: 5\r\nExpect: 100-continue\r\n")}${CLOSE}`, "hello"],
  "an unknown expectation": [`${post("Content-Length: 0\r\nExpect: tea\r\n")}${CLOSE}`],
  "an upgrade that nothing handles": [
    get("/", `${HOST}Connection: upgrade, close\r\nUpgrade: tea\r\n\r\n`),
  ],
  "an upgrade at the path of Socket.IO that is odd": [
    get(
      "/socket.io/?EIO=4&transport=websocket",
      `${HOST}Connection: upgrade, close\r\nUpgrade: tea\r\n\r\n`,
    ),
  ],
  "CONNECT that nothing handles": [`CONNECT a:1 HTTP/1.1\r\n${HOST}\r\n`],
};

/** Requests that are handled by listeners of other events. */
const HANDLED = {
  checkContinue: {
    parts: [`${post("Content-Length: 5\r\nExpect: 100-continue\r\n")}${CLOSE}`, "hello"],
    handle(server, events) {
      server.on("checkContinue", (request, response) => {
        events.push(["checkContinue", request.url]);
        response.writeContinue();
        answer(request, response);
      });
    },
  },
  checkExpectation: {
    parts: [`${post("Content-Length: 0\r\nExpect: tea\r\n")}${CLOSE}`],
    handle(server, events) {
      server.on("checkExpectation", (request, response) => {
        events.push(["checkExpectation", request.headers.expect]);
        response.writeHead(418).end();
      });
    },
  },
  clientError: {
    parts: ["hello\r\n\r\n"],
    handle(server, events) {
      server.on("clientError", (error, socket) => {
        events.push([error.code, error.reason, error.bytesParsed, `${error.rawPacket}`]);
        socket.end("HTTP/1.1 400 Tea\r\n\r\n");
      });
    },
  },
  connect: {
    parts: [`CONNECT a:1 HTTP/1.1\r\n${HOST}\r\nhello`],
    handle(server, events) {
      server.on("connect", (request, socket, head) => {
        events.push([request.method, request.url, `${head}`]);
        socket.end("HTTP/1.1 200 OK\r\n\r\nbytes");
      });
    },
  },
  upgrade: {
    parts: [get("/tea", `${HOST}Connection: upgrade\r\nUpgrade: tea\r\n\r\nhello`)],
    handle(server, events) {
      server.on("upgrade", (request, socket, head) => {
        events.push([request.url, request.headers.upgrade, `${head}`]);
        socket.end("HTTP/1.1 101 Tea\r\n\r\nbytes");
      });
    },
  },
  connection: {
    parts: [NEXT],
    handle(server, events) {
      server.on("connection", (socket) => {
        const { localAddress, remoteAddress, remoteFamily, server } = socket;
        events.push([localAddress, remoteAddress, remoteFamily, server.listening]);
      });
    },
  },
};

/** The requests whose connection is closed without a word. */
const WITHOUT_ANSWER = ["an upgrade that nothing handles", "CONNECT that nothing handles"];

for (const kind of ours) {
  const oracle = kind.attach === null ? { ...stock, attach: null } : stock;
  describe(`a server of ${kind.name}`, { timeout: 120_000 }, () => {
    for (const [name, parts] of Object.entries(REQUESTS)) {
      test(`answers ${name} as Node.js does`, async (t) => {
        const expected = await exchange(t, oracle, parts);
        assert.deepEqual(await exchange(t, kind, parts), expected);
        if (!WITHOUT_ANSWER.includes(name)) assert.match(expected.received, /^HTTP/);
      });
    }

    for (const [event, { parts, handle }] of Object.entries(HANDLED)) {
      test(`emits ${event} as Node.js does`, async (t) => {
        const expected = await exchange(t, oracle, parts, handle);
        assert.equal(expected.events.length, 1);
        assert.deepEqual(await exchange(t, kind, parts, handle), expected);
      });
    }

    test("parses leniently where that is asked for", async (t) => {
      const options = { insecureHTTPParser: true };
      const parts = [get("/", `${HOST}A: \x01\r\n${CLOSE}`)];
      const expected = await exchange(t, oracle, parts, undefined, options);
      assert.match(expected.received, /^HTTP\/1\.1 200/);
      assert.deepEqual(await exchange(t, kind, parts, undefined, options), expected);
    });

    test("has the limit of `maxHeaderSize`", async (t) => {
      const parts = [get("/socket.io/?EIO=4", `${HOST}A: ${"x".repeat(900)}\r\n${CLOSE}`)];
      for (const maxHeaderSize of [800, 1_200]) {
        const options = { maxHeaderSize };
        const expected = await exchange(t, oracle, parts, undefined, options);
        assert.equal(expected.received.startsWith("HTTP/1.1 431"), maxHeaderSize === 800);
        assert.deepEqual(await exchange(t, kind, parts, undefined, options), expected);
      }
    });
  });
}
