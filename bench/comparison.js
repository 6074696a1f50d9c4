"use strict";

/**
 * What the scenarios with servers share: rounds of contenders that alternate, and the
 * table that compares them.
 *
 * @typedef {object} Metric a figure of a round
 * @property {string} title with its unit
 * @property {(sample: object) => number} of takes it from what the round returned; NaN
 *   if a contender has none
 * @property {number} digits after the decimal point
 * @property {Bound[]} [asked] of ours
 *
 * @typedef {object} Bound
 * @property {string} [to] the contender to whose figure the ratio is taken; if none, the
 *   bound is of the figure itself
 * @property {number} [atMost]
 * @property {number} [atLeast]
 *
 * @typedef {object} Row a metric over all rounds
 * @property {string} variant
 * @property {string} metric its title
 * @property {number} digits
 * @property {Bound[]} [asked]
 * @property {Record<string, Figures>} contenders by name
 *
 * @typedef {object} Figures
 * @property {number} median
 * @property {number} min
 * @property {number} max
 * @property {Record<string, number>} ratios the medians of the ratios within a round, by
 *   the contender to which they are
 */

const { BASELINE, FLOOR, isFloor } = require("./contenders.js");
const { build } = require("./load-process.js");
const { median, table } = require("./report.js");

const ROUNDS = 3;

/**
 * Runs the rounds, every second one the other way round, so that a machine which gets
 * slower or faster meanwhile does so for all.
 *
 * @template Sample
 * @param {string[]} names of the contenders
 * @param {(name: string) => Promise<Sample>} round
 * @returns {Promise<Record<string, Sample[]>>} by contender, in the order of the rounds
 */
async function alternate(names, round) {
  // Now, for a server does not live as long as a first build may take.
  build();
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  for (let index = 0; index < ROUNDS; index++) {
    for (const name of index % 2 === 0 ? names : names.toReversed()) {
      samples[name].push(await round(name));
    }
  }
  return samples;
}

/**
 * @param {string} variant what the first column says
 * @param {Metric[]} metrics
 * @param {Record<string, object[]>} samples from {@link alternate}
 * @returns {Row[]} one for each metric
 */
function compare(variant, metrics, samples) {
  return metrics.map(({ title, of, digits, asked }) => {
    const figures = mapValues(samples, (rounds) => rounds.map(of));
    const contenders = mapValues(figures, (values) => summary(values, figures));
    return { variant, metric: title, digits, asked, contenders };
  });
}

function mapValues(object, work) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, work(value)]));
}

/** @returns {Figures} */
function summary(values, { [BASELINE]: baseline, [FLOOR]: floor }) {
  const ratio = (to) => to && median(values.map((value, round) => value / to[round]));
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    ratios: { [BASELINE]: ratio(baseline), [FLOOR]: ratio(floor) },
  };
}

/**
 * @param {number} [ratio] to the baseline, at most
 * @returns {Bound[] | undefined}
 */
function atMost(ratio) {
  return ratio && [{ to: BASELINE, atMost: ratio }];
}

/** Prints `rows`: medians with their spread, and the ratios beside what is asked. */
function print(rows) {
  const names = Object.keys(rows[0].contenders);
  const ours = names.filter((name) => name !== BASELINE && !isFloor(name));
  const references = [BASELINE, ...names.filter((name) => name === FLOOR)];
  const ratios = references.flatMap((to) => ours.map((name) => ({ name, to })));
  console.log(
    table(
      [
        "",
        "median (min..max)",
        ...names,
        ...ratios.map(({ name, to }) => `${name} / ${to}`),
        "asked",
      ],
      rows.map(({ variant, metric, digits, asked, contenders }) => [
        variant,
        metric,
        ...names.map((name) => spread(contenders[name], digits)),
        ...ratios.map(({ name, to }) => fixed(contenders[name]?.ratios[to], 2)),
        asked === undefined ? "" : asked.map(bound).join(", "),
      ]),
    ),
  );
}

/** The figures of a contender, which may have none. */
function spread(figures, digits) {
  const [middle, low, high] = ["median", "min", "max"].map((key) => fixed(figures?.[key], digits));
  return middle === "-" ? middle : `${middle} (${low}..${high})`;
}

function bound({ to, atMost, atLeast }) {
  const limit = atMost === undefined ? `>= ${fixed(atLeast, 2)}` : `<= ${fixed(atMost, 2)}`;
  return to === undefined ? limit : `${limit} of ${to}`;
}

function fixed(value, digits) {
  return value === undefined || Number.isNaN(value) ? "-" : value.toFixed(digits);
}

module.exports = { alternate, atMost, compare, print };
