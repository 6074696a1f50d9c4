"use strict";

/** A TCP proxy between clients and a server, which can fail as networks do. */

const net = require("node:net");
const { listen } = require("./tcp-server.js");

/** A client's connection, and its counterpart to the server. */
class Passage {
  #sockets;

  constructor(downstream, upstream) {
    this.#sockets = [downstream, upstream];
    for (const socket of this.#sockets) {
      socket.setNoDelay();
      socket.on("error", () => {});
    }
  }

  /** Forwards all data, also data that was held back; if one side is closed, closes the other. */
  open() {
    const [downstream, upstream] = this.#sockets;
    if (downstream.destroyed || upstream.destroyed) {
      this.onBoth((socket) => socket.destroy());
      return;
    }
    downstream.pipe(upstream).pipe(downstream);
  }

  onBoth(act) {
    for (const socket of this.#sockets) {
      socket.unpipe();
      act(socket);
    }
  }

  /** Calls back when one side is closed. */
  onClose(callback) {
    for (const socket of this.#sockets) socket.on("close", callback);
  }

  get isClosed() {
    return this.#sockets.every(({ destroyed }) => destroyed);
  }
}

/**
 * @param {{ port: number, beforeClose: (close: () => unknown) => void }} server as
 *   `startServer()` returns it
 * @returns {Promise<{ origin: string, port: number, end: () => void, reset: () => void,
 *   stall: () => void, hold: () => void, heal: () => void }>} `end` closes every connection on both
 *   sides as a process does that ends, `reset` as one that crashes. Until `heal`, `stall` forwards
 *   nothing, not even the end of one side, and `hold` forwards nothing of new connections, which are
 *   accepted.
 */
async function startProxy({ port, beforeClose }) {
  const passages = new Set();
  let isSilent = false;
  const server = net.createServer((downstream) => {
    const passage = new Passage(downstream, net.connect(port, "127.0.0.1"));
    passages.add(passage);
    passage.onClose(() => {
      if (!isSilent) passage.open();
      if (passage.isClosed) passages.delete(passage);
    });
    if (!isSilent) passage.open();
  });
  const { port: ownPort, origin } = await listen(server);
  const onAll = (act) => () => {
    for (const passage of passages) passage.onBoth(act);
  };
  beforeClose(() => {
    server.close();
    onAll((socket) => socket.destroy())();
  });
  return {
    origin,
    port: ownPort,
    end: onAll((socket) => socket.resume().end()),
    reset: onAll((socket) => socket.resetAndDestroy()),
    hold() {
      isSilent = true;
    },
    stall() {
      isSilent = true;
      onAll((socket) => socket.pause())();
    },
    heal() {
      isSilent = false;
      for (const passage of passages) passage.open();
    },
  };
}

module.exports = { startProxy };
