"use strict";

/** `turbo.latest()` across nodes: ours replace packets that wait, others send all of them. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { latest, stats } = require("../..");
const { enterByHand } = require("../support/hand-client.js");
const { polled } = require("../support/observed.js");
const { official, ours, oursOverNodeRedis } = require("../support/redis/adapters.js");
const { kinds, skip } = require("../support/redis/idioms.js");
const { Nodes } = require("../support/redis/nodes.js");
const { endsOf, startRedis } = require("../support/redis/server.js");

/** A guard against hanging only, in milliseconds. */
const TIMEOUT = 120_000;

/** More than the kernel's buffers of a connection hold, 32 MiB to read and 4 MiB to write. */
const MUCH = "x".repeat(40 * 1024 * 1024);

const KEYS = 5;
const ROUNDS = 10;

/** Connects a client that does not read, and for which data waits. */
async function stalled({ io, origin, kind }, after) {
  const beforeClose = (close) => after(close);
  const { client, socket } = await enterByHand({ io, origin, beforeClose });
  socket.join("guests");
  client.webSocket.pause();
  const before = stats().queuedBytes;
  socket.emit("long", MUCH);
  const { transport } = socket.conn;
  await polled(() =>
    kind.isOurs ? stats().queuedBytes > before : transport.socket.bufferedAmount > 0,
  );
  return client;
}

/** Connects a client by long-polling; returns the function that polls for its packets. */
async function enterByPolling({ origin }, after) {
  const url = `${origin}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
  const poll = async () => (await (await fetch(`${url}&sid=${sid}`)).text()).split("\x1e");
  const post = (body) => fetch(`${url}&sid=${sid}`, { method: "POST", body });
  after(() => post("1"));
  await post("40");
  await poll();
  return poll;
}

/** Returns the numbers in the packets of the event "moved". */
function movesIn(packets) {
  const moves = packets.map((packet) => /^42\["moved",(\d+),(\d+)\]$/.exec(packet));
  return moves.filter((move) => move !== null).map(([, key, round]) => [+key, +round]);
}

async function movesOf(client) {
  client.webSocket.resume();
  await client.until(() => client.received.includes('42["end"]'), "the last packet");
  return movesIn(client.received.splice(0));
}

const LAST = Array.from({ length: KEYS }, (_, key) => [key, ROUNDS - 1]);
const ALL = Array.from({ length: ROUNDS * KEYS }, (_, i) => [i % KEYS, Math.floor(i / KEYS)]);

/** To all, JavaScript serves clients that poll; to the guests, Rust does everything. */
const TARGETS = {
  all: (io) => io,
  "a few": (io) => io.to("guests").to("nobody"),
};

if (kinds.includes(ours)) {
  for (const sharded of [false, true]) {
    const protocol = sharded ? "sharded" : "classic";
    describe(`Nodes of the ${protocol} protocol`, { skip, timeout: TIMEOUT }, () => {
      for (const [title, targetOf] of Object.entries(TARGETS)) {
        test(`send slow clients the latest of each key, if they are ours: to ${title}`, async (t) => {
          const after = endsOf(t);
          const url = await startRedis(after);
          const adapter = { sharded };
          const nodes = await Nodes.start(url, [official, ours, oursOverNodeRedis], { adapter });
          after(() => nodes.close());
          for (const { io } of nodes.all.slice(0, 2)) {
            const guests = [];
            for (const node of nodes.all) guests.push(await stalled(node, after));
            const before = stats().replaced;
            for (let round = 0; round < ROUNDS; round++) {
              for (let key = 0; key < KEYS; key++) {
                latest(targetOf(io), `key ${key}`).emit("moved", key, round);
              }
            }
            io.emit("end");
            await nodes.settle();
            const moves = [];
            for (const guest of guests) moves.push(await movesOf(guest));
            assert.deepEqual(moves, [ALL, LAST, LAST]);
            const expected = 2 * KEYS * (ROUNDS - 1);
            assert.ok(stats().replaced - before >= expected);
            for (const guest of guests) guest.disconnect();
          }
        });
      }

      test("replace what waits for clients between two polls", async (t) => {
        const after = endsOf(t);
        const url = await startRedis(after);
        const nodes = await Nodes.start(url, [official, ours], { adapter: { sharded } });
        after(() => nodes.close());
        const polls = [];
        for (const node of nodes.all) polls.push(await enterByPolling(node, after));
        const [{ io }] = nodes.all;
        for (const [key, round] of ALL) latest(io, `key ${key}`).emit("moved", key, round);
        await nodes.settle();
        const moves = [];
        for (const poll of polls) moves.push(movesIn(await poll()));
        assert.deepEqual(moves, [ALL, LAST]);
      });
    });
  }
}
