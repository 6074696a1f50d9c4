"use strict";

/** `turbo.openTelemetryMetrics()`: collected by the SDK, and exported into memory. */

const assert = require("node:assert/strict");
const { createRequire } = require("node:module");
const path = require("node:path");
const { describe, test } = require("node:test");
const { turbo } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { stats } = require("../../lib/stats.js");
const { companions, skipWithoutCompanions } = require("../companions");
const { documentedMetrics, isCounted, serve, statsOnce } = require("./served.js");

const load = createRequire(path.join(companions, "index.js"));
const skip = skipWithoutCompanions;
const skipWithoutEngine = skip || (!hasEngine && "without the engine there is nothing to count");
const MESSAGES = 20;

/** A provider whose metrics are exported into memory, and shut down after the test. */
function newProvider(t) {
  const sdk = load("@opentelemetry/sdk-metrics");
  const exporter = new sdk.InMemoryMetricExporter(sdk.AggregationTemporality.CUMULATIVE);
  const reader = new sdk.PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: 2_147_483_647,
  });
  const provider = new sdk.MeterProvider({ readers: [reader] });
  t.after(() => provider.shutdown());
  /** Returns the metrics of a collection by name. */
  const collect = async () => {
    exporter.reset();
    await provider.forceFlush();
    const scopes = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
    const ours = scopes.filter(({ scope }) => scope.name === "socket.io-turbo");
    const metrics = ours.flatMap((scope) => scope.metrics);
    return Object.fromEntries(metrics.map((metric) => [metric.descriptor.name, metric]));
  };
  return { provider, collect };
}

/** Returns the only value of a metric, or those by an attribute. */
function valuesOf({ dataPoints }, attribute) {
  if (attribute === undefined) return dataPoints[0].value;
  return Object.fromEntries(
    dataPoints.map(({ attributes, value }) => [attributes[attribute], value]),
  );
}

describe("the metrics for OpenTelemetry", { skip, timeout: 60_000 }, () => {
  test("are those that the guide lists, and have the values of stats()", {
    skip: skipWithoutEngine,
  }, async (t) => {
    const { provider, collect } = newProvider(t);
    turbo.openTelemetryMetrics(provider);
    await serve(t, MESSAGES);
    await statsOnce((stats) => isCounted(stats) && (stats.connections.ended.closed ?? 0) > 0);
    // By reason, so that it has a data point; counted for all servers of this process.
    stats.countFallback("tls");
    stats.countServerFallback("cluster");
    stats.countPassed("request");
    const metrics = await collect();
    const counted = turbo.stats();
    const documented = documentedMetrics().flatMap(({ openTelemetry }) => openTelemetry);
    assert.deepEqual(Object.keys(metrics).sort(), documented.sort());
    assert.equal(valuesOf(metrics["socketio_turbo.connections"]), 2);
    for (const [name, value] of [
      ["handshakes", counted.connections.handshakes],
      ["connections.opened", counted.connections.opened],
      ["messages.received", counted.messagesIn],
      ["sent", counted.bytesOut],
      ["delivery.count", counted.delivery.count],
      ["delivery.sum", counted.delivery.sum / 1000],
      ["loop_lag.count", counted.loopLag.count],
    ]) {
      assert.equal(valuesOf(metrics[`socketio_turbo.${name}`]), value, name);
    }
    const { fallback, ended } = counted.connections;
    assert.deepEqual(valuesOf(metrics["socketio_turbo.connections.fallback"], "reason"), fallback);
    assert.deepEqual(valuesOf(metrics["socketio_turbo.connections.ended"], "reason"), ended);
    const buckets = valuesOf(metrics["socketio_turbo.delivery.bucket"], "le");
    assert.equal(buckets["+Inf"], counted.delivery.count);
    assert.equal(buckets["0.0005"], counted.delivery.counts[0]);
  });

  test("are counters, or sums that may fall, with units", async (t) => {
    const { provider, collect } = newProvider(t);
    turbo.openTelemetryMetrics(provider);
    const metrics = await collect();
    const { InstrumentType } = load("@opentelemetry/sdk-metrics");
    const kinds = { counter: [], gauge: [] };
    for (const { type, openTelemetry } of documentedMetrics()) {
      (kinds[type] ?? kinds.counter).push(...openTelemetry);
    }
    for (const [kind, type] of [
      ["counter", InstrumentType.OBSERVABLE_COUNTER],
      ["gauge", InstrumentType.OBSERVABLE_UP_DOWN_COUNTER],
    ]) {
      for (const { descriptor } of kinds[kind].map((name) => metrics[name]).filter(Boolean)) {
        assert.equal(descriptor.type, type, descriptor.name);
        assert.ok(descriptor.description.length > 5);
      }
    }
    assert.equal(metrics["socketio_turbo.queued"].descriptor.unit, "By");
    assert.equal(metrics["socketio_turbo.delivery.sum"].descriptor.unit, "s");
  });

  test("are observed once for each provider, until that is ended", async (t) => {
    const [one, other] = [newProvider(t), newProvider(t)];
    const end = turbo.openTelemetryMetrics(one.provider);
    assert.equal(turbo.openTelemetryMetrics(one.provider), end);
    turbo.openTelemetryMetrics(other.provider);
    const handshakes = async ({ collect }) =>
      valuesOf((await collect())["socketio_turbo.handshakes"]);
    const before = turbo.stats().connections.handshakes;
    assert.deepEqual([await handshakes(one), await handshakes(other)], [before, before]);
    end();
    stats.countHandshake();
    // The SDK goes on exporting the last value.
    assert.equal(await handshakes(one), before);
    assert.equal(await handshakes(other), before + 1);
    assert.notEqual(turbo.openTelemetryMetrics(one.provider), end);
    assert.equal(await handshakes(one), before + 1);
  });
});

test("openTelemetryMetrics() takes providers only", () => {
  for (const wrong of [undefined, null, {}, "provider"]) {
    assert.throws(() => turbo.openTelemetryMetrics(wrong), {
      code: "TURBO_ERR_INVALID_OPTION",
      option: "meterProvider",
    });
  }
});
