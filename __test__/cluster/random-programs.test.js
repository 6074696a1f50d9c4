"use strict";

/**
 * Random programs on a cluster of which two nodes are ours, and on one that is official: all clients
 * get the same events in the same order, and all sockets are in the same rooms.
 *
 * A program is a list of phases. In each, one node, or @socket.io/redis-emitter, does several things in
 * one turn, whose order Redis keeps for all others. SEED=<number> repeats a run, PHASES makes it longer.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { after, before, describe, test } = require("node:test");
const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");
const { hasEngine } = require("../../lib/native.js");
const { SEED, randomFrom } = require("../support/random.js");
const { official, ours } = require("../support/redis-adapters.js");
const { Nodes } = require("../support/redis-nodes.js");
const { skipWithoutRedis, startRedis } = require("../support/redis-server.js");

const PHASES = Number(process.env.PHASES ?? 60);
const ROOMS = ["a", "b", "c", "even", "odd", 7, "7", "ž#x", "[a-c]", ""];
const EMITTER = "emitter";
const NODES = 3;
const CLIENTS = 9;

const { below, pick, chance, times } = randomFrom(SEED);

/** Something for whom it is, as indices of clients and names of rooms. */
function audience() {
  const target = () => (chance(0.2) ? { client: below(CLIENTS) } : { room: pick(ROOMS) });
  return { to: times(3, target), except: chance(0.4) ? times(3, target) : [] };
}

const PAYLOADS = [
  () => "text",
  () => below(1000) - 500,
  () => 1.5,
  () => null,
  () => ({ list: [1, { deep: "ž\u2028" }], date: new Date(below(2 ** 31)) }),
  () => Buffer.from([1, 2, below(256)]),
  () => ({ one: Buffer.from("a"), other: [new Uint8Array(below(300))] }),
  () => "x".repeat(below(70_000)),
];

let events = 0;
const emission = () => ({
  do: "emit",
  ...audience(),
  args: [`event ${events++}`, ...times(4, () => pick(PAYLOADS)())],
});

const STEPS = [
  emission,
  emission,
  emission,
  () => ({ do: "socketsJoin", ...audience(), rooms: [pick(ROOMS), pick(ROOMS)] }),
  () => ({ do: "socketsLeave", ...audience(), rooms: [pick(ROOMS)] }),
];

/** What only a node can do with the sockets of its own clients. */
const LOCAL_STEPS = [
  () => ({ do: "join", client: below(CLIENTS), room: pick(ROOMS) }),
  () => ({ do: "leave", client: below(CLIENTS), room: pick(ROOMS) }),
  () => ({ do: "listen", client: below(CLIENTS) }),
  () => ({ do: "unlisten", client: below(CLIENTS) }),
  () => ({ do: "observe" }),
];

function phase() {
  const actor = chance(0.2) ? EMITTER : below(NODES);
  const steps = actor === EMITTER ? STEPS : [...STEPS, ...STEPS, ...LOCAL_STEPS];
  return { actor, steps: [pick(steps)(), ...times(7, () => pick(steps)())] };
}

function ignore() {}

/** A cluster that programs run on. */
class Cluster {
  static async start(kinds, after) {
    const cluster = new Cluster();
    const url = await startRedis(after);
    cluster.nodes = await Nodes.start(url, kinds);
    after(() => cluster.nodes.close());
    const client = createClient({ url });
    await client.connect();
    after(() => client.close());
    cluster.emitter = new Emitter(client);
    return cluster;
  }

  /** Does what a phase says, and waits until all have got it. */
  async play({ actor, steps }) {
    const isEmitter = actor === EMITTER;
    const io = isEmitter ? this.emitter : this.nodes.all[actor].io;
    for (const step of steps) this.#do(io, step, isEmitter ? undefined : this.nodes.all[actor]);
    if (isEmitter) {
      // One connection, so what it sends last comes last.
      const heard = this.nodes.all.map((node) => once(node.io, "done"));
      io.serverSideEmit("done");
      await Promise.all(heard);
    } else {
      // The node's own request comes back behind those before it.
      await io.fetchSockets();
    }
    return { received: await this.nodes.received(), rooms: await this.#rooms() };
  }

  #do(io, step, node) {
    switch (step.do) {
      case "emit":
        return this.#target(io, step).emit(...step.args);
      case "socketsJoin":
      case "socketsLeave":
        return this.#target(io, step)[step.do](step.rooms);
      case "observe":
        // Somebody listens to all that the server sends, for a while.
        node.io.engine[node.isObserved ? "off" : "on"]("drain", ignore);
        node.isObserved = !node.isObserved;
        return undefined;
      default:
        return this.#doHere(step, node);
    }
  }

  #doHere({ do: what, client, room }, node) {
    // Of the actor's clients, that which has this place among all.
    const socket = node.socketOf(node.clients[client % node.clients.length]);
    if (what === "join") socket.join(room);
    if (what === "leave") socket.leave(room);
    if (what === "listen") socket.onAnyOutgoing(ignore);
    if (what === "unlisten") socket.offAnyOutgoing();
  }

  #target(io, { to, except }) {
    const name = ({ client, room }) => room ?? this.nodes.clients[client].id;
    let target = io;
    for (const one of to) target = target.to(name(one));
    for (const one of except) target = target.except(name(one));
    return target;
  }

  /** Who is in which rooms, without those that are named by sockets. */
  async #rooms() {
    const sockets = await this.nodes.all[0].io.fetchSockets();
    const isName = (room) => ROOMS.includes(room);
    const order = (one, other) => ROOMS.indexOf(one) - ROOMS.indexOf(other);
    const rooms = sockets.map(({ data, rooms }) => [
      data.index,
      [...rooms].filter(isName).sort(order),
    ]);
    return Object.fromEntries(rooms);
  }
}

describe("random programs", { skip: skipWithoutRedis || !hasEngine, timeout: 600_000 }, () => {
  const ends = [];
  const clusters = [];

  before(async () => {
    const end = (close) => ends.unshift(close);
    clusters.push(await Cluster.start([official, official, official], end));
    clusters.push(await Cluster.start([official, ours, ours], end));
  });

  after(async () => {
    for (const end of ends) await end();
  });

  test(`do the same on a mixed cluster (SEED=${SEED})`, async () => {
    for (let count = 0; count < PHASES; count++) {
      const program = phase();
      const [wanted, got] = await Promise.all(clusters.map((cluster) => cluster.play(program)));
      const title = () => `phase ${count}, SEED=${SEED}: ${JSON.stringify(program)}`;
      assert.deepEqual(
        Object.keys(got.received).sort(),
        Object.keys(wanted.received).sort(),
        title(),
      );
      for (const [name, events] of Object.entries(wanted.received)) {
        const [names, others] = [got.received[name], events].map((all) =>
          all.map(([event]) => event),
        );
        assert.deepEqual(names, others, `${name} in ${title()}`);
        assert.deepEqual(got.received[name], events, `${name} in ${title()}`);
      }
      assert.deepEqual(got.rooms, wanted.rooms, title());
    }
  });
});
