"use strict";

/**
 * JavaScript is busy for three ping timeouts while the clients answer heartbeats as they should: how
 * many connections are lost. A client closes its connection where no ping comes within
 * `pingInterval + pingTimeout`, as engine.io-client does; a server closes one on which no pong has
 * come within `pingTimeout`. Each client that is left has to be served afterwards.
 */

const { setTimeout: sleep } = require("node:timers/promises");
const { LoadClient } = require("../processes/load-client.js");
const { ServerProcess } = require("../processes/server-process.js");
const { countLost } = require("../suite/paced-round.js");

/** Time by which either side may be late to close what it will close. */
const SLACK_MILLISECONDS = 100;

/**
 * @param {string} name of the contender
 * @param {BlockedLoad} load
 *
 * @typedef {object} BlockedLoad
 * @property {number} clients how many
 * @property {import("../processes/server-process.js").Heartbeat} heartbeat
 * @property {number} pingTimeouts for how many of them JavaScript is busy
 *
 * @returns {Promise<{ closed: number, unpinged: number, lost: number, left: number }>} clients that
 *   the server has closed and that have closed themselves, both together, and the others
 * @throws {Error} if a client that is left is not served
 */
async function round(name, { clients, heartbeat, pingTimeouts }) {
  const { pingInterval, pingTimeout } = heartbeat;
  const server = await ServerProcess.start(name, { heartbeat });
  try {
    // Evenly over an interval, so that the pings are, too.
    const seconds = pingInterval / 1e3;
    const client = await LoadClient.connect("blocked", server.port, { clients, seconds });
    // The last of them is due to be pinged then.
    await sleep(pingInterval);
    await server.ask("block", { milliseconds: pingTimeouts * pingTimeout });
    await sleep(pingInterval + pingTimeout + SLACK_MILLISECONDS);
    client.go();
    const { closed, unpinged, left } = await client.report();
    const unserved = await countLost(server, left);
    if (unserved > 0) throw new Error(`server "${name}" does not serve ${unserved} clients`);
    await client.stop();
    return { closed, unpinged, lost: closed + unpinged, left };
  } finally {
    await server.stop();
  }
}

/** @type {import("../suite/index.js").Scenario} */
module.exports = {
  title: "JavaScript is busy for three ping timeouts: connections that are lost",
  loads: [
    {
      name: "200 clients",
      clients: 200,
      // In the proportion of Engine.IO's defaults, 25 s and 20 s.
      heartbeat: { pingInterval: 500, pingTimeout: 400 },
      pingTimeouts: 3,
      contenders: ["ws", "bun", "turbo", "socketioxide"],
    },
  ],
  round,
  metrics: () => [
    {
      title: "clients lost",
      of: ({ lost }) => lost,
      digits: 0,
      asked: [{ atMost: 0 }],
      isHeadline: true,
      better: "lower",
    },
    { title: "closed by the server", of: ({ closed }) => closed, digits: 0 },
    { title: "closed by the client: no ping came", of: ({ unpinged }) => unpinged, digits: 0 },
    { title: "clients left, all of them served", of: ({ left }) => left, digits: 0 },
  ],
};
