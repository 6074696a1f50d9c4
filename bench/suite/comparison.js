"use strict";

/**
 * Compares the rounds of several contenders.
 *
 * @typedef {object} Metric a figure of a round
 * @property {string} title with its unit
 * @property {(sample: object) => number} of takes it from what the round returned; NaN
 *   if a contender has none
 * @property {number} digits after the decimal point
 * @property {Bound[]} [asked] of ours
 * @property {boolean} [isHeadline] whether the summary shows it
 * @property {"lower" | "higher"} [better] what a server should be; nothing for what is not its
 *   merit
 *
 * @typedef {object} Bound what is asked of ours
 * @property {string} [of] another contender of ours, of which it is asked
 * @property {string} [to] the contender to whose figure the ratio is taken; if none, the
 *   bound is of the figure itself
 * @property {number} [atMost]
 * @property {number} [atLeast]
 *
 * @typedef {object} Row a metric over all rounds
 * @property {string} scenario
 * @property {string} load its name
 * @property {string} metric its title
 * @property {number} digits
 * @property {Bound[]} [asked]
 * @property {boolean} [isHeadline]
 * @property {"lower" | "higher"} [better]
 * @property {Record<string, Figures>} contenders by name, those that have the figure; the
 *   first is the one to which the others are compared
 *
 * @typedef {object} Figures
 * @property {number} median
 * @property {number} min
 * @property {number} max
 * @property {Record<string, number>} ratios the medians of the ratios within a round, to the
 *   first contender, to the floors, and to whom else ours is asked to be compared
 */

const { OURS, SERVER, isFloor } = require("../processes/contenders.js");
const { median } = require("./statistics.js");
const { table } = require("./table.js");

/**
 * @param {{ scenario: string, load: string }} of what the samples are of
 * @param {Metric[]} metrics
 * @param {Record<string, object[]>} samples by contender, in the order of the rounds
 * @returns {Row[]} one for each metric that anyone has
 */
function compare({ scenario, load }, metrics, samples) {
  const shared = Object.keys(samples).filter((name, index) => index === 0 || isFloor(name));
  const rows = metrics.map(({ title, of, ...rest }) => {
    const figures = measured(mapValues(samples, (rounds) => rounds.map(of)));
    const references = [...shared, ...(rest.asked ?? []).flatMap(({ to }) => to ?? [])];
    const contenders = mapValues(figures, (values) => summary(values, references, figures));
    return { scenario, load, metric: title, ...rest, contenders };
  });
  return rows.filter(({ contenders }) => Object.keys(contenders).length > 0);
}

function mapValues(object, work) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, work(value)]));
}

/** Leaves out contenders that do not have the figure. */
function measured(figures) {
  return Object.fromEntries(
    Object.entries(figures).filter(([, values]) => !values.some(Number.isNaN)),
  );
}

/** @returns {Figures} */
function summary(values, references, figures) {
  const ratio = (to) => median(values.map((value, round) => value / figures[to][round]));
  const known = references.filter((to) => figures[to] !== undefined);
  return {
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    ratios: Object.fromEntries(
      known.map((to) => [to, ratio(to)]).filter(([, value]) => Number.isFinite(value)),
    ),
  };
}

/**
 * @param {number} [ratio] to socket.io with ws, at most
 * @returns {Bound[] | undefined}
 */
function atMost(ratio) {
  return ratio === undefined ? undefined : [{ to: "ws", atMost: ratio }];
}

/**
 * @param {number} ratio of turbo() on our own server, at most
 * @returns {Bound[]}
 */
function serverAtMost(ratio) {
  return [{ of: SERVER, to: "ws", atMost: ratio }];
}

/**
 * Judges the bounds of `row`. Leaves out those of contenders that were not measured.
 *
 * @param {Row} row
 * @returns {{ text: string, value: number, isMet: boolean }[]}
 */
function judge({ asked = [], contenders }) {
  return asked
    .map(({ of = OURS, to, ...limits }) => {
      const { atMost = Number.POSITIVE_INFINITY, atLeast = Number.NEGATIVE_INFINITY } = limits;
      const value = to === undefined ? contenders[of]?.median : contenders[of]?.ratios[to];
      return {
        text: boundText(of, to, limits),
        value,
        isMet: value <= atMost && value >= atLeast,
      };
    })
    .filter(({ value }) => value !== undefined);
}

function boundText(of, to, { atMost, atLeast }) {
  const limit = atMost === undefined ? `>= ${atLeast}` : `<= ${atMost}`;
  return `${of === OURS ? "" : `${of} `}${limit}${to === undefined ? "" : ` of ${to}`}`;
}

/**
 * The rows of one load: for each contender the median, half the spread in %, and the
 * ratio to the first.
 *
 * @param {Row[]} rows
 * @returns {string}
 */
function loadTable(rows) {
  const names = [...new Set(rows.flatMap(({ contenders }) => Object.keys(contenders)))];
  const [first] = names;
  return table(
    ["", ...names, "asked of turbo"],
    rows.map((row) => [
      row.metric,
      ...names.map((name) => cell(row, name, first)),
      judge(row).map(verdict).join("; "),
    ]),
  );
}

function cell({ contenders, digits }, name, first) {
  const { [name]: figures } = contenders;
  if (figures === undefined) return "-";
  const { [first]: ratio } = figures.ratios;
  const times = ratio === undefined || name === first ? "" : ` ×${ratioText(ratio)}`;
  return `${figureText(figures.median, digits)}${spread(figures)}${times}`;
}

/**
 * @param {number} value
 * @param {number} digits after the decimal point, at most
 * @returns {string} with no more of them than make four in all
 */
function figureText(value, digits) {
  const whole = Math.max(1, Math.ceil(Math.log10(Math.abs(value) + 1)));
  return value.toFixed(Math.max(0, Math.min(digits, 4 - whole)));
}

/** Formats half the spread in %; empty for a single round, and for a median of 0. */
function spread({ median, min, max }) {
  return max === min || median === 0 ? "" : ` ±${(((max - min) / 2 / median) * 100).toFixed(0)}%`;
}

function verdict({ text, value, isMet }) {
  return `${text}: ${ratioText(value)}${isMet ? "" : " (missed)"}`;
}

/** @param {number} ratio @returns {string} to two digits after the point, small ones to three */
function ratioText(ratio) {
  return ratio < 0.1 ? ratio.toFixed(3) : ratio.toFixed(2);
}

/**
 * Ends a run: the first contender and ours, in figures that are asked for or tell most.
 *
 * @param {Row[]} rows of all scenarios
 * @returns {string}
 */
function summaryTable(rows) {
  const told = rows.filter(
    ({ isHeadline, asked, contenders }) => (isHeadline || asked) && contenders[OURS],
  );
  return table(
    ["", "load", "figure", "first", "turbo", "ratio", "asked"],
    told.map((row) => {
      const [first] = Object.keys(row.contenders);
      const { [first]: reference, [OURS]: ours } = row.contenders;
      return [
        row.scenario,
        row.load,
        row.metric,
        first === OURS ? "-" : `${first} ${figureText(reference.median, row.digits)}`,
        figureText(ours.median, row.digits),
        first === OURS ? "-" : first in ours.ratios ? ratioText(ours.ratios[first]) : "-",
        judge(row).map(verdict).join("; "),
      ];
    }),
    3,
  );
}

module.exports = { atMost, compare, figureText, loadTable, ratioText, serverAtMost, summaryTable };
