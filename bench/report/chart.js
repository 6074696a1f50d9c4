"use strict";

/**
 * Bar charts as SVG, drawn by Apache ECharts without a browser. Each is a grid of panels.
 *
 * @typedef {object} Panel
 * @property {string} title with the unit
 * @property {string[]} names of the bars, from above
 * @property {Series[]} series that are stacked
 * @property {[low: number, high: number][]} [spreads] of each bar: from the least to the most
 *   of the rounds
 * @property {string} [highlighted] the name of a bar
 * @property {number} [line] where a line stands across the bars
 *
 * @typedef {object} Series
 * @property {string} [name] for the legend
 * @property {number[]} values one for each bar
 */

const echarts = require("echarts");

/** In pixels. */
const NAME_WIDTH = 78;
const BAR_WIDTH = 200;
const LABEL_WIDTH = 62;
const BAR_HEIGHT = 24;
const TITLE_LINE_HEIGHT = 17;
const TITLE_GAP = 8;
const AXIS_HEIGHT = 40;
const LEGEND_HEIGHT = 26;

/** Readable on GitHub's light page and, with the background drawn, on its dark one. */
const COLORS = {
  background: "#ffffff",
  text: "#24292f",
  grid: "#e5e8eb",
  plain: "#9aa7b4",
  highlighted: "#c4501b",
  stacked: ["#4c78a8", "#a9c3de", "#e3a857"],
  whisker: "#24292f",
};

/**
 * @param {Panel[][]} rows of panels
 * @param {{ nameWidth?: number, barWidth?: number }} [options] how much room the names of the
 *   bars and the bars take, in pixels
 * @returns {string} an SVG document
 */
function chart(rows, { nameWidth = NAME_WIDTH, barWidth = BAR_WIDTH } = {}) {
  const layout = new Layout(rows, nameWidth, barWidth);
  const panels = rows.flat();
  const instance = echarts.init(null, null, {
    renderer: "svg",
    ssr: true,
    width: layout.width,
    height: layout.height,
  });
  instance.setOption({
    animation: false,
    backgroundColor: COLORS.background,
    textStyle: { fontFamily: "sans-serif", color: COLORS.text },
    legend: legend(panels),
    title: panels.map((panel, index) => title(panel, layout.boxes[index])),
    grid: layout.boxes,
    xAxis: panels.map((_, index) => valueAxis(index)),
    yAxis: panels.map(({ names }, index) => nameAxis(names, index)),
    series: panels.flatMap((panel, index) => bars(panel, index)),
  });
  const svg = instance.renderToSVGString();
  instance.dispose();
  return svg;
}

/** The positions of the panels. */
class Layout {
  constructor(rows, nameWidth, barWidth) {
    const columnWidth = nameWidth + barWidth + LABEL_WIDTH;
    this.width = columnWidth * Math.max(...rows.map((row) => row.length));
    this.boxes = [];
    let top = rows.flat().some(isStacked) ? LEGEND_HEIGHT : 0;
    for (const row of rows) {
      top += Math.max(...row.map(titleHeight));
      for (const [column, { names }] of row.entries()) {
        const left = column * columnWidth + nameWidth;
        this.boxes.push({ left, top, width: barWidth, height: BAR_HEIGHT * names.length });
      }
      top += BAR_HEIGHT * Math.max(...row.map(({ names }) => names.length)) + AXIS_HEIGHT;
    }
    this.height = top;
  }
}

function titleHeight({ title }) {
  return title.split("\n").length * TITLE_LINE_HEIGHT + 2 * TITLE_GAP;
}

const isStacked = ({ series }) => series.length > 1;

function legend(panels) {
  const stacked = panels.find(isStacked);
  if (stacked === undefined) return undefined;
  return { top: 4, left: "center", data: stacked.series.map(({ name }) => name) };
}

function title(panel, { left, top, width }) {
  return {
    text: panel.title,
    left: left + width / 2,
    top: top - titleHeight(panel) + TITLE_GAP,
    padding: 0,
    textAlign: "center",
    textStyle: {
      fontSize: 13,
      fontWeight: "bold",
      lineHeight: TITLE_LINE_HEIGHT,
      color: COLORS.text,
    },
  };
}

function valueAxis(index) {
  return {
    type: "value",
    gridIndex: index,
    min: 0,
    splitNumber: 4,
    splitLine: { lineStyle: { color: COLORS.grid } },
    axisLabel: { color: COLORS.text, hideOverlap: true },
  };
}

function nameAxis(names, index) {
  return {
    type: "category",
    gridIndex: index,
    data: names,
    inverse: true,
    axisTick: { show: false },
    axisLabel: { color: COLORS.text },
  };
}

/** The bars of a panel, how far the rounds spread, and the total beside each. */
function bars(panel, index) {
  const axes = { xAxisIndex: index, yAxisIndex: index };
  const shown = panel.series.map(({ name, values }, number) => ({
    ...axes,
    type: "bar",
    name,
    stack: `panel ${index}`,
    barWidth: "62%",
    data: values.map((value, bar) => barItem(panel, value, bar)),
    color: isStacked(panel) ? COLORS.stacked[number] : COLORS.plain,
  }));
  return [...shown, labels(panel, axes), ...(panel.spreads ? [whiskers(panel, axes)] : [])];
}

function barItem(panel, value, bar) {
  const isHighlighted = !isStacked(panel) && panel.names[bar] === panel.highlighted;
  return { value, ...(isHighlighted && { itemStyle: { color: COLORS.highlighted } }) };
}

/** Points that cannot be seen, at the far end of the bar or its whisker. */
function labels(panel, axes) {
  const { names, series, spreads } = panel;
  const total = (bar) => series.reduce((sum, { values }) => sum + values[bar], 0);
  const end = (bar) => Math.max(total(bar), spreads?.[bar][1] ?? 0);
  return {
    ...axes,
    type: "scatter",
    silent: true,
    symbolSize: 0,
    data: names.map((_, bar) => [end(bar), bar]),
    label: {
      show: true,
      position: "right",
      color: COLORS.text,
      formatter: ({ dataIndex }) => significant(total(dataIndex)),
    },
    ...line(panel),
  };
}

function line({ line }) {
  if (line === undefined) return {};
  return {
    markLine: {
      silent: true,
      symbol: "none",
      label: { show: false },
      lineStyle: { color: COLORS.whisker, type: "dashed" },
      data: [{ xAxis: line }],
    },
  };
}

function whiskers({ spreads }, axes) {
  return {
    ...axes,
    type: "custom",
    silent: true,
    data: spreads.map(([low, high], bar) => [low, high, bar]),
    encode: { x: [0, 1], y: 2 },
    renderItem: (_, api) => {
      const [low, y] = api.coord([api.value(0), api.value(2)]);
      const [high] = api.coord([api.value(1), api.value(2)]);
      const shape = { x1: low, x2: high, y1: y, y2: y };
      return { type: "line", shape, style: { stroke: COLORS.whisker, lineWidth: 1.5 } };
    },
    z: 3,
  };
}

/** @param {number} value @returns {string} three digits of it */
function significant(value) {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return Number(value.toPrecision(3)).toString();
}

module.exports = { chart, significant };
