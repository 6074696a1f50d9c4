"use strict";

/** The order in which clients receive what one node, or several, have sent. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { eachGets } = require("../nodes.js");

const COUNT = 200;

/** Emits one broadcast of a sequence, each of another kind than the one before. */
function emitNumber(io, n) {
  if (n % 4 === 0) io.emit("n", n);
  else if (n % 4 === 1) io.to(["even", "odd"]).emit("n", n);
  else if (n % 4 === 2) io.except("nobody").emit("n", n, Buffer.from([n]));
  else
    io.to("even")
      .to("odd")
      .emit("n", n, "x".repeat(10 * n));
}

const numbersIn = (events, name = "n") =>
  events.filter(([event]) => event === name).map(([, n]) => n);

const sequence = (count) => Array.from({ length: count }, (_, n) => n);

/** @type {import("./all.js").Behaviour} */
function order(started, index, { isSharded, isOrdered }) {
  const sender = () => started().all[index];

  test("broadcasts arrive in order, whichever recipients they have", async () => {
    for (const n of sequence(COUNT)) emitNumber(sender().io, n);
    const received = await started().received();
    for (const { name } of started().clients) {
      assert.deepEqual(numbersIn(received[name]), sequence(COUNT), name);
    }
  });

  test("broadcasts of all nodes at once arrive in the order of each", async () => {
    const { all, clients } = started();
    for (const n of sequence(COUNT / 4)) {
      for (const [number, { io }] of all.entries()) io.emit(`from ${number}`, n);
      if (n % 5 === 0) await delay(1);
    }
    const received = await started().received();
    for (const { name } of clients) {
      for (const number of all.keys()) {
        assert.deepEqual(numbersIn(received[name], `from ${number}`), sequence(COUNT / 4), name);
      }
    }
  });

  if (isOrdered) {
    test("sockets that join are in the room for the next broadcast, until they leave", async () => {
      const { clients } = started();
      const { io } = sender();
      io.socketsJoin("fresh");
      io.to("fresh").emit("joined");
      io.socketsLeave("fresh");
      io.to("fresh").emit("left");
      // The classic adapter has its own sockets join when Redis has sent it its own request.
      const members = clients.filter((client) => isSharded || !sender().clients.includes(client));
      await started().assertReceived(eachGets(members, [["joined"]]));
      while (started().all.some((node) => node.io.of("/").adapter.rooms.has("fresh")))
        await delay(2);
    });

    test("a socket that has just joined receives what another node of the process sends at once", async () => {
      const { all, clients } = started();
      const receiver = all.find((node) => node !== sender());
      const [member] = receiver.clients;
      const socket = receiver.socketOf(member);
      for (const n of sequence(COUNT)) {
        socket.join(`room ${n}`);
        sender().io.to(`room ${n}`).emit("n", n);
        sender().io.except(`room ${n}`).emit("others", n);
        await delay(1);
      }
      const events = (name) => sequence(COUNT).map((n) => [name, n]);
      const expected = eachGets(clients, events("others"));
      expected[member.name] = events("n");
      await started().assertReceived(expected);
      for (const n of sequence(COUNT)) socket.leave(`room ${n}`);
    });
  }

  test("what a server does on another's event is between their broadcasts", async () => {
    const { all, clients } = started();
    const { io } = sender();
    const others = all.filter((node) => node !== sender());
    for (const other of others) other.io.once("word", () => other.io.local.emit("on its word"));
    io.emit("before");
    io.serverSideEmit("word");
    io.emit("after");
    const expected = eachGets(clients, [["before"], ["on its word"], ["after"]]);
    for (const { name } of sender().clients) expected[name] = [["before"], ["after"]];
    await started().assertReceived(expected);
  });

  /** @returns {Promise<boolean>} whether all guests have received a message before they had upgraded */
  async function upgradesMeanwhile() {
    const { all } = started();
    let sent = 0;
    let isOver = false;
    const sending = (async () => {
      while (!isOver) {
        emitNumber(sender().io, sent++);
        await delay(1);
      }
    })();
    const guests = await Promise.all(
      all.map((node) => node.connect({ transports: ["polling", "websocket"] })),
    );
    for (const { socket } of guests) {
      while (socket.io.engine.transport.name === "polling" || socket.io.engine.upgrading) {
        await delay(1);
      }
    }
    const upgradedAt = sent;
    while (sent < upgradedAt + 20) await delay(1);
    isOver = true;
    await sending;
    await started().received();
    // A guest is in neither room, so it receives every second one.
    const isFor = (n) => n % 2 === 0;
    const last = sequence(sent).filter(isFor).at(-1);
    for (const guest of guests) {
      while (numbersIn(guest.received).at(-1) !== last) await delay(2);
      const numbers = numbersIn(guest.received);
      const expected = sequence(sent).filter((n) => isFor(n) && n >= numbers[0]);
      assert.deepEqual(numbers, expected);
    }
    await started().dismiss(guests);
    return guests.every(({ received }) => numbersIn(received)[0] < upgradedAt);
  }

  test("a client that upgrades to WebSocket meanwhile misses nothing", async () => {
    // On a busy machine, the first message may arrive after the upgrade.
    while (!(await upgradesMeanwhile()));
  });
}

module.exports = { order };
