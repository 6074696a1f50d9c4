"use strict";

/** Ways in which applications send no faster than a client reads. */

const { once } = require("node:events");
const { setImmediate: nextTurn } = require("node:timers/promises");

/**
 * Each calls `send` with 0 to `count - 1`, and lets the client read in between.
 *
 * @type {Record<string, (conn: import("engine.io").Socket, send: (number: number) => void,
 *   count: number) => Promise<void>>}
 */
const PACES = {
  async drain(conn, send, count) {
    let next = 0;
    await new Promise((resolve) => {
      conn.on("drain", function listener() {
        if (next < count) {
          send(next++);
          return;
        }
        conn.off("drain", listener);
        resolve();
      });
      send(next++);
    });
  },

  async writable(conn, send, count) {
    for (let next = 0; next < count; await nextTurn()) {
      while (conn.transport.writable && next < count) send(next++);
    }
  },

  async buffer(conn, send, count) {
    for (let next = 0; next < count; await nextTurn()) {
      while (conn.writeBuffer.length < 2 && next < count) send(next++);
    }
  },

  async awaited(conn, send, count) {
    for (let next = 0; next < count; next++) {
      send(next);
      if (conn.writeBuffer.length > 0) await once(conn, "drain");
    }
  },
};

module.exports = PACES;
