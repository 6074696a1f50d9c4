"use strict";

/** A TCP proxy between clients and a server, which can fail as networks do. */

const { once } = require("node:events");
const net = require("node:net");

/** A client's connection, and the one to the server that goes with it. */
class Passage {
  #sockets;

  constructor(downstream, upstream) {
    this.#sockets = [downstream, upstream];
    for (const socket of this.#sockets) {
      socket.setNoDelay();
      socket.on("error", () => {});
    }
  }

  /** Lets everything pass, also what has been held back; if one side has gone, the other goes. */
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

  /** Calls back when one side has gone. */
  onClose(callback) {
    for (const socket of this.#sockets) socket.on("close", callback);
  }

  get isClosed() {
    return this.#sockets.every(({ destroyed }) => destroyed);
  }
}

/**
 * @param {{ port: number, beforeClose: (close: () => unknown) => void }} server what
 *   `startServer()` returned
 * @returns {Promise<{ origin: string, port: number, end: () => void, reset: () => void,
 *   stall: () => void, heal: () => void }>} `end` closes every connection on both sides as a
 *   process does that ends, `reset` as one that crashes, and `stall` lets nothing pass any more, not
 *   even that one side has gone, until `heal`; new connections are accepted and as silent
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
  await once(server.listen(0, "127.0.0.1"), "listening");
  const onAll = (act) => () => {
    for (const passage of passages) passage.onBoth(act);
  };
  beforeClose(() => {
    server.close();
    onAll((socket) => socket.destroy())();
  });
  const address = server.address();
  return {
    origin: `http://127.0.0.1:${address.port}`,
    port: address.port,
    end: onAll((socket) => socket.resume().end()),
    reset: onAll((socket) => socket.resetAndDestroy()),
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
