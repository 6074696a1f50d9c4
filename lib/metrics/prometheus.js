"use strict";

/**
 * The metrics for prom-client. Its registers take any object that has the methods of its metrics, so the
 * package itself is not needed here.
 */

const { InvalidOptionError } = require("../errors.js");
const { METRICS, PREFIX, cumulativeBuckets, snapshot } = require("./table.js");

/** The endings of names of metrics with these units, as Prometheus has them. */
const UNITS = { By: "_bytes", s: "_seconds" };

/** @returns {string} the name of a metric, as the conventions of Prometheus want it */
function prometheusName({ name, unit, kind }) {
  const total = kind === "counter" ? "_total" : "";
  return `${PREFIX}_${name.replaceAll(".", "_")}${UNITS[unit] ?? ""}${total}`;
}

/** A metric as prom-client's registers see it. Its values come from the addon, which counts by itself. */
class PrometheusMetric {
  #metric;

  /** @param {import("./table.js").Metric} metric */
  constructor(metric) {
    this.#metric = metric;
    /** Written by registers for OpenMetrics, which name counters without `_total`. */
    this.name = prometheusName(metric);
    this.help = metric.help;
    this.type = metric.kind;
    this.labelNames = metric.label === undefined ? [] : [metric.label];
    /** How prom-client's `AggregatorRegistry` combines the processes of a cluster. */
    this.aggregator = "sum";
  }

  /** Called at each scrape. */
  get() {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: this.#values() };
  }

  #values() {
    const { kind, label, read } = this.#metric;
    const value = read(snapshot());
    if (kind === "histogram") return this.#histogramValues(value);
    if (label === undefined) return [{ labels: {}, value }];
    return Object.entries(value).map(([key, count]) => ({
      labels: { [label]: key },
      value: count,
    }));
  }

  #histogramValues(histogram) {
    const { name } = this;
    const buckets = cumulativeBuckets(histogram).map(([le, value]) => ({
      labels: { le },
      value,
      metricName: `${name}_bucket`,
    }));
    return [
      ...buckets,
      { labels: {}, value: histogram.sum / 1000, metricName: `${name}_sum` },
      { labels: {}, value: histogram.count, metricName: `${name}_count` },
    ];
  }

  /** Does nothing: counters go on where `Registry.resetMetrics()` is called. */
  reset() {}
}

/**
 * Registers the metrics, except for those that the register has already. Each scrape reads the counters.
 *
 * @param {{ registerMetric: Function, getSingleMetric: Function }} register a `Registry` of prom-client
 * @throws {InvalidOptionError} if it is something else
 * @throws {Error} what prom-client throws if another metric has one of the names
 */
function registerMetrics(register) {
  if (typeof register?.registerMetric !== "function") {
    throw new InvalidOptionError("register", "a Registry of prom-client", register);
  }
  for (const each of METRICS) {
    const registered = register.getSingleMetric(prometheusName(each));
    if (!(registered instanceof PrometheusMetric)) {
      register.registerMetric(new PrometheusMetric(each));
    }
  }
}

module.exports = { prometheusName, registerMetrics };
