"use strict";

/**
 * Generated requests around those that open a session: an I/O thread offers some to JavaScript and passes
 * the others, and the client must not see the difference. Node.js with ws and engine.io is the oracle.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { hasEngine } = require("../../lib/addon/index.js");
const { connect, newServer, ours, stock } = require("../support/http-servers.js");
const { SEED, randomFrom } = require("../support/random.js");

const CASES = Number(process.env.TURBO_PROGRAMS ?? 150);

/** Ends the connection, as a request or as a frame that no client sends. */
const LAST = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const WEBSOCKET = [
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "Host: a",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

const POLLING = ["GET /socket.io/?EIO=4&transport=polling HTTP/1.1", "Host: a", "Accept: */*"];

/** Parts of requests, and what stands in their places. */
const REPLACEMENTS = [
  ["GET", ["POST", "PUT", "OPTIONS", "get", "HEAD", "GETT"]],
  [
    "/socket.io/?",
    ["/socket.io?", "/socket.io/x?", "//socket.io/?", "/other/?", "/socket.io/?&", "/"],
  ],
  [
    "EIO=4",
    ["EIO=3", "EIO=5", "EIO=4&EIO=4", "EIO=3&EIO=4", "EIO=4&EIO", "%45IO=4", "EIO=%34", "a=b"],
  ],
  [
    "EIO=4",
    ["EIO=4&sid=x", "EIO=4&sid=", "EIO=4&b64=1", "EIO=4&j=0", "sid=a&EIO=4&sid", "EIO=4&t=%zz"],
  ],
  ["transport=", ["transport=x", "transport=%", "Transport=", "transport=polling&transport="]],
  ["HTTP/1.1", ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", " HTTP/1.1", "HTTP/1.1 "]],
  ["Host: a", ["Host: a\r\nHost: a", "X: a", "Host:", "host: a:80", "Host : a", "Host: a\r\n b"]],
  [
    "Host: a",
    ["Host: a\r\nOrigin: http://b", "Host: a\r\nCookie: c=d; e", "Host: a\r\nX: \xe9\x80"],
  ],
  [
    "Host: a",
    [
      "Host: a\r\nExpect: 100-continue",
      "Host: a\r\nX:\ty\t",
      "Host: a\r\nX: \x01",
      "Host: a\nX: y",
    ],
  ],
  [
    "Host: a",
    [
      "Host: a\r\nContent-Length: 0",
      "Host: a\r\nContent-Length: 3",
      "Host: a\r\nTransfer-Encoding: chunked",
    ],
  ],
  [
    "Host: a",
    [
      "Host: a\r\nSec-WebSocket-Extensions: permessage-deflate",
      "Host: a\r\nSec-WebSocket-Extensions: ;",
    ],
  ],
  [
    "Host: a",
    [
      "Host: a\r\nSec-WebSocket-Protocol: a, b",
      "Host: a\r\nSec-WebSocket-Protocol: a,,",
      "Host: a\r\n\r\n",
    ],
  ],
  [
    "Connection: Upgrade",
    [
      "Connection: keep-alive, upgrade",
      "Connection: Upgrade\t",
      "Connection: close",
      "connection:upgrade,close",
    ],
  ],
  [
    "Upgrade: websocket",
    [
      "Upgrade: WebSocket",
      "Upgrade: h2c",
      "Upgrade: websocket, x",
      "Upgrade: websocket\r\nUpgrade: websocket",
      "X: y",
    ],
  ],
  [
    "Version: 13",
    [
      "Version: 8",
      "Version: 7",
      "Version: 13.0",
      "Version: 13\r\nSec-WebSocket-Version: 13",
      "Version:",
    ],
  ],
  [
    "ub25jZQ==",
    [
      "ub25jZR==",
      "ub25jZQ=",
      "ub25jZQ",
      "ub25-ZQ==",
      "ub25jZQ== ",
      "ub25jZQ==\r\nSec-WebSocket-Key: x",
    ],
  ],
  ["\r\n", ["\n", "\r", "\r\r\n", "\r\n\r\n"]],
];

/** Returns a request, and the same in parts. */
function generate({ below, pick, chance }) {
  let request = `${pick([WEBSOCKET, WEBSOCKET, POLLING]).join("\r\n")}\r\n\r\n`;
  for (let changes = below(3); changes > 0; changes--) {
    const [part, others] = pick(REPLACEMENTS);
    const places = request.split(part);
    const place = 1 + below(Math.max(1, places.length - 1));
    request = places.slice(0, place).join(part);
    if (place < places.length) request += pick(others) + places.slice(place).join(part);
  }
  if (chance(0.1)) {
    const place = below(request.length);
    request = request.slice(0, place) + String.fromCharCode(below(256)) + request.slice(place + 1);
  }
  const parts = [request];
  while (chance(0.4)) {
    const last = parts.pop();
    const place = below(last.length);
    parts.push(last.slice(0, place), last.slice(place));
  }
  return parts;
}

/**
 * Sends a request, and what ends the connection. A client that gets a WebSocket sends that once it has the
 * open packet.
 *
 * @returns {Promise<string | null>} all that is received until the connection ends, without what is random;
 *   null if it was reset, because something was sent to a server that had ended it: bytes may be lost then
 */
async function exchange(t, server, parts, isWebSocket) {
  const client = await connect(t, server);
  for (const part of isWebSocket ? parts : [...parts.slice(0, -1), parts.at(-1) + LAST]) {
    client.write(part);
    // So that they are packets of their own.
    await new Promise((resolve) => client.socket.write("", resolve));
    await new Promise(setImmediate);
  }
  if (isWebSocket) {
    await client.until((received) => received.includes("maxPayload"));
    client.write(LAST);
  }
  const received = await client.ended();
  const isReset = client.socket.errored !== null;
  client.socket.destroy();
  if (isReset) return null;
  return received.replace(/(sid\\*":\\*")[\w-]{20}/g, "$1x").replace(/^Etag: .*$/gim, "Etag: x");
}

/** Returns what a client of each server receives; null if that cannot be known. */
async function compare(t, expecting, tested, parts) {
  let results = [null, null];
  for (let attempt = 0; attempt < 5 && results.includes(null); attempt++) {
    let expected = await exchange(t, expecting, parts, false);
    const isWebSocket = expected?.startsWith("HTTP/1.1 101") ?? false;
    if (isWebSocket) expected = await exchange(t, expecting, parts, true);
    results = [expected, await exchange(t, tested, parts, isWebSocket)];
  }
  return results;
}

test("generated requests are answered as by stock parts", {
  skip: !hasEngine,
  timeout: 300_000,
}, async (t) => {
  const [expecting, tested] = [stock, ours].map((kind) =>
    newServer(t, kind, (request, response) => response.end(`${request.method} ${request.url}`)),
  );
  for (const server of [expecting, tested]) await once(server.listen(0, "127.0.0.1"), "listening");
  const statuses = new Map();
  const random = randomFrom(SEED);
  for (let index = 0; index < CASES; index++) {
    const parts = generate(random);
    const [expected, received] = await compare(t, expecting, tested, parts);
    if (expected === null || received === null) continue;
    assert.equal(received, expected, JSON.stringify(parts));
    const status = expected.slice(9, 12);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  for (const status of ["101", "200", "400"]) assert.ok(statuses.get(status) > CASES / 20, status);
});
