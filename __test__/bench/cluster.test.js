"use strict";

/** The benchmark of two nodes over Redis as an instrument: what it measures, finds and starts. */

const assert = require("node:assert/strict");
const { execFile, spawn } = require("node:child_process");
const { once } = require("node:events");
const { mkdtempSync, readFileSync, rmSync } = require("node:fs");
const net = require("node:net");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { before, describe, test } = require("node:test");
const { setTimeout: sleep } = require("node:timers/promises");
const { compare, loadTable } = require("../../bench/suite/comparison.js");
const { build } = require("../../bench/processes/load-process.js");
const { RedisProcess } = require("../../bench/processes/redis-process.js");
const { charts } = require("../../bench/report/index.js");
const { page } = require("../../bench/report/markdown.js");
const { withFigures } = require("../../bench/report/readme.js");
const cluster = require("../../bench/scenarios/cluster.js");
const { Settings } = require("../../bench/suite/index.js");
const { BUSY_MICROSECONDS } = require("../fixtures/busy-node.js");
const { skipWithoutCargo } = require("../support/cargo.js");
const { skipWithoutRedis } = require("../support/redis/server.js");

const root = path.join(__dirname, "../..");
const fixture = (name) => path.join(__dirname, "../fixtures", name);

/** @returns {Promise<{ code: number, stdout: string, stderr: string }>} how `npm run bench` ends */
function bench(args, env = process.env) {
  return new Promise((resolve) => {
    const options = { cwd: root, env, maxBuffer: 1 << 24 };
    execFile(process.execPath, ["bench/run.js", ...args], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

describe("the cluster without redis-server", () => {
  // Where there is no program at all.
  const env = { ...process.env, PATH: path.join(root, "docs") };

  test("cannot be measured by name", async () => {
    const { code, stderr } = await bench(["cluster"], env);
    assert.equal(code, 2);
    assert.match(stderr, /benchmark "cluster" cannot run: redis-server is not installed/);
  });

  test("is left out of a full run with one line", async () => {
    const { code, stdout, stderr } = await bench([], env);
    assert.equal(stdout.match(/^cluster: left out; redis-server is not installed.*$/gm).length, 1);
    // So it does not go on to measure.
    assert.equal(code, 1);
    assert.match(stderr, /the benchmarks need cargo/);
  });
});

describe("who takes part in the cluster", () => {
  const contendersOf = (options) =>
    new Settings(options).loadsOf(cluster).map(({ contenders }) => contenders.join(" "));

  test("is both nodes everywhere, and ours without a cluster where it emits", () => {
    const expected = ["ws turbo", "ws turbo", "ws turbo alone"];
    assert.deepEqual(contendersOf({ isQuick: false }), expected);
    assert.deepEqual(contendersOf({ isQuick: true }), expected);
  });

  test("is none that cannot be a node, even if it is named", () => {
    const contenders = ["turbo", "send", "alone", "engine", fixture("busy-node.js")];
    const nodes = `turbo ${fixture("busy-node.js")}`;
    assert.deepEqual(contendersOf({ isQuick: false, contenders }), [
      nodes,
      nodes,
      `turbo alone ${fixture("busy-node.js")}`,
    ]);
  });

  test("is judged by the contender that is asked for, which need not be the first", () => {
    const metric = { title: "time", of: ({ time }) => time, digits: 0 };
    const asked = [{ to: "alone", atMost: 1.3 }];
    const samples = { ws: [{ time: 90 }], turbo: [{ time: 12 }], alone: [{ time: 10 }] };
    const rows = compare({ scenario: "cluster", load: "any" }, [{ ...metric, asked }], samples);
    assert.deepEqual(Object.keys(rows[0].contenders.turbo.ratios), ["ws", "alone"]);
    assert.match(loadTable(rows), /12 ×0.13 .*<= 1.3 of alone: 1.20 \|/);
    const [unasked] = compare({ scenario: "cluster", load: "any" }, [metric], samples);
    assert.deepEqual(Object.keys(unasked.contenders.turbo.ratios), ["ws"]);
  });
});

describe("the Redis of a benchmark", { skip: skipWithoutRedis }, () => {
  /** @returns {Promise<boolean>} whether somebody listens there */
  async function answers(url) {
    const socket = net.connect(new URL(url).port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }

  test("ends when it is stopped", async () => {
    const redis = await RedisProcess.start();
    assert.equal(await answers(redis.url), true);
    await redis.stop();
    assert.equal(await answers(redis.url), false);
  });

  test("ends with the process that has started it, however that ends", async () => {
    const program = `
      const { RedisProcess } = require("./bench/processes/redis-process.js");
      RedisProcess.start().then(({ url }) => console.log(url));`;
    const starter = spawn(process.execPath, ["-e", program], { cwd: root });
    const [url] = await once(starter.stdout, "data");
    assert.equal(await answers(String(url)), true);
    starter.kill("SIGKILL");
    while (await answers(String(url))) await sleep(10);
  });
});

describe("the cluster", { skip: skipWithoutCargo || skipWithoutRedis }, () => {
  const [receiving, elsewhere, emitting] = cluster.loads;
  const timing = { rounds: 1, warmUp: 0.1, seconds: 1.6 };

  /** A round of a load with a few clients, and with room for the tests that run beside it. */
  function round(node, load, rate = 10) {
    const audience = Object.fromEntries(Object.keys(load.audience).map((name) => [name, 5]));
    return cluster.round(fixture(node), { ...load, audience, rate, payload: 128 }, timing);
  }

  before(() => build());

  test("writes the figures of each contender, which the report prints", async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "results.json");
    const { code, stderr } = await bench(["cluster", "--quick", "--json", file]);
    assert.equal(code, 0, stderr);
    const results = JSON.parse(readFileSync(file, "utf8"));
    const { rows, title } = results.results.cluster;
    const find = (load, title) =>
      rows.find((row) => row.load.startsWith(load.name) && row.metric.startsWith(title));
    for (const [load, title, ratio] of [
      [receiving, "event-loop time per broadcast", "ws"],
      [receiving, "CPU per delivered message", "ws"],
      [receiving, "latency, p99", "ws"],
      [elsewhere, "CPU per message", "ws"],
      [emitting, "event-loop time per broadcast", "alone"],
      [emitting, "time in emit()", "alone"],
    ]) {
      const { asked, contenders } = find(load, title);
      assert.equal(asked[0].to, ratio);
      for (const { median } of Object.values(contenders)) assert.ok(median > 0);
      assert.ok(contenders.turbo.ratios[ratio] > 0);
    }
    for (const load of cluster.loads) {
      const { contenders } = find(load, "messages lost");
      assert.deepEqual(Object.keys(contenders), load.contenders);
      for (const { max } of Object.values(contenders)) assert.equal(max, 0);
    }
    assert.equal(find(emitting, "Redis: CPU").contenders.alone, undefined);

    const text = page(results);
    assert.ok(text.includes(`## cluster\n\n${title}.`));
    for (const { name } of cluster.loads) assert.ok(text.includes(`### cluster: ${name}, 128 B`));
    assert.match(charts(results)["cluster.svg"], /^<svg .*<\/svg>\s*$/s);
    const readme = readFileSync(path.join(root, "README.md"), "utf8");
    assert.match(withFigures(readme, results), /^\| cluster: receiving node, 1,000 clients/m);
  });

  for (const [load, message] of [
    [receiving, /the load client failed/],
    [elsewhere, /of the messages of ".*lossy-node.js" 1 are missing/],
    [emitting, /the load client failed/],
  ]) {
    test(`fails where a message is lost between the nodes (${load.name})`, async () => {
      await assert.rejects(round("lossy-node.js", load), message);
    });
  }

  test("fails where a node has been without Redis, and nobody can know what it has missed", async () => {
    await assert.rejects(
      round("reconnecting-node.js", elsewhere),
      /a node of ".*reconnecting-node.js" has lost its connection to Redis/,
    );
  });

  test("counts what a receiving node works off, not what it should", async () => {
    const rate = 2e6 / BUSY_MICROSECONDS;
    const { broadcasts, lost } = await round("busy-node.js", receiving, rate);
    assert.equal(lost, 0);
    // It is busy for twice as long as there is time. Of the other half, some for the edges.
    assert.ok(broadcasts < 0.75 * rate * timing.seconds, `${broadcasts} broadcasts`);
  });

  for (const [load, times] of [
    [receiving, 1],
    [elsewhere, 1],
    // It receives its own broadcasts, too.
    [emitting, 2],
  ]) {
    test(`sees the event-loop time of a planted regression (${load.name})`, async () => {
      const { loop, broadcasts, lost } = await round("busy-node.js", load);
      assert.equal(lost, 0);
      assert.ok(broadcasts > 0);
      // The loop is busy for at least as long, however fast the machine is; but where it is slow,
      // some of them may come after the measurement.
      const least = (times - 0.25) * BUSY_MICROSECONDS;
      assert.ok(loop / broadcasts >= least, `${loop / broadcasts} µs`);
    });
  }
});
