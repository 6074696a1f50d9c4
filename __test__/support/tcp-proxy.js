"use strict";

/** A TCP proxy between clients and a server, which can fail as networks do. */

const { once } = require("node:events");
const net = require("node:net");

/**
 * @param {{ port: number, beforeClose: (close: () => unknown) => void }} server what
 *   `startServer()` returned
 * @returns {Promise<{ origin: string, end: () => void, reset: () => void, stall: () => void }>}
 *   `end` closes every connection on both sides as a process does that ends, `reset` as one that
 *   crashes, and `stall` lets nothing pass any more, not even that one side has gone
 */
async function startProxy({ port, beforeClose }) {
  const sockets = new Set();
  let isSilent = false;
  const server = net.createServer((downstream) => {
    const upstream = net.connect(port, "127.0.0.1");
    downstream.pipe(upstream).pipe(downstream);
    for (const socket of [downstream, upstream]) {
      socket.setNoDelay();
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
      sockets.add(socket);
    }
    downstream.on("close", () => isSilent || upstream.destroy());
    upstream.on("close", () => isSilent || downstream.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const onAll = (act) => () => {
    for (const socket of sockets) {
      socket.unpipe();
      act(socket);
    }
  };
  beforeClose(() => {
    server.close();
    onAll((socket) => socket.destroy())();
  });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    end: onAll((socket) => socket.resume().end()),
    reset: onAll((socket) => socket.resetAndDestroy()),
    stall() {
      isSilent = true;
      onAll((socket) => socket.pause())();
    },
  };
}

module.exports = { startProxy };
