"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { planOf } = require("./broadcast-round.js");
const { now } = require("../processes/clock.js");
const { ClusterProcesses } = require("../processes/cluster-processes.js");
const { LoadClient } = require("../processes/load-client.js");

/** From the commands to the first turn, in microseconds: each node has its command by then. */
const LEAD = 100_000;

/**
 * The lead of a measurement of the receiving node over a turn of the emitting node, as a share of the
 * time between two turns: the messages of the previous turn have been handled by then.
 */
const REST_SHARE = 0.2;

/**
 * @typedef {object} ClusterLoad with those of a {@link Plan}
 * @property {"broadcast" | "publish"} command of server.js, to the emitting node
 * @property {"emitting" | "receiving"} measured which node
 * @property {{ emitting?: number, receiving: number }} audience how many clients are connected to
 *   each. Those of the receiving node notice what is lost on the way
 *
 * @typedef {import("../processes/broadcasting.js").Plan} Plan
 */

/**
 * Measures one of two nodes of a cluster while one broadcasts.
 *
 * @param {string} name of the contender that both are
 * @param {import("./index.js").Load & Partial<Plan> & ClusterLoad} load
 * @param {import("./index.js").Timing} timing
 * @returns {Promise<object>} what the measured node used, as usage.js's `Usage`; the number of
 *   `broadcasts`, and of messages `delivered` to its clients, meanwhile; the report of their load
 *   client as `load`; the CPU time of the other node and of Redis as `otherNodeCpu` and
 *   `redisCpu`, in microseconds; of the emitting node, how long its calls of `emit()` took as
 *   `emitting`; how many messages were `lost` in all, 0
 * @throws {Error} if a message is lost, doubled, overtaken or astray
 */
async function clusterRound(name, load, timing) {
  const plan = planOf(load, timing);
  const cluster = await ClusterProcesses.start(name);
  try {
    const swarms = await connect(cluster, load.audience, plan);
    const before = await cluster.redis.traffic();
    const round = await run(cluster, load, plan, swarms);
    const after = await cluster.redis.traffic();
    const lost = countLost(round) || countUnpublished(round, after.published - before.published);
    if (lost !== 0) throw new Error(`of the messages of "${name}" ${lost} are missing`);
    if (String(after.subscribers) !== String(before.subscribers)) {
      throw new Error(`a node of "${name}" has lost its connection to Redis`);
    }
    return { ...sample(load, round), lost };
  } finally {
    await cluster.stop();
  }
}

/** @returns {Promise<Swarm[]>} the clients of each node that has some */
function connect(cluster, audience, plan) {
  return Promise.all(
    Object.entries(audience).map(async ([node, clients]) => {
      // Messages to rooms without members do not concern them.
      const options = { ...plan, clients, rooms: 1 };
      const client = await LoadClient.connect("broadcast", cluster[node].port, options);
      return { node, clients, client };
    }),
  );
}

/**
 * Runs the plan on the emitting node.
 *
 * @returns {Promise<Round>}
 *
 * @typedef {object} Swarm
 * @property {string} node to which they are connected
 * @property {number} clients how many
 * @property {LoadClient} client
 *
 * @typedef {object} Round
 * @property {object} emitting what that node used, and how much it sent, as broadcasting.js says
 * @property {object} receiving usage.js's `Usage`
 * @property {number} redisCpu in microseconds
 * @property {(Swarm & { report: object })[]} swarms
 */
async function run(cluster, { command, measured }, plan, swarms) {
  const beginning = now() + LEAD;
  const nodePlan = { ...plan, beginning, isTimed: measured === "emitting" };
  const [emitting, meanwhile, ...reports] = await Promise.all([
    cluster.emitting.ask(command, nodePlan),
    measureReceiving(cluster, nodePlan),
    ...swarms.map(({ client }) => client.report()),
  ]);
  await Promise.all(swarms.map(({ client }) => client.stop()));
  return {
    emitting,
    ...meanwhile,
    swarms: swarms.map((swarm, index) => ({ ...swarm, report: reports[index] })),
  };
}

/** Measures the receiving node and Redis for the measured number of turns. */
async function measureReceiving({ receiving, redis }, { beginning, rate, warmUp, seconds }) {
  const start = beginning + (warmUp - REST_SHARE / rate) * 1e6;
  await sleepUntil(start);
  const [, cpuBefore] = await Promise.all([receiving.ask("start"), redis.cpu()]);
  await sleepUntil(start + seconds * 1e6);
  const [usage, cpu] = await Promise.all([receiving.ask("stop"), redis.cpu()]);
  return { receiving: usage, redisCpu: cpu - cpuBefore };
}

/** @param {number} time as {@link now} */
function sleepUntil(time) {
  return sleep(Math.max(0, (time - now()) / 1e3));
}

/** Counts the messages that clients have not received. */
function countLost({ emitting, swarms }) {
  return swarms.reduce(
    (lost, { clients, report }) => lost + emitting.sent * clients - report.received,
    0,
  );
}

/** Counts the messages that Redis has not received, the final `end` included. */
function countUnpublished({ emitting: { sent, published = 0 } }, given) {
  return sent + published + 1 - given;
}

function sample(load, { emitting, receiving, redisCpu, swarms }) {
  const swarm = swarms.find(({ node }) => node === load.measured);
  const [measured, other] =
    load.measured === "emitting" ? [emitting, receiving] : [receiving, emitting];
  return {
    ...measured,
    ...counts(load, emitting, swarm),
    load: swarm.report,
    otherNodeCpu: other.user + other.system,
    redisCpu,
  };
}

/** Counts the broadcasts and deliveries during the measurement. */
function counts({ command, measured }, { broadcasts }, { clients, report }) {
  if (command === "publish") return { broadcasts, delivered: 0 };
  if (measured === "emitting") return { broadcasts, delivered: broadcasts * clients };
  // Not what was sent meanwhile, for the node may lag.
  const delivered = report.receivedMeanwhile;
  return { broadcasts: delivered / clients, delivered };
}

module.exports = { clusterRound };
