"use strict";

/**
 * Heads of handshakes that are mended, broken, doubled, split: a server of `createServer()` answers each as
 * Node.js, engine.io and ws do, byte for byte, and gives the program the same request.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { hasEngine } = require("../../lib/addon/index.js");
const { connect, newServer, ours, stock } = require("../support/http-servers.js");
const { randomFrom, SEED } = require("../support/random.js");

/** Generated heads of each run. */
const HEADS = 400;
/** Connections at a time. */
const WIDTH = 50;

/** Compression that is negotiated, and that no message is long enough for. */
const UNUSED_DEFLATE = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  threshold: 1_000_000,
};

const HANDSHAKE = [
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: keep-alive, Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
  "Origin: http://localhost",
  "Cookie: a=b; c=d",
];

/** The texts that a mutation inserts anywhere. */
const PIECES = [
  ..."\r\n\t :;,=&?#%+/\\\"'\0\x01\x7f\x80\xff0aZ.-_",
  "\r\n",
  "\r\n ",
  "\r\n\t",
  "\n\n",
  "\r\r\n",
  "\r\n\r\n",
  "%00",
  "%",
  "chunked",
  "websocket",
  "upgrade",
  "keep-alive",
  "close",
  "sid=",
  "EIO=3",
  "EIO=4",
  "transport=polling",
  "transport=websocket",
  "HTTP/1.0",
  "http://localhost",
  "/socket.io/",
  "x".repeat(200),
];

/** Lines that a mutation adds, some of which smuggle requests past servers that disagree. */
const LINES = [
  "Content-Length: 0",
  "Content-Length: 5",
  "Content-Length: -1",
  "Content-Length: 0, 0",
  "Content-Length : 5",
  "Content-Length:\t0",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: identity",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding:\x0bchunked",
  " folded: line",
  "\tfolded",
  "Host: other",
  "Host:",
  "host: localhost",
  "Connection: close",
  "Connection: upgrade",
  "Connection: Upgrade,",
  "Connection: ,upgrade",
  "Connection: upgrade;q=1",
  "Connection:\tUpgrade\t",
  "Connection: HTTP2-Settings, Upgrade",
  "Upgrade: h2c",
  "Upgrade: WebSocket",
  "Upgrade: websocket, h2c",
  "Proxy-Connection: upgrade",
  "Keep-Alive: timeout=5",
  "Expect: 100-continue",
  "Expect: tea",
  "Sec-WebSocket-Protocol: chat",
  "Sec-WebSocket-Protocol:",
  "Sec-WebSocket-Version: 8",
  "Sec-WebSocket-Version: 12",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=1",
  "Sec-WebSocket-Extensions: permessage-deflate; x=",
  "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover",
  "Sec-WebSocket-Extensions: ,",
  "Cookie: e=f",
  "Trailer: x",
  "X: ",
  "X:",
  ":",
  "X",
  "\xe9: x",
  "X: \xe9\xff",
  "__proto__: x",
  "constructor: y",
  "x".repeat(300),
];

/** The first lines that take the place of that of the handshake. */
const FIRST = [
  "GET /socket.io/?EIO=4&transport=websocket&sid=nobody HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=websocket&sid= HTTP/1.1",
  "GET /socket.io/?EIO=4&EIO=3&transport=websocket HTTP/1.1",
  "GET /socket.io/?EIO=3&EIO=4&transport=websocket HTTP/1.1",
  "GET /socket.io/?EIO=%34&transport=web%73ocket HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=websocket&b64=1 HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=websocket&j=0 HTTP/1.1",
  "GET /socket.io/?EIO=5&transport=websocket HTTP/1.1",
  "GET /socket.io/?transport=websocket HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=tea HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=constructor HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=polling HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=webtransport HTTP/1.1",
  "GET /socket.io/x?EIO=4&transport=websocket HTTP/1.1",
  "GET /socket.io?EIO=4&transport=websocket HTTP/1.1",
  "GET /socket.io//?EIO=4&transport=websocket HTTP/1.1",
  "GET /socket.io/../socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "GET /%73ocket.io/?EIO=4&transport=websocket HTTP/1.1",
  "GET /SOCKET.IO/?EIO=4&transport=websocket HTTP/1.1",
  "GET //socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "GET http://localhost/socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=websocket#x HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=websocket&x=a?b HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=websocket&x=\xe9 HTTP/1.1",
  "GET  /socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.0",
  "GET /socket.io/?EIO=4&transport=websocket HTTP/2.0",
  "GET /socket.io/?EIO=4&transport=websocket",
  "get /socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "POST /socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "HEAD /socket.io/?EIO=4&transport=websocket HTTP/1.1",
  "OPTIONS /socket.io/?EIO=4&transport=websocket HTTP/1.1",
];

