"use strict";

/** Namespaces that come and go while servers are in a cluster. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");

const PATTERN = /^\/dynamic-\w+$/;

/** Waits until what all nodes send to a namespace reaches a socket. */
async function hearsAll(all, name, socket) {
  const heard = new Set();
  socket.on("probe", (number) => heard.add(number));
  while (heard.size < all.length) {
    for (const [number, { io }] of all.entries()) io.of(name).emit("probe", number);
    await delay(10);
  }
  socket.off("probe");
}

/** @type {import("./all.js").Behaviour} */
function namespaces(started, index) {
  test("a namespace that comes back after its last client receives broadcasts again", async () => {
    const { all } = started();
    const name = `/dynamic-${index}`;
    const receiver = all[(index + 1) % all.length];
    for (const { io } of all) io.of(PATTERN);
    const sender = all[index].manager().socket(name);
    await once(sender, "connect");
    for (let round = 0; round < 2; round++) {
      const socket = receiver.manager().socket(name);
      await once(socket, "connect");
      await hearsAll([all[index], receiver], name, socket);
      const received = [];
      socket.on("event", (...args) => received.push(args));
      all[index].io.of(name).emit("event", round, Buffer.from([round]));
      while (received.length === 0) await delay(2);
      assert.deepEqual(received, [[round, Buffer.from([round])]]);
      socket.disconnect();
      while (receiver.io._nsps.has(name)) await delay(2);
      while ((await all[index].io.of(name).adapter.serverCount()) > 1) await delay(2);
    }
    sender.disconnect();
  });
}

module.exports = { namespaces };
