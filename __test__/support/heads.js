"use strict";

/** Generated heads of upgrade requests, and what servers of Node.js make of them. */

const { once } = require("node:events");
const http = require("node:http");
const net = require("node:net");
const { randomFrom } = require("./random.js");

/** The headers that Chrome sends, in its order. */
const CHROME = `
  Host: localhost:3000
  Connection: Upgrade
  Pragma: no-cache
  Cache-Control: no-cache
  User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36
  Upgrade: websocket
  Origin: http://localhost:3000
  Sec-WebSocket-Version: 13
  Accept-Encoding: gzip, deflate, br, zstd
  Accept-Language: en-US,en;q=0.9
  Cookie: theme=dark; session=s%3AE7C2mrrAaVPbcWJ
  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
  Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits
`;

const UPGRADE = [
  ["Host", "example.org"],
  ["Upgrade", "websocket"],
  ["Connection", "keep-alive, Upgrade"],
  ["Sec-WebSocket-Version", "13"],
  ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
];

/** Headers for which Node.js has different rules where they are repeated; and names that objects inherit. */
const NAMES = [
  "accept",
  "age",
  "authorization",
  "content-type",
  "cookie",
  "date",
  "etag",
  "expires",
  "from",
  "origin",
  "referer",
  "set-cookie",
  "user-agent",
  "x-forwarded-for",
  "x-mine",
  "__proto__",
  "constructor",
  "toString",
  "x!#$%&'*+-.^_`|~",
];

const VALUES = [
  "",
  "a",
  "4",
  "text/plain",
  "a=b; c=d",
  "with \t blanks within",
  "caf\xe9 \xff",
  "a,b",
  `long ${"x".repeat(600)}`,
  "more than twelve characters",
];

const URLS = [
  "/socket.io/?EIO=4&transport=websocket",
  "/mine/?EIO=4&transport=websocket",
  "/socket.io/?EIO=4&transport=websocket&token=abc%20def+g&a=1&a=2&b",
  "/socket.io/?transport=websocket&EIO=4&__proto__=x",
  "/socket.io/?EIO=3&transport=websocket",
  "/socket.io/",
  "/?%zz=%&=&&x",
  "//host/path?x=1",
];

const headOf = (url, headers) =>
  `GET ${url} HTTP/1.1\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`;

const chromeHead = headOf(URLS[0], CHROME.trim().split(/\n\s*/));

/**
 * Returns heads of upgrade requests.
 *
 * @param {number} seed
 * @param {number} count
 * @returns {string[]}
 */
function generatedHeads(seed, count) {
  const { pick, below, chance, times } = randomFrom(seed);
  const inCase = (name) =>
    pick([
      name,
      name.toUpperCase(),
      name.toLowerCase(),
      name.replace(/^./, (c) => c.toUpperCase()),
    ]);
  const blanks = () => pick(["", " ", " ", " ", "\t", " \t "]);
  // llhttp does not find the token in front of a tab.
  const end = (name) => (name === "Connection" ? "" : pick(["", "", blanks()]));
  const line = ([name, value]) => `${inCase(name)}:${blanks()}${value}${end(name)}`;
  const shuffled = (list) => {
    for (let index = list.length - 1; index > 0; index--) {
      const other = below(index + 1);
      [list[index], list[other]] = [list[other], list[index]];
    }
    return list;
  };
  return Array.from({ length: count }, () => {
    const more = times(chance(0.1) ? 95 : 12, () => [pick(NAMES), pick(VALUES)]);
    return headOf(pick(URLS), shuffled([...UPGRADE, ...more]).map(line));
  });
}

/**
 * Starts a server of Node.js.
 *
 * @returns {Promise<{ server: http.Server, upgrade: (head: string) => Promise<http.IncomingMessage> }>}
 *   `upgrade()` sends a head and returns the request that the server makes of it, when its tick is over
 */
async function startServer(t, options = {}) {
  const server = http.createServer(options).listen(0, "127.0.0.1");
  await once(server, "listening");
  const sockets = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const upgrade = async (head) => {
    const client = net.connect(server.address().port, "127.0.0.1");
    sockets.push(client);
    client.write(head, "latin1");
    const [request, socket] = await once(server, "upgrade");
    sockets.push(socket.on("error", () => {}));
    return request;
  };
  return { server, upgrade };
}

module.exports = { chromeHead, generatedHeads, headOf, startServer };
