"use strict";

/** socket.io-client in headless Chromium, one page for all clients of a driver. */

const { createServer } = require("node:http");
const path = require("node:path");
const { launchChromium, skipWithoutChromium } = require("../chromium.js");
const { listen } = require("../tcp-server.js");
const { REASONS, runProgram } = require("./program.js");

const script = path.join(require.resolve("socket.io-client"), "../../../dist/socket.io.min.js");

/** In the page: opens a client and keeps it by its id. */
function openClient({ id, url, auth, reconnection }) {
  const socket = window.io(url, { auth, reconnection, reconnectionDelay: 20, forceNew: true });
  window.clients ??= {};
  window.clients[id] = { socket, ...window.runProgram(socket) };
}

/** @returns {import("./all.js").Driver} */
function createDriver() {
  let browser;
  let page;
  let pageServer;
  let count = 0;
  return {
    name: "Chromium",
    skip: skipWithoutChromium,
    startsOnPolling: true,
    recovers: true,
    reasons: REASONS,
    async start() {
      pageServer = createServer((_request, response) => response.end("<!doctype html>"));
      const { origin } = await listen(pageServer);
      browser = await launchChromium();
      page = await browser.newPage();
      await page.goto(origin);
      await page.addScriptTag({ path: script });
      await page.addScriptTag({ content: String(runProgram) });
    },
    async stop() {
      await browser?.close();
      pageServer?.closeAllConnections();
      pageServer?.close();
    },
    async open(origin, { namespace = "/", auth, reconnection = false } = {}) {
      const id = count++;
      await page.evaluate(openClient, { id, url: origin + namespace, auth, reconnection });
      const promised = (name) =>
        page.evaluate(([number, field]) => window.clients[number][field], [id, name]);
      return {
        get disconnected() {
          return promised("disconnected");
        },
        get refused() {
          return promised("refused");
        },
        close: () =>
          page.evaluate(
            (number) => void window.clients[number].socket.disconnect().io.engine.close(),
            id,
          ),
      };
    },
  };
}

module.exports = [createDriver()];
