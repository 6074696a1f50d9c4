"use strict";

/** Requests between nodes, and what one node does to the sockets of all. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { eachGets } = require("../nodes.js");

const byIndex = (a, b) => a.data.index - b.data.index;

/** Waits until so many sockets are in a room, on all nodes together. */
async function roomHas({ all }, room, count) {
  const size = ({ io }) => io.of("/").adapter.rooms.get(room)?.size ?? 0;
  while (all.reduce((sum, node) => sum + size(node), 0) !== count) await delay(2);
}

/** @type {import("./all.js").Behaviour} */
function requests(started, index, { isSharded }) {
  const asker = () => started().all[index];

  test("counts the servers", async () => {
    const { all } = started();
    for (const { io } of all) assert.equal(await io.of("/").adapter.serverCount(), all.length);
  });

  test("fetches all sockets with their data, rooms and handshakes", async () => {
    const { clients } = started();
    const sockets = (await asker().io.fetchSockets()).sort(byIndex);
    assert.deepEqual(
      sockets.map(({ id, data }) => [id, data.index]),
      clients.map((client) => [client.id, client.index]),
    );
    for (const { id, data, rooms, handshake } of sockets) {
      const parity = data.index % 2 === 0 ? "even" : "odd";
      assert.deepEqual([...rooms].sort(), [id, parity].sort());
      assert.equal(handshake.query.index, `${data.index}`);
      assert.equal(handshake.secure, false);
      assert.equal(typeof handshake.issued, "number");
    }
  });

  test("fetches the sockets of rooms", async () => {
    const { clients } = started();
    const fetched = async (operator) =>
      (await operator.fetchSockets()).map(({ data }) => data.index).sort();
    const { io } = asker();
    const even = clients.map((client) => client.index).filter((each) => each % 2 === 0);
    assert.deepEqual(await fetched(io.in("even")), even);
    assert.deepEqual(await fetched(io.in("even").except(clients[0].id)), even.slice(1));
    assert.deepEqual(await fetched(io.in(clients.at(-1).id)), [clients.at(-1).index]);
    assert.deepEqual(await fetched(io.in("nobody")), []);
    const own = asker().clients.map((client) => client.index);
    assert.deepEqual(await fetched(io.local), own);
  });

  test("makes sockets join and leave rooms everywhere", async () => {
    const nodes = started();
    const { clients } = nodes;
    const { io } = asker();
    const even = clients.filter((client) => client.index % 2 === 0);
    io.in("even").socketsJoin(["moved", "moved too"]);
    await roomHas(nodes, "moved", even.length);
    await roomHas(nodes, "moved too", even.length);
    await nodes.roomIsReached("/", "moved");
    await nodes.received();
    io.to("moved").emit("moved");
    await nodes.assertReceived(eachGets(even, [["moved"]]));
    io.in("moved").except(even[0].id).socketsLeave("moved");
    await roomHas(nodes, "moved", 1);
    io.to("moved").emit("left");
    await nodes.assertReceived(eachGets([even[0]], [["left"]]));
    io.socketsLeave(["moved", "moved too"]);
    await roomHas(nodes, "moved", 0);
    await roomHas(nodes, "moved too", 0);
  });

  test("moves and reaches single sockets that it has fetched", async () => {
    const nodes = started();
    const client = nodes.all.find((node) => node !== asker()).clients[0];
    const [remote] = await asker().io.in(client.id).fetchSockets();
    remote.join("alone");
    await roomHas(nodes, "alone", 1);
    remote.emit("for you", Buffer.from([1]));
    const expected = eachGets([client], [["for you", Buffer.from([1])]]);
    await nodes.assertReceived(expected);
    remote.leave("alone");
    await roomHas(nodes, "alone", 0);
  });

  test("disconnects sockets everywhere, with or without their connections", async () => {
    const nodes = started();
    const [other] = nodes.namespaces;
    const guests = await Promise.all(nodes.all.map((node) => node.connect()));
    const others = guests.map(({ socket }) => socket.io.socket(other));
    await Promise.all(others.map((socket) => once(socket, "connect")));
    for (const [number, node] of nodes.all.entries()) {
      node.socketOf(guests[number]).join("leaving");
    }
    const left = guests.map(({ socket }) => once(socket, "disconnect"));
    asker().io.in("leaving").except(guests[0].id).disconnectSockets();
    for (const leaving of left.slice(1)) assert.equal((await leaving)[0], "io server disconnect");
    await nodes.settle();
    assert.deepEqual(
      others.map((socket) => socket.connected),
      others.map(() => true),
    );
    assert.equal(guests[0].socket.connected, true);
    const closed = once(others[0], "disconnect");
    asker().io.in("leaving").disconnectSockets(true);
    await Promise.all([left[0], closed]);
    for (const socket of others) socket.disconnect();
    await nodes.assertReceived({});
  });

  test("servers receive each other's events, and not their own", async () => {
    const { all } = started();
    const heard = all.map(() => []);
    const hear = all.map(
      (_, number) =>
        (...args) =>
          heard[number].push(args),
    );
    for (const [number, { io }] of all.entries()) io.on("news", hear[number]);
    const args = [1.5, "text", { deep: [null] }];
    asker().io.serverSideEmit("news", ...args);
    asker().io.serverSideEmit("news");
    const others = heard.filter((_, number) => number !== index);
    while (others.some((each) => each.length < 2)) await delay(2);
    await started().settle();
    for (const [number, { io }] of all.entries()) io.off("news", hear[number]);
    for (const [number, each] of heard.entries()) {
      assert.deepEqual(each, number === index ? [] : [args, []]);
    }
  });

  test("servers answer each other", async () => {
    const { all } = started();
    const answer = (number) => (text, callback) => callback({ number, text });
    const others = all.map((_, number) => number).filter((number) => number !== index);
    for (const number of others) all[number].io.once("question", answer(number));
    const answers = await asker().io.serverSideEmitWithAck("question", "text");
    assert.deepEqual(
      answers.sort((a, b) => a.number - b.number),
      others.map((number) => ({ number, text: "text" })),
    );
  });

  if (!isSharded) {
    test("finds the rooms of all", async () => {
      const nodes = started();
      const [other] = nodes.all.filter((node) => node !== asker());
      const socket = other.socketOf(other.clients[0]);
      socket.join("far away");
      const rooms = await asker().io.of("/").adapter.allRooms();
      socket.leave("far away");
      const ids = nodes.clients.map(({ id }) => id);
      assert.deepEqual([...rooms].sort(), [...ids, "even", "odd", "far away"].sort());
    });
  }
}

module.exports = { requests };
