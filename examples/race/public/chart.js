/** A chart of one metric, with a line for each server. */

import uPlot from "/uplot.js";
import { axisFigure } from "./figures.js";

/** Span of a chart in seconds. */
const SECONDS = 30;

/** Room for the figures of the y axis, the same in all charts. */
const AXIS_WIDTH = 46;

/** Both lines are seen where they run over each other. */
const LINE_WIDTHS = { ws: 3.5, turbo: 2 };

/** The last seconds of a metric. */
export class Chart {
  #metric;
  #names;
  #plot;

  /**
   * @param {HTMLElement} element that it fills
   * @param {import("./metrics.js").Metric} metric
   * @param {string[]} names of the lanes
   */
  constructor(element, metric, names) {
    this.#metric = metric;
    this.#names = names;
    const style = getComputedStyle(element);
    this.#plot = new uPlot(options(style, metric, names), undefined, element);
    new ResizeObserver(() => this.#resize(element)).observe(element);
    const redraw = () => this.#plot.redraw(false, true);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  /** @param {object[]} history the moments that it may show, as race.js documents them */
  show(history) {
    const now = history.at(-1).time;
    const { of, asked = () => null } = this.#metric;
    this.#plot.setData([
      history.map(({ time }) => (time - now) / 1e3),
      history.map(({ settings }) => asked(settings)),
      ...this.#names.map((name) =>
        history.map(({ lanes }) => (lanes[name] ? of(lanes[name]) : null)),
      ),
    ]);
  }

  #resize({ clientWidth, clientHeight }) {
    this.#plot.setSize({ width: clientWidth, height: clientHeight });
  }
}

/** @returns {object} those of uPlot */
function options(style, { floor }, names) {
  const colour = (property) => () => style.getPropertyValue(property);
  const axis = { stroke: colour("--muted"), font: `11px ${style.fontFamily}` };
  const line = { points: { show: false }, spanGaps: true };
  const grid = { grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false } };
  return {
    width: 200,
    height: 130,
    padding: [8, 18, 0, 0],
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: { time: false, range: [-SECONDS, 0] },
      y: { range: (_plot, _min, max) => [0, Math.max(floor, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, ...grid, grid: { show: false }, size: 26, gap: 4, incrs: [10], values: seconds },
      { ...axis, ...grid, size: AXIS_WIDTH, gap: 4, space: 36, values: figures },
    ],
    series: [
      {},
      { ...line, stroke: colour("--asked"), width: 1, dash: [4, 4] },
      ...names.map((name) => ({
        ...line,
        stroke: colour(`--${name}`),
        width: LINE_WIDTHS[name],
      })),
    ],
  };
}

/** Formats the labels of the x axis. */
function seconds(_plot, values) {
  return values.map((value) => (value === 0 ? "now" : `${value}\u2009s`));
}

/** Formats the labels of the y axis. */
function figures(_plot, values) {
  return values.map(axisFigure);
}
