"use strict";

/** The recipients of one node's broadcasts on all nodes, and what they receive. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { eachGets } = require("../nodes.js");

const BYTES = Buffer.from([0, 1, 0x7b, 0xff]);
const WHEN = new Date(Date.UTC(2024, 1, 29, 12, 0, 0, 7));
const LARGE = Buffer.alloc(200_000, "socket.io ");

/** Arguments, and what clients receive if it is not the same. */
const VALUES = {
  text: [["", "žluťoučký 👩‍👩‍👧", '\u2028\0"\\', "x".repeat(70_000)]],
  numbers: [[0, -1, 255, 65_536, 2 ** 32, -(2 ** 31), 2 ** 53 - 1, -(2 ** 53), 1.5, 1e-7, 5e-324]],
  "minus zero": [[-0], [0]],
  "what JSON takes for null": [
    [Number.NaN, Number.POSITIVE_INFINITY],
    [null, null],
  ],
  nothing: [
    [null, undefined, { a: undefined, b: [undefined], c: null }],
    [null, null, { b: [null], c: null }],
  ],
  booleans: [[true, false]],
  objects: [[{ "": 0, toString: "x", deep: { deeper: [[], {}, [[1]]] } }]],
  dates: [
    [WHEN, { at: WHEN }],
    [WHEN.toJSON(), { at: WHEN.toJSON() }],
  ],
  "what has toJSON()": [[{ toJSON: () => ({ n: 1 }) }], [{ n: 1 }]],
  bytes: [[BYTES, { deep: [BYTES, { b: Buffer.alloc(0) }] }, "end"]],
  "an ArrayBuffer": [[new Uint8Array([1, 2]).buffer], [Buffer.from([1, 2])]],
  "many bytes": [[LARGE, "and", [LARGE.subarray(0, 70_000)]]],
  "what looks like a placeholder": [[{ _placeholder: false, num: 0 }, [{ num: 0 }]]],
};

/** Names of rooms that are apart, whatever the channels are called. */
const ROOMS = [
  "",
  "#",
  "a",
  "a#",
  "a#a",
  "*",
  "[a]",
  "a b\r\nc",
  "žluťoučký 👩‍👩‍👧",
  "__proto__",
  "constructor",
  "5",
  5,
  "05",
  -1.5,
  "x".repeat(20),
  "y".repeat(5_000),
];

/** @type {import("./all.js").Behaviour} */
function broadcasts(started, index) {
  const sender = () => started().all[index];

  test("all clients receive values of all kinds as they are", async () => {
    const { clients } = started();
    const { "an ArrayBuffer": arrayBuffer, ...others } = VALUES;
    const { losesArrayBuffers } = sender().kind;
    const all = Object.entries(losesArrayBuffers ? others : VALUES);
    for (const [name, [values]] of all) sender().io.emit(name, ...values);
    const expected = all.map(([name, [values, same = values]]) => [name, ...same]);
    await started().assertReceived(eachGets(clients, expected));
  });

  test("what is sent to rooms reaches each member once, and no client that is excepted", async () => {
    const { clients } = started();
    const { io } = sender();
    const is = (parity) => (client) => client.index % 2 === parity;
    const first = clients[0];
    const last = clients.at(-1);
    const received = async (members, event) => {
      await started().assertReceived(eachGets(members, [[event]]));
    };
    io.to("even").emit("even");
    await received(clients.filter(is(0)), "even");
    io.to("even").to("odd").to(first.id).emit("all");
    await received(clients, "all");
    io.to(["even", last.id]).except("odd").emit("even but odd");
    await received(clients.filter(is(0)), "even but odd");
    io.except(["even", clients[1].id]).emit("odd but one");
    await received(clients.filter(is(1)).slice(1), "odd but one");
    for (const { id, name } of [first, last]) {
      io.to(id).emit(name);
      await received([id === first.id ? first : last], name);
    }
    io.to("nobody").emit("nobody");
    io.to(["nobody", "no one"]).emit("nobody");
    await received([], "nobody");
  });

  test("a socket's broadcasts do not reach itself", async () => {
    const { clients } = started();
    const [self] = sender().clients;
    const socket = sender().socketOf(self);
    socket.broadcast.emit("others", BYTES);
    socket.to("even").emit("in the room");
    const others = clients.filter((client) => client !== self);
    const expected = eachGets(others, [["others", BYTES]]);
    for (const { name, index } of others) {
      if (index % 2 === 0) expected[name] = [...expected[name], ["in the room"]];
    }
    await started().assertReceived(expected);
  });

  test("local broadcasts stay on their node", async () => {
    const { io, clients } = sender();
    io.local.emit("local");
    io.local.to("even").emit("local and even");
    const expected = eachGets(clients, [["local"]]);
    for (const { name, index: each } of clients) {
      if (each % 2 === 0) expected[name] = [["local"], ["local and even"]];
    }
    await started().assertReceived(expected);
  });

  test("volatile broadcasts arrive where no packet waits", async () => {
    const nodes = started();
    // A client that polls may be between two polls all the time.
    const members = nodes.clients.filter((client) => !client.isPolling);
    const ids = members.map(({ id }) => id);
    const got = new Map(members.map(({ name }) => [name, []]));
    for (let n = 0; [...got.values()].some((numbers) => numbers.length === 0); n++) {
      sender().io.to(ids).volatile.emit("volatile", n, BYTES);
      for (const [name, events] of Object.entries(await nodes.received())) {
        assert.deepEqual(events, [["volatile", n, BYTES]]);
        got.get(name).push(n);
      }
    }
  });

  test("uncompressed broadcasts arrive", async () => {
    const { clients } = started();
    sender().io.compress(false).emit("uncompressed", BYTES);
    await started().assertReceived(eachGets(clients, [["uncompressed", BYTES]]));
  });

  test("rooms of any name are apart", async () => {
    const nodes = started();
    for (const [number, room] of ROOMS.entries()) {
      for (const node of nodes.all) {
        node.socketOf(node.clients[number % node.clients.length]).join(room);
      }
    }
    await Promise.all(ROOMS.map((room) => nodes.roomIsReached("/", room)));
    await nodes.received();
    for (const room of ROOMS) sender().io.to(room).emit("in", room);
    const expected = {};
    for (const [number, room] of ROOMS.entries()) {
      for (const { clients } of nodes.all) {
        const { name } = clients[number % clients.length];
        expected[name] ??= [];
        expected[name].push(["in", room]);
      }
    }
    await nodes.assertReceived(expected);
    for (const node of nodes.all) {
      for (const room of ROOMS) node.io.local.in(room).socketsLeave(room);
    }
  });

  test("namespaces are apart", async () => {
    const nodes = started();
    for (const name of nodes.namespaces) sender().io.of(name).emit("in", name, BYTES);
    const expected = {};
    for (const { name, socket } of nodes.everyone) {
      if (socket.nsp !== "/") expected[name] = [["in", socket.nsp, BYTES]];
    }
    assert.equal(Object.keys(expected).length, nodes.namespaces.length * nodes.all.length);
    await nodes.assertReceived(expected);
  });
}

module.exports = { broadcasts };
