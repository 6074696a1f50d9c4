"use strict";

/** The metrics as asynchronous instruments of OpenTelemetry, whose packages the caller brings. */

const { InvalidOptionError } = require("../errors.js");
const { version } = require("../../package.json");
const { METRICS, PREFIX, cumulativeBuckets, snapshot } = require("./table.js");

/** For each provider whose metrics are observed, the function that ends it. */
const observed = new WeakMap();

/** @returns {string[]} the names of the instruments for a metric */
function instrumentNames({ name, kind }) {
  const base = `${PREFIX}.${name}`;
  // Asynchronous instruments cannot be histograms, and a call for each frame would be dear.
  return kind === "histogram" ? [`${base}.bucket`, `${base}.sum`, `${base}.count`] : [base];
}

/**
 * Creates the instruments for a metric.
 *
 * @param {object} meter of `@opentelemetry/api`
 * @param {import("./table.js").Metric} metric
 * @returns {{ instruments: object[], observe: (result: object) => void }}
 */
function createInstruments(meter, metric) {
  const names = instrumentNames(metric);
  if (metric.kind === "histogram") return createHistogram(meter, metric, names);
  const { kind, help: description, unit, label, read } = metric;
  const create = kind === "counter" ? "createObservableCounter" : "createObservableUpDownCounter";
  const instrument = meter[create](names[0], { description, unit });
  const observe = (result) => {
    const value = read(snapshot());
    if (label === undefined) return result.observe(instrument, value);
    for (const [key, count] of Object.entries(value)) {
      result.observe(instrument, count, { [label]: key });
    }
  };
  return { instruments: [instrument], observe };
}

function createHistogram(meter, { help: description, unit, read }, names) {
  const units = [undefined, unit, undefined];
  const instruments = names.map((name, index) =>
    meter.createObservableCounter(name, { description, unit: units[index] }),
  );
  const [bucket, sum, count] = instruments;
  const observe = (result) => {
    const histogram = read(snapshot());
    for (const [le, value] of cumulativeBuckets(histogram)) result.observe(bucket, value, { le });
    result.observe(sum, histogram.sum / 1000);
    result.observe(count, histogram.count);
  };
  return { instruments, observe };
}

/**
 * Observes the metrics at each collection, once for each provider.
 *
 * @param {{ getMeter: Function }} meterProvider a `MeterProvider` of `@opentelemetry/api`
 * @returns {() => void} ends it
 * @throws {InvalidOptionError} if it is something else
 */
function observeMetrics(meterProvider) {
  if (typeof meterProvider?.getMeter !== "function") {
    const accepted = "a MeterProvider of @opentelemetry/api";
    throw new InvalidOptionError("meterProvider", accepted, meterProvider);
  }
  const end = observed.get(meterProvider) ?? beginObservation(meterProvider);
  observed.set(meterProvider, end);
  return end;
}

function beginObservation(meterProvider) {
  const meter = meterProvider.getMeter("socket.io-turbo", version);
  const all = METRICS.map((metric) => createInstruments(meter, metric));
  const instruments = all.flatMap((each) => each.instruments);
  const observeAll = (result) => {
    for (const { observe } of all) observe(result);
  };
  meter.addBatchObservableCallback(observeAll, instruments);
  return () => {
    meter.removeBatchObservableCallback(observeAll, instruments);
    observed.delete(meterProvider);
  };
}

module.exports = { instrumentNames, observeMetrics };
