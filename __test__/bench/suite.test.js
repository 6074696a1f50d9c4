"use strict";

/** The benchmarks as an instrument: its command line, what it finds, and what it is read into. */

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { mkdtempSync, readFileSync, readdirSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const { afterEach, before, beforeEach, describe, test } = require("node:test");
const { planOf } = require("../../bench/suite/broadcast-round.js");
const { contenders } = require("../../bench/processes/contenders.js");
const { build } = require("../../bench/processes/load-process.js");
const { ServerProcess } = require("../../bench/processes/server-process.js");
const { compare, loadTable, serverAtMost } = require("../../bench/suite/comparison.js");
const { pacedRound } = require("../../bench/suite/paced-round.js");
const { charts } = require("../../bench/report/index.js");
const { losses, reasonsFor } = require("../../bench/report/losses.js");
const { page } = require("../../bench/report/markdown.js");
const { withFigures } = require("../../bench/report/readme.js");
const blocked = require("../../bench/scenarios/blocked.js");
const connect = require("../../bench/scenarios/connect.js");
const rooms = require("../../bench/scenarios/rooms.js");
const { BUSY_MICROSECONDS } = require("../fixtures/busy-contender.js");
const { skipWithoutCargo } = require("../support/cargo.js");

const root = path.join(__dirname, "../..");

/** @returns {Promise<{ code: number, stdout: string, stderr: string }>} how `npm run bench` ends */
function bench(...args) {
  return new Promise((resolve) => {
    const env = { ...process.env, TURBO_BENCH_EIOWS: "__test__/fixtures/eiows-stand-in" };
    delete env.TURBO_BENCH_UWS;
    const options = { cwd: root, env, maxBuffer: 1 << 24 };
    execFile(process.execPath, ["bench/run.js", ...args], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

/**
 * Runs a quick benchmark of a scenario.
 *
 * @returns {Promise<{ results: object, names: string[], figure: (title: string) => object }>} what it
 *   writes, and its rows by their titles
 */
async function figures(t, scenario, ...names) {
  const folder = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, "results.json");
  const { code, stderr } = await bench(
    ...[scenario, "--quick", "--contenders", names.join(), "--json", file],
  );
  assert.equal(code, 0, stderr);
  const results = JSON.parse(readFileSync(file, "utf8"));
  const { rows } = results.results[scenario];
  return { results, names, figure: (title) => rows.find(({ metric }) => metric === title) };
}

describe("the command line of the benchmarks", () => {
  for (const [args, message] of [
    [["nothing"], /no benchmark "nothing"; there are: parser, /],
    [["--contenders", "ws,nobody"], /no contender "nobody"; there are: ws, /],
    [["--contenders", "ws,./nobody.js"], /contender ".\/nobody.js" is missing/],
    [["--contenders", "uws"], /contender "uws" is missing: set TURBO_BENCH_UWS/],
    [["--payload", "64,a few"], /--payload takes whole numbers of bytes, not "a few"/],
    [["--slow"], /--slow/],
  ]) {
    test(`refuses ${args.join(" ")}`, async () => {
      const { code, stderr } = await bench(...args);
      assert.equal(code, 2);
      assert.match(stderr, message);
    });
  }

  test("lists benchmarks and contenders", async () => {
    const { code, stdout } = await bench("--list");
    assert.equal(code, 0);
    for (const name of [
      "saturate",
      "emit-each",
      "turbo",
      "server",
      "bun",
      "socketioxide",
      "io-uring",
    ]) {
      assert.match(stdout, new RegExp(`^${name} `, "m"));
    }
  });
});

describe("what is broadcast to rooms", () => {
  for (const seconds of [0.6, 1, 2, 2.5, 3.01]) {
    test(`is as much for each of them in ${seconds} seconds and more`, () => {
      const [load] = rooms.loads;
      const plan = planOf(load, { warmUp: 0.8, seconds });
      assert.ok(plan.seconds > seconds - 1e-6);
      const turns = Math.round(plan.rate * (plan.warmUp + plan.seconds));
      assert.equal((turns * plan.roomsPerTurn) % plan.rooms, 0);
    });
  }
});

describe("a benchmark", { skip: skipWithoutCargo }, () => {
  before(() => build());

  test("writes the figures of each contender, the floors among them", async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "results.json");
    const names = ["ws", "turbo", "eiows", "send"];
    const { code, stdout, stderr } = await bench(
      ...["burst", "--quick", "--contenders", names.join(), "--payload", "200", "--json", file],
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /## summary/);
    const { results, isQuick } = JSON.parse(readFileSync(file, "utf8"));
    assert.equal(isQuick, true);
    const rows = new Map(results.burst.rows.map((row) => [row.metric, row]));
    const cpu = rows.get("CPU per delivered message, µs");
    assert.equal(cpu.load, "5 turns/s, 200 B");
    assert.deepEqual(Object.keys(cpu.contenders), names);
    assert.ok(cpu.contenders.turbo.median > 0);
    assert.ok(cpu.contenders.turbo.ratios.send > 0);
    assert.equal(rows.get("messages lost").contenders.ws.max, 0);
    assert.equal(rows.get("event-loop time per broadcast, µs").contenders.send, undefined);
  });

  test("fails where a message is lost", async () => {
    const { code, stderr } = await bench(
      ...["burst", "--quick", "--contenders", "./__test__/fixtures/lossy-contender.js"],
    );
    assert.equal(code, 1);
    assert.match(stderr, /broadcast 7 to room 0 came instead of 6/);
  });

  test("sees the event-loop time of a planted regression", async () => {
    const load = { clients: 20, rate: 400, payload: 64 };
    const timing = { warmUp: 0.3, seconds: 1 };
    const planted = path.join(__dirname, "../fixtures/busy-contender.js");
    const { loop, received, lost } = await pacedRound(planted, "echo", load, timing);
    assert.equal(lost, 0);
    assert.ok(received > 0);
    // The loop is busy for at least as long, however fast the machine is.
    assert.ok(loop / received >= BUSY_MICROSECONDS, `${loop / received} µs`);
  });
});

describe("a bound", () => {
  const metric = { title: "CPU", of: (cpu) => cpu, digits: 0, asked: serverAtMost(0.4) };
  const verdict = (samples) =>
    loadTable(compare({ scenario: "any", load: "any" }, [metric], samples));

  test("may be asked of the server alone", () => {
    const text = verdict({ ws: [10], turbo: [2], server: [5] });
    assert.match(text, /\| server <= 0\.4 of ws: 0\.50 \(missed\) \|/);
    assert.match(verdict({ ws: [10], server: [3] }), /\| server <= 0\.4 of ws: 0\.30 \|/);
  });

  test("is none of others", () => {
    assert.doesNotMatch(verdict({ ws: [10], turbo: [5] }), /0\.4/);
  });
});

describe("a loop of emit() over all clients", { skip: skipWithoutCargo }, () => {
  before(() => build());

  test("has the figures of each call, and of a floor that sends as much", async (t) => {
    const { results, figure, names } = await figures(t, "emit-each", "ws", "turbo", "send");
    const loop = figure("event-loop time per emit, µs");
    assert.equal(loop.load, "40 loops/s, 128 B");
    assert.deepEqual(Object.keys(loop.contenders), ["ws", "turbo"]);
    assert.equal(loop.asked[0].to, "ws");
    const cpu = figure("CPU per delivered message, µs");
    assert.deepEqual(Object.keys(cpu.contenders), names);
    for (const { median } of Object.values(cpu.contenders)) assert.ok(median > 0);
    for (const { max } of Object.values(figure("messages lost").contenders)) assert.equal(max, 0);
    assert.ok(page(results).includes("### emit-each: 40 loops/s, 128 B"));
    assert.match(charts(results)["emit-each.svg"], /^<svg .*<\/svg>\s*$/s);
  });

  test("fails where a call is left out", async () => {
    const { code, stderr } = await bench(
      ...["emit-each", "--quick", "--contenders", "./__test__/fixtures/silent-contender.js"],
    );
    assert.equal(code, 1);
    assert.match(stderr, /broadcast 7 to room 0 came instead of 6/);
  });
});

describe("a blocked server", { skip: skipWithoutCargo }, () => {
  before(() => build());

  const [load] = blocked.loads;
  // No client of a busy machine is late by as much.
  const heartbeat = { pingInterval: 200, pingTimeout: 4000 };

  test("loses all its clients where nothing but JavaScript sends pings", async () => {
    assert.equal(load.pingTimeouts, 3);
    const { lost, left } = await blocked.round("ws", { ...load, clients: 20, heartbeat });
    assert.deepEqual({ lost, left }, { lost: 20, left: 0 });
  });

  test("loses only what it closes if it is never busy", async () => {
    const contender = path.join(__dirname, "../fixtures/closing-contender.js");
    const { CLIENTS: clients } = require(contender);
    assert.deepEqual(await blocked.round(contender, { clients, heartbeat, pingTimeouts: 0 }), {
      closed: 1,
      unpinged: 0,
      lost: 1,
      left: clients - 1,
    });
  });
});

describe("clients that connect at once", { skip: skipWithoutCargo }, () => {
  before(() => build());

  test("are measured until all are connected", async () => {
    const { clients, loop, user, system, load } = await connect.round("ws", { clients: 50 });
    assert.equal(clients, 50);
    for (const figure of [loop, user + system, load.cpu]) assert.ok(figure > 0);
    assert.ok(load.latency.p50 > 0 && load.latency.p50 <= load.latency.max);
  });

  test("fail where a client is refused", async () => {
    const contender = path.join(__dirname, "../fixtures/refusing-contender.js");
    await assert.rejects(connect.round(contender, { clients: 50 }), /the load client failed/);
  });
});

describe("a server that is a program of its own", { skip: skipWithoutCargo }, () => {
  const program = path.join(__dirname, "../fixtures/server-program.js");

  before(() => build());

  beforeEach(() => {
    contenders["stand-in"] = { title: "a stand-in", program: () => program };
  });

  afterEach(() => {
    delete contenders["stand-in"];
  });

  test("is measured by the same commands", async () => {
    const load = { clients: 20, rate: 400, payload: 64 };
    const timing = { warmUp: 0.1, seconds: 0.4 };
    const sample = await pacedRound("stand-in", "echo", load, timing);
    assert.ok(sample.received > 0);
    assert.equal(sample.load.received, sample.load.sent);
    assert.equal(sample.loop, undefined);
  });

  test("is given the times of the heartbeat", async (t) => {
    const heartbeat = { pingInterval: 500, pingTimeout: 400 };
    const server = await ServerProcess.start("stand-in", { heartbeat });
    t.after(() => server.stop());
    assert.deepEqual(await server.ask("heartbeat"), heartbeat);
  });

  test("fails a command with its error", async (t) => {
    const server = await ServerProcess.start("stand-in");
    t.after(() => server.stop());
    await assert.rejects(server.ask("block"), /server "stand-in": no block/);
    await server.stop();
    await assert.rejects(server.ask("received"), /server "stand-in": the process has ended/);
  });
});

describe("the report", () => {
  const docs = path.join(root, "docs/benchmarks");
  const read = (...names) => readFileSync(path.join(root, ...names), "utf8");
  const results = () => JSON.parse(read("docs/benchmarks/results.json"));

  test("is made from the figures that are committed", () => {
    assert.equal(read("docs/benchmarks/README.md"), page(results()));
  });

  test("has a chart for each scenario", () => {
    const drawn = charts(results());
    const committed = readdirSync(docs).filter((name) => name.endsWith(".svg"));
    assert.deepEqual(committed.sort(), Object.keys(drawn).sort());
    for (const svg of Object.values(drawn)) assert.match(svg, /^<svg .*<\/svg>\s*$/s);
  });

  test("gives the reason for one server where that one is better", () => {
    const figures = (median) => ({ median, min: median, max: median });
    const reasons = (name, metric) => {
      const contenders = { turbo: figures(2), [name]: figures(1) };
      const row = { scenario: "inbound", load: "any", metric, better: "lower", contenders };
      return reasonsFor(losses([row])).join();
    };
    const metric = "CPU per received message, µs";
    assert.match(reasons("socketioxide", metric), /^\*\*socketioxide\*\*: A server wholly in Rust/);
    assert.equal(reasons("ws", metric), "");
    assert.equal(reasons("socketioxide", "CPU per delivered message, µs"), "");
  });

  test("says what the README says", () => {
    assert.equal(read("README.md"), withFigures(read("README.md"), results()));
  });
});
