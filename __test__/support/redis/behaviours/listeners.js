"use strict";

/** Listeners for outgoing packets on other nodes. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { eachGets } = require("../nodes.js");

const BYTES = Buffer.from([1, 2, 3]);

/** @type {import("./all.js").Behaviour} */
function listeners(started, index) {
  const sender = () => started().all[index];

  test("onAnyOutgoing() listeners receive what other nodes send, until they are removed", async () => {
    const { all, clients } = started();
    const heard = [];
    const sockets = all.map((node) => node.socketOf(node.clients[0]));
    const listener = (event, ...args) => event === "heard" && heard.push(args);
    for (const socket of sockets) socket.onAnyOutgoing(listener);
    sender().io.emit("heard", { deep: BYTES }, 1.5);
    sender().io.to("nobody").emit("heard", "by nobody");
    await started().settle();
    for (const socket of sockets) socket.offAnyOutgoing(listener);
    sender().io.emit("heard", "no more");
    const expected = [
      ["heard", { deep: BYTES }, 1.5],
      ["heard", "no more"],
    ];
    await started().assertReceived(eachGets(clients, expected));
    assert.deepEqual(
      heard,
      all.map(() => [{ deep: BYTES }, 1.5]),
    );
  });

  test("packetCreate reports what other nodes send", async () => {
    const { all, clients } = started();
    const created = [];
    const conns = all.map((node) => node.socketOf(node.clients[1]).conn);
    const listener = ({ type, data }) => data.includes?.("created") && created.push([type, data]);
    for (const conn of conns) conn.on("packetCreate", listener);
    sender().io.emit("created", 1);
    await started().settle();
    for (const conn of conns) conn.off("packetCreate", listener);
    sender().io.emit("created", 2);
    const expected = [
      ["created", 1],
      ["created", 2],
    ];
    await started().assertReceived(eachGets(clients, expected));
    assert.deepEqual(
      created,
      all.map(() => ["message", '2["created",1]']),
    );
  });
}

module.exports = { listeners };
