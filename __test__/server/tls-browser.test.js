"use strict";

/** A page in Chromium over HTTPS: served by Node.js, with a client that I/O threads serve. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { after, describe, test } = require("node:test");
const { Server } = require("socket.io");
const { stats, turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { createCertificates, skipWithoutOpenssl } = require("../support/certificates.js");
const { launchChromium, skipWithoutChromium } = require("../support/chromium.js");
const { kinds } = require("../support/https-servers.js");
const { listen } = require("../support/tcp-server.js");

const skip = skipWithoutChromium || skipWithoutOpenssl;
const { forServer } = skip ? {} : createCertificates(after);

const PAGE = '<!doctype html><meta charset="utf-8"><script src="/socket.io/socket.io.js"></script>';

const TRANSPORTS = { "polling, then WebSocket": undefined, "WebSocket only": ["websocket"] };

/** Starts a server with a page and Socket.IO, which is closed after the test. */
async function startServer(t, kind) {
  const server = kind.createServer(forServer, (_request, response) => {
    response.setHeader("content-type", "text/html").end(PAGE);
  });
  const io = new Server(server, kind.isOurs ? turbo() : {});
  t.after(() => io.close());
  io.on("connection", (socket) => {
    socket.on("say", (...args) => io.emit("said", ...args));
    socket.on("echo", (...args) => args.pop()(...args));
  });
  const { port } = await listen(server);
  return { io, url: `https://127.0.0.1:${port}/` };
}

/** In the page: connects, and keeps what comes. */
async function enter(transports) {
  const client = window.io({ transports, reconnectionDelay: 10, reconnectionDelayMax: 50 });
  const next = (event) => new Promise((resolve) => client.once(event, (...args) => resolve(args)));
  Object.assign(window, { client, next });
  await next("connect");
  const { engine } = client.io;
  if (engine.transport.name !== "websocket") {
    await new Promise((resolve) => engine.once("upgrade", resolve));
  }
  return engine.transport.name;
}

/** In the page: says a text and bytes, and returns what comes back to all. */
async function chat(text) {
  const { client, next } = window;
  const said = next("said");
  client.emit("say", text, Uint8Array.from([0, 1, 254, 255]));
  const [back, bytes] = await said;
  const echo = await client.emitWithAck("echo", text.repeat(20_000));
  return { back, bytes: [...new Uint8Array(bytes)], isWhole: echo === text.repeat(20_000) };
}

/** In the page: waits for the end of the connection, and for another. */
function expectReturn() {
  const { next, client } = window;
  const { id } = client;
  window.returned = next("disconnect").then(async ([reason]) => {
    await next("connect");
    return { reason, isOther: client.id !== id };
  });
}

for (const kind of kinds.filter(({ attach }) => attach !== null)) {
  describe(`a page in Chromium of ${kind.name}`, { skip, timeout: 120_000 }, () => {
    for (const [name, transports] of Object.entries(TRANSPORTS)) {
      test(`chats and reconnects by ${name}`, async (t) => {
        const before = stats().connections.opened;
        const browser = await launchChromium();
        t.after(() => browser.close());
        const { io, url } = await startServer(t, kind);
        const context = await browser.newContext({ ignoreHTTPSErrors: true });
        const pages = [await context.newPage(), await context.newPage()];
        const complaints = [];
        for (const page of pages) {
          page.on("pageerror", (error) => complaints.push(error.stack));
          await page.goto(url);
          assert.equal(await page.evaluate(enter, transports), "websocket");
        }
        const [page, other] = pages;
        const heard = other.evaluate(() => window.next("said").then(([text]) => text));
        const answer = { back: "žluť 😀", bytes: [0, 1, 254, 255], isWhole: true };
        assert.deepEqual(await page.evaluate(chat, "žluť 😀"), answer);
        assert.equal(await heard, "žluť 😀");

        await page.evaluate(expectReturn);
        const id = await page.evaluate(() => window.client.id);
        const connected = once(io, "connection");
        io.sockets.sockets.get(id).conn.close();
        const [socket] = await connected;
        assert.equal(socket.handshake.secure, true);
        const returned = await page.evaluate(() => window.returned);
        assert.deepEqual(returned, { reason: "transport close", isOther: true });
        assert.deepEqual(await page.evaluate(chat, "again"), { ...answer, back: "again" });
        assert.deepEqual(complaints, []);
        // Two pages, one of them twice. A client that polls first may do so on a connection of its page, which is
        // Node.js's.
        if (kind.isOurs && transports && hasEngine) {
          assert.equal(stats().connections.opened, before + 3);
        }
      });
    }
  });
}
