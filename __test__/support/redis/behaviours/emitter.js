"use strict";

/** Messages of @socket.io/redis-emitter to all nodes. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");
const { eachGets } = require("../nodes.js");

const BYTES = Buffer.from([1, 2, 3]);

/**
 * @param {() => import("../nodes.js").Nodes} started
 * @param {{ key?: string }} [options] the adapters'
 */
function emitter(started, { key } = {}) {
  test("the emitter's messages reach their recipients", async (t) => {
    const nodes = started();
    const { clients } = nodes;
    const client = createClient({ url: nodes.urls[0] });
    await client.connect();
    t.after(() => client.close());
    const emitter = new Emitter(client, key === undefined ? {} : { key });
    const members = (parity) => clients.filter((each) => each.index % 2 === parity);

    /** Waits until all nodes have received the emitter's messages. */
    const settled = async () => {
      // By one connection, what it sends last arrives last.
      const heard = nodes.all.map(({ io }) => once(io, "done"));
      emitter.serverSideEmit("done");
      await Promise.all(heard);
    };
    const assertReceived = async (expected) => {
      await settled();
      await nodes.assertReceived(expected);
    };

    emitter.emit("all", BYTES, 1.5, "text", { deep: [null] });
    const event = ["all", BYTES, 1.5, "text", { deep: [null] }];
    await assertReceived(eachGets(clients, [event]));

    emitter.to("even").except(clients[0].id).emit("even", BYTES);
    await assertReceived(eachGets(members(0).slice(1), [["even", BYTES]]));
    emitter.in("even").in("odd").emit("both");
    await assertReceived(eachGets(clients, [["both"]]));
    emitter.of(nodes.namespaces[0]).emit("there");
    const there = nodes.everyone.filter(({ socket }) => socket.nsp === nodes.namespaces[0]);
    await assertReceived(eachGets(there, [["there"]]));

    emitter.in("odd").socketsJoin("emitted");
    await settled();
    await nodes.roomIsReached("/", "emitted");
    emitter.to("emitted").emit("emitted");
    await assertReceived(eachGets(members(1), [["emitted"]]));
    emitter.socketsLeave("emitted");
    await settled();
    while (nodes.all.some(({ io }) => io.of("/").adapter.rooms.has("emitted"))) await delay(2);

    const guests = await Promise.all(nodes.all.map((node) => node.connect()));
    const left = guests.map(({ socket }) => once(socket, "disconnect"));
    for (const { id } of guests) emitter.in(id).disconnectSockets(true);
    await Promise.all(left);
    await assertReceived({});
  });

  test("all servers receive the emitter's events", async (t) => {
    const nodes = started();
    const client = createClient({ url: nodes.urls[0] });
    await client.connect();
    t.after(() => client.close());
    const heard = nodes.all.map(({ io }) => once(io, "news"));
    new Emitter(client, key === undefined ? {} : { key }).serverSideEmit("news", 1.5, ["text"]);
    for (const args of await Promise.all(heard)) assert.deepEqual(args, [1.5, ["text"]]);
  });
}

module.exports = { emitter };
