"use strict";

/**
 * What the scenarios with servers share: rounds of contenders that alternate, and the
 * table that compares them.
 *
 * @typedef {object} Metric a figure of a round
 * @property {string} title with its unit
 * @property {(sample: object) => number} of takes it from what the round returned
 * @property {number} digits after the decimal point
 * @property {number} [asked] the ratio to the baseline that is asked of ours, at most
 *
 * @typedef {object} Row a metric over all rounds
 * @property {string} variant
 * @property {string} metric its title
 * @property {number} digits
 * @property {number} [asked]
 * @property {Record<string, Figures>} contenders by name
 *
 * @typedef {object} Figures
 * @property {number} median
 * @property {number} min
 * @property {number} max
 * @property {number} [ratio] the median of the ratios to the baseline within a round
 */

const { BASELINE } = require("./contenders.js");
const { build } = require("./load-client.js");
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
    const figures = Object.entries(samples).map(([name, rounds]) => {
      const values = rounds.map(of);
      const ratios = samples[BASELINE]?.map((sample, round) => values[round] / of(sample));
      return [name, { ...summary(values), ratio: ratios && median(ratios) }];
    });
    return { variant, metric: title, digits, asked, contenders: Object.fromEntries(figures) };
  });
}

function summary(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Prints `rows`: medians with their spread, and the ratios beside what is asked. */
function print(rows) {
  const names = Object.keys(rows[0].contenders);
  const ours = names.filter((name) => name !== BASELINE);
  const ratio = (value) => value?.toFixed(2) ?? "-";
  console.log(
    table(
      ["", "median (min..max)", ...names, ...ours.map((name) => `${name} / ${BASELINE}`), "asked"],
      rows.map(({ variant, metric, digits, asked, contenders }) => [
        variant,
        metric,
        ...names.map((name) => spread(contenders[name], digits)),
        ...ours.map((name) => ratio(contenders[name].ratio)),
        asked === undefined ? "" : `<= ${asked.toFixed(2)}`,
      ]),
    ),
  );
}

function spread({ median, min, max }, digits) {
  const [middle, low, high] = [median, min, max].map((value) => value.toFixed(digits));
  return `${middle} (${low}..${high})`;
}

module.exports = { alternate, compare, print };
