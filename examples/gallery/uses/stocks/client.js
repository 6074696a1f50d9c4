import uPlot from "uplot";
import { button, choices, element, entries, entry, group } from "/gallery/elements.js";

const SYMBOLS = ["TRBO", "RUST", "NODE", "IO", "WS"];

/** A button for each share, the chart of one, and the last trades. */
export default function stocks({ stage, connect, ask }) {
  const chart = element("div", { className: "chart", role: "img", ariaLabel: "Price" });
  const tape = entries("Trades");
  const socket = connect();
  const prices = new Map(SYMBOLS.map((name) => [name, element("span")]));
  let symbol;
  let history = [];

  const shares = choices("Shares", SYMBOLS, watch);
  for (const each of shares.children) each.append(prices.get(each.dataset.label));
  const trade = (amount) => () => ask(socket, "trade", { symbol, amount });
  const orders = [button("Buy 100", trade(100)), button("Sell 100", trade(-100))];
  stage.append(shares, chart, group("Orders", ...orders), tape);
  /** Colours of the scheme that is in use now. */
  const muted = () => getComputedStyle(chart).color;
  const accent = () => getComputedStyle(chart).outlineColor;
  const lines = { stroke: () => getComputedStyle(chart).borderColor, width: 1 };
  const axis = { stroke: muted, grid: lines, ticks: lines, size: 48, font: "11px system-ui" };
  const plot = new uPlot(
    {
      ...{ width: 320, height: 130, padding: [8, 0, 8, 0] },
      ...{ cursor: { show: false }, legend: { show: false }, scales: { x: { time: false } } },
      axes: [{ show: false }, axis],
      series: [{}, { stroke: accent, width: 2, points: { show: false } }],
    },
    [[], []],
    chart,
  );
  const fit = () => plot.setSize({ width: chart.clientWidth, height: chart.clientHeight });
  new ResizeObserver(fit).observe(chart);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());

  function watch(wanted) {
    symbol = wanted;
    return ask(socket, "watch", wanted, (answer) => symbol === wanted && show(answer.history));
  }
  function show(ticks) {
    history = ticks.slice(-160);
    plot.setData([history.map(([time]) => time), history.map(([, price]) => price)]);
  }
  /** The history has what the page has missed. */
  socket.on("connect", () => watch(symbol));
  socket.on("tick", (name, ...tick) => name === symbol && show([...history, tick]));
  socket.on("prices", (all) => {
    for (const [name, price] of Object.entries(all)) {
      const shown = prices.get(name);
      shown.className = price < Number(shown.textContent) ? "down" : "up";
      shown.textContent = price.toFixed(2);
    }
  });
  socket.on("trades", (trades) => {
    const items = trades.map(({ name, hue, symbol: what, amount, price }) => {
      const text = `${name} ${amount > 0 ? "bought" : "sold"} ${Math.abs(amount)} ${what}`;
      return entry(hue, text, element("b", { className: "push" }, price.toFixed(2)));
    });
    tape.replaceChildren(...items);
  });
}