/** Lines that Node.js refuses before the head ends. */
const WRONG = [
  ["Content-Length: -1"],
  ["Content-Length:", "X: y"],
  ["Content-Length: 1, 1"],
  ["Content-Length: 1", "Content-Length: 1"],
  ["Content-Length: 5", "Transfer-Encoding: chunked"],
  ["Transfer-Encoding: chunked", "Content-Length: 5"],
  ["X: \x01"],
];

/** The bytes behind a head, in the same packet: none, a request for a server that disagrees, or an invalid frame. */
const BEHIND = [
  "",
  "",
  "",
  "GET / HTTP/1.1\r\nHost: smuggled\r\nConnection: close\r\n\r\n",
  "5\r\nhello\r\n0\r\n\r\n",
  "hello",
  "\r\n",
  "\xff".repeat(20),
];

/** A masked close frame, and the answer to a frame that breaks the protocol: RFC 6455 §5.5.1, §7.4.1. */
const CLOSE = "\x88\x80\0\0\0\0";
const REFUSAL = "\x88\x02\x03\xea";

/** @returns {string[]} heads, each of which is a handshake with one to three changes */
function mutatedHeads(seed, count) {
  const { pick, below, chance } = randomFrom(seed);
  const changes = [
    (lines) => lines.splice(1 + below(lines.length), 0, pick(LINES)),
    (lines) => lines.splice(1 + below(lines.length), 0, pick(LINES)),
    (lines) => lines.splice(below(lines.length), 1),
    (lines) => lines.splice(below(lines.length), 0, pick(lines)),
    (lines) => lines.splice(0, 1, pick(FIRST)),
    (lines) => lines.push(lines.splice(1 + below(lines.length), 1).join()),
    (lines) => {
      const index = below(lines.length);
      const line = lines[index];
      const at = chance(0.5) ? pick([0, line.length, line.indexOf(":") + 1]) : below(line.length);
      lines[index] = line.slice(0, at) + pick(PIECES) + line.slice(at + below(3));
    },
    (lines) => {
      const index = below(lines.length);
      lines[index] = chance(0.5) ? lines[index].toUpperCase() : lines[index].toLowerCase();
    },
  ];
  return Array.from({ length: count }, () => {
    const lines = [...HANDSHAKE];
    const most = 1 + below(3);
    for (let i = 0; i < most && lines.length > 1; i++) pick(changes)(lines);
    const end = chance(0.05) ? pick(["\n", "\r\n", "\n\n", "\r\n\n", ""]) : "\r\n\r\n";
    return lines.join(chance(0.03) ? "\n" : "\r\n") + end + pick(BEHIND);
  });
}

/** Returns whether the server has refused a request, or has told all, or has sent a close frame. */
function isSettled(received) {
  return (
    /^HTTP\/1.1 [2-5]/.test(received) ||
    received.includes('"_query"') ||
    received.endsWith("\x88\0") ||
    received.endsWith(REFUSAL)
  );
}

