/**
 * The figures of the four cards.
 *
 * @typedef {object} Metric
 * @property {(sample: object) => number | null} of takes it from a sample of a lane, in the
 *   unit that the card states
 * @property {number} floor what the axis reaches at least, so that noise stays small
 * @property {(settings: object) => number} [asked] what both would show if they kept up
 */

/** Shorter times than this are not told apart, in milliseconds. */
const SHORTEST_LAG = 0.1;

const scaled = (key, factor) => (sample) => (sample[key] === null ? null : sample[key] * factor);

/** @type {Record<string, Metric>} */
export const METRICS = {
  lag: { of: lag, floor: 20 },
  cpu: { of: scaled("cpu", 100), floor: 50 },
  deliveries: {
    of: scaled("deliveries", 1),
    floor: 1_000,
    asked: ({ clients, rate }) => clients * rate,
  },
  memory: { of: scaled("rss", 1 / 2 ** 20), floor: 100 },
};

function lag({ lag }) {
  return lag === null ? null : Math.max(lag, SHORTEST_LAG);
}
