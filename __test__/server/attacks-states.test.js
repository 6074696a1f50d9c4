"use strict";

/** Peers that reset their connection in each state: nothing is left of them, and others are served. */

const assert = require("node:assert/strict");
const { platform } = require("node:process");
const { describe, test } = require("node:test");
const { hasEngine } = require("../../lib/addon/index.js");
const {
  Attacker,
  HANDSHAKE,
  allGone,
  get,
  repeat,
  startAttacked,
} = require("../support/attackers.js");
const { polled } = require("../support/observed.js");
const { connectClient } = require("../support/socket-io-client.js");

const PEERS = 150;
const WIDTH = 30;
const OPEN = '"maxPayload":1000000}';

/** The actions of peers up to their end; `false` if that alone ends the connection. */
const STATES = {
  "before they have sent anything": async (peer) => peer.send(""),
  "with half a request": async (peer) => peer.send(HANDSHAKE.slice(0, 60)),
  "with a request that is passed": async (peer) =>
    peer.send("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"),
  "with half a request that is passed": async (peer) => peer.send("POST / HTTP/1.1\r\nHo"),
  "with a handshake": async (peer) => peer.send(HANDSHAKE),
  "with a handshake and garbage": async (peer) => peer.send(`${HANDSHAKE}${"\xff".repeat(5000)}`),
  "with many handshakes at once": async (peer) => peer.send(HANDSHAKE.repeat(20)),
  "with an open session": async (peer) => {
    await peer.send(HANDSHAKE);
    await peer.hasReceived(OPEN);
  },
  "with half a frame": async (peer) => {
    await peer.send(HANDSHAKE);
    await peer.hasReceived(OPEN);
    await peer.send("\x81\xfe\x10\0ab");
  },
};

const kinds = hasEngine ? [false, true] : [false];
const skip = platform !== "linux" && "looks into /proc";

/** Asserts that a client of Socket.IO and a request get their answers. */
async function assertServes({ port }) {
  const client = connectClient(`http://127.0.0.1:${port}`);
  assert.equal(await client.emitWithAck("echo", "text"), "text");
  client.disconnect();
}

for (const isOurs of kinds) {
  const title = isOurs ? "createServer()" : "http.createServer()";
  describe(`peers of a server of ${title}`, { timeout: 240_000, skip }, () => {
    for (const [state, prepare] of Object.entries(STATES)) {
      for (const end of ["reset", "end"]) {
        test(`${end} ${state}`, async (t) => {
          const server = await startAttacked(t, { isOurs });
          await assertServes(server);
          const before = await allGone(server, { sockets: Infinity, connections: 1 });
          await repeat(PEERS, WIDTH, async () => {
            const peer = new Attacker(server.port);
            await prepare(peer);
            if (end === "reset") await peer.reset();
            else peer.socket.destroy();
          });
          await assertServes(server);
          await allGone(server, before);
        });
      }
    }

    // An `http.Server` of Node.js ends the process then: nothing listens to errors of the socket.
    test("reset while the program decides on their handshake", { skip: !isOurs }, async (t) => {
      const server = await startAttacked(t, { isOurs, isWaiting: true });
      const before = await server.report();
      const peers = Array.from({ length: PEERS }, () => new Attacker(server.port));
      await Promise.all(peers.map((peer) => peer.send(HANDSHAKE)));
      await polled(async () => (await server.report()).waiting === PEERS);
      await Promise.all(peers.slice(1).map((peer) => peer.reset()));
      await get(server.port, "/release");
      await peers[0].hasReceived(OPEN);
      await polled(async () => (await server.report()).clients === 1);
      await peers[0].reset();
      await allGone(server, before);
    });

    test("are closed with a process that ends while their handshakes wait", async (t) => {
      const server = await startAttacked(t, { isOurs, isWaiting: true });
      const peers = Array.from({ length: PEERS }, () => new Attacker(server.port));
      await Promise.all(peers.map((peer) => peer.send(HANDSHAKE)));
      await polled(async () => (await server.report()).waiting === PEERS);
      await get(server.port, "/exit");
      assert.equal((await server.exited).code, 0);
      assert.deepEqual(new Set(await Promise.all(peers.map(({ ended }) => ended))), new Set([""]));
    });
  });
}