/** Starts a server that tells each client of the request that it has made of it. */
async function startServer(t, kind, ioOptions) {
  const answer = (request, response) => response.end(request.url);
  const server = newServer(t, { ...kind, attach: null }, answer);
  const io = kind.attach(server, ioOptions);
  t.after(() => io.engine.close());
  io.engine.on("connection", (conn) => {
    const { method, url, headers, rawHeaders, httpVersion, _query } = conn.request;
    conn.send(JSON.stringify({ method, url, headers, rawHeaders, httpVersion, _query }));
  });
  const errors = [];
  io.engine.on("connection_error", ({ code, req }) => errors.push(`${code} ${req.url}`));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, errors };
}

/** Sends a head, maybe in two packets; returns all that was received up to the end. */
async function answerTo(t, { server }, head, at) {
  const client = await connect(t, server);
  client.write(head.slice(0, at));
  if (at < head.length) {
    await new Promise((resolve) => client.socket.write("", resolve));
    await new Promise(setImmediate);
    client.write(head.slice(at));
  }
  // Nothing else would end a request whose head does not.
  if (!head.includes("\r\n\r\n")) client.socket.end();
  const isAccepted = (await client.until(isSettled)).startsWith("HTTP/1.1 101");
  client.socket.end(isAccepted ? CLOSE : "", "latin1");
  const received = await client.ended();
  client.socket.destroy();
  // engine.io opens a session some turns later, when ws may have refused its first frame.
  if (received.endsWith(REFUSAL)) return received.replace(/\r\n\r\n\x81.*/s, `\r\n\r\n${REFUSAL}`);
  return received.replace(/"sid":"[\w-]{20}"/, '"sid":"SID"');
}

/** Returns the answers to all heads, in order. */
async function answersTo(t, server, heads, seed) {
  const { below, chance } = randomFrom(seed);
  const cuts = heads.map((head) => (chance(0.3) ? below(head.length) : head.length));
  const answers = [];
  let next = 0;
  const work = async () => {
    while (next < heads.length) {
      const index = next++;
      answers[index] = await answerTo(t, server, heads[index], cuts[index]);
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, work));
  return answers;
}

describe(`${HEADS} heads, SEED=${SEED}`, { timeout: 120_000, skip: !hasEngine }, () => {
  for (const [index, perMessageDeflate] of [false, UNUSED_DEFLATE].entries()) {
    const title = `are answered as Node.js does, compression ${perMessageDeflate ? "on" : "off"}`;
    test(title, async (t) => {
      const heads = [`${HANDSHAKE.join("\r\n")}\r\n\r\n`, ...mutatedHeads(SEED + index, HEADS)];
      const exchange = async (kind) => {
        const server = await startServer(t, kind, { perMessageDeflate });
        const answers = await answersTo(t, server, heads, SEED);
        return { answers, errors: server.errors.sort() };
      };
      const [expected, actual] = await Promise.all([stock, ours].map(exchange));
      for (const [at, head] of heads.entries())
        assert.equal(actual.answers[at], expected.answers[at], JSON.stringify(head));
      assert.deepEqual(actual.errors, expected.errors);
      // Heads of which all are accepted, or none, would prove little.
      const accepted = expected.answers.filter((answer) => answer.startsWith("HTTP/1.1 101"));
      assert.ok(
        accepted.length > HEADS / 10 && accepted.length < HEADS * 0.9,
        `${accepted.length}`,
      );
    });
  }
});

describe("a head that is wrong before it ends", { timeout: 60_000, skip: !hasEngine }, () => {
  for (const lines of WRONG) {
    test(`is refused at once: ${JSON.stringify(lines)}`, async (t) => {
      const exchange = async (kind) => {
        const server = await startServer(t, kind);
        const client = await connect(t, server.server);
        client.write(`${[...HANDSHAKE, ...lines].join("\r\n")}\r\n`);
        return client.ended();
      };
      const expected = await exchange(stock);
      assert.match(expected, /^HTTP\/1.1 400 /);
      assert.equal(await exchange(ours), expected);
    });
  }
});
