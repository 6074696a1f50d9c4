"use strict";

/** `turbo.metrics()`: scraped from prom-client, and read by a parser of the text format. */

const assert = require("node:assert/strict");
const { createRequire } = require("node:module");
const path = require("node:path");
const { describe, test } = require("node:test");
const { turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { METRICS } = require("../../lib/metrics/table.js");
const { companions, skipWithoutCompanions } = require("../companions");
const { documentedMetrics, isCounted, serve, statsOnce } = require("./served.js");

const load = createRequire(path.join(companions, "index.js"));
const skip = skipWithoutCompanions;
const skipWithoutEngine = skip || (!hasEngine && "without the engine there is nothing to count");
const MESSAGES = 20;

/** Scrapes a register; returns the parsed families by name. */
async function scrape(register) {
  const parse = load("parse-prometheus-text-format");
  const families = parse(await register.metrics());
  return Object.fromEntries(families.map((family) => [family.name, family]));
}

/** Returns the only value of a family, or those by a label. */
function valuesOf({ metrics }, label) {
  if (label === undefined) return Number(metrics[0].value);
  return Object.fromEntries(metrics.map(({ labels, value }) => [labels[label], Number(value)]));
}

function newRegister() {
  return new (load("prom-client").Registry)();
}

describe("the metrics for Prometheus", { skip, timeout: 60_000 }, () => {
  test("are those that the guide lists, and no others", async () => {
    const documented = documentedMetrics();
    const register = newRegister();
    turbo.metrics(register);
    const families = await register.getMetricsAsJSON();
    assert.equal(families.length, METRICS.length);
    assert.deepEqual(
      families.map(({ name, type }) => [name, type]).sort(),
      documented.map(({ prometheus, type }) => [prometheus, type]).sort(),
    );
    for (const { prometheus, label } of documented) {
      const { labelNames } = register.getSingleMetric(prometheus);
      assert.deepEqual(labelNames, label === undefined ? [] : [label], prometheus);
    }
  });

  test("have the values of stats()", { skip: skipWithoutEngine }, async (t) => {
    const register = newRegister();
    turbo.metrics(register);
    const before = turbo.stats();
    await serve(t, MESSAGES);
    await statsOnce(isCounted);
    const families = await scrape(register);
    const stats = turbo.stats();
    assert.equal(valuesOf(families.socketio_turbo_native), 1);
    assert.equal(valuesOf(families.socketio_turbo_connections), 2);
    assert.equal(stats.connections.opened - before.connections.opened, 3);
    assert.equal(stats.connections.handshakes - before.connections.handshakes, 3);
    for (const [name, value] of [
      ["handshakes_total", stats.connections.handshakes],
      ["connections_opened_total", stats.connections.opened],
      ["frames_sent_total", stats.framesOut],
      ["messages_received_total", stats.messagesIn],
      ["received_bytes_total", stats.bytesIn],
      ["sent_bytes_total", stats.bytesOut],
      ["queued_bytes", 0],
      ["slow_clients", 0],
      ["broadcasts_total", stats.broadcasts],
    ]) {
      assert.equal(valuesOf(families[`socketio_turbo_${name}`]), value, name);
    }
    assert.deepEqual(valuesOf(families.socketio_turbo_connections_ended_total, "reason"), {
      ...stats.connections.ended,
    });
    assert.ok(stats.messagesIn - before.messagesIn >= MESSAGES);
    assertHistogram(families.socketio_turbo_delivery_seconds, stats.delivery);
    assertHistogram(families.socketio_turbo_loop_lag_seconds, stats.loopLag);
    assert.ok(stats.delivery.count - before.delivery.count >= 2 * MESSAGES);
    assert.ok(stats.loopLag.count > before.loopLag.count);
  });

  /** Asserts that a parsed histogram is cumulative, in seconds, and has the counts of `stats()`. */
  function assertHistogram({ type, metrics: [{ buckets, count, sum }] }, stats) {
    assert.equal(type, "HISTOGRAM");
    const bounds = [...stats.bounds.map((bound) => String(bound / 1000)), "+Inf"];
    assert.deepEqual(new Set(Object.keys(buckets)), new Set(bounds));
    let total = 0;
    for (const [index, bound] of bounds.entries()) {
      total += stats.counts[index];
      assert.equal(Number(buckets[bound]), total, bound);
    }
    assert.deepEqual([Number(count), Number(sum)], [stats.count, stats.sum / 1000]);
    assert.equal(total, stats.count);
  }

  test("go on with the workers of a later server", { skip: skipWithoutEngine }, async (t) => {
    const register = newRegister();
    turbo.metrics(register);
    const opened = async () =>
      valuesOf((await scrape(register)).socketio_turbo_connections_opened_total);
    const before = await opened();
    await t.test("of one server", async (t) => serve(t, 1));
    await statsOnce(({ connections }) => connections.native === 0);
    const between = await opened();
    await t.test("of another", async (t) => serve(t, 1));
    assert.deepEqual([between - before, (await opened()) - between], [3, 3]);
  });

  test("are registered once, in any number of registers", async () => {
    const registers = [newRegister(), newRegister()];
    for (const register of [...registers, ...registers]) turbo.metrics(register);
    const texts = await Promise.all(registers.map((register) => register.metrics()));
    assert.equal(texts[0], texts[1]);
    registers[0].clear();
    assert.doesNotMatch(await registers[0].metrics(), /socketio_turbo/);
    turbo.metrics(registers[0]);
    registers[0].resetMetrics();
    assert.equal(await registers[0].metrics(), texts[0]);
  });

  test("stand beside others, and have no name twice", async () => {
    const { Counter } = load("prom-client");
    const register = newRegister();
    new Counter({ name: "socketio_turbo_stalls_total", help: "Others", registers: [register] });
    assert.throws(() => turbo.metrics(register), /has already been registered/);
  });

  test("are valid OpenMetrics", async () => {
    const { Registry } = load("prom-client");
    const register = new Registry(Registry.OPENMETRICS_CONTENT_TYPE);
    turbo.metrics(register);
    for (let scrapes = 0; scrapes < 2; scrapes++) {
      const text = await register.metrics();
      assert.match(text, /^# TYPE socketio_turbo_stalls counter\nsocketio_turbo_stalls_total \d/m);
      assert.match(text, /# EOF\n$/);
    }
    turbo.metrics(register);
  });

  test("of several processes are added up by prom-client", async () => {
    const { AggregatorRegistry } = load("prom-client");
    const register = newRegister();
    turbo.metrics(register);
    const ofOne = JSON.parse(JSON.stringify(await register.getMetricsAsJSON()));
    const ofAll = await scrape(AggregatorRegistry.aggregate([ofOne, ofOne]));
    const single = await scrape(register);
    for (const name of ["native", "frames_sent_total"]) {
      const [all, one] = [ofAll, single].map((each) => valuesOf(each[`socketio_turbo_${name}`]));
      assert.equal(all, 2 * one);
    }
  });
});

test("metrics() takes registers only", () => {
  for (const wrong of [undefined, null, {}, [], "register"]) {
    assert.throws(() => turbo.metrics(wrong), {
      code: "TURBO_ERR_INVALID_OPTION",
      option: "register",
    });
  }
});
