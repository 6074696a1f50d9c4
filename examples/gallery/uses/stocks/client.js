import uPlot from "uplot";
import { button, element } from "/gallery/elements.js";

/** A button for each share, the chart of one, and the last trades. */
export default function stocks({ stage, connect, say }) {
  const list = element("div", { className: "line shares", role: "group", ariaLabel: "Shares" });
  const chart = element("div", { className: "chart", role: "img", ariaLabel: "Price" });
  const tape = element("ol", { className: "entries", ariaLabel: "Trades" });
  const actions = element("div", { className: "line" });
  stage.append(list, chart, actions, tape);

  const socket = connect();
  const shares = new Map();
  let symbol = "TRBO";
  let times = [];
  let values = [];

  const colour = (name) => () => getComputedStyle(chart).getPropertyValue(name);
  const axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  const plot = new uPlot(
    {
      width: 320,
      height: 130,
      padding: [8, 0, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: { x: { time: false } },
      axes: [{ show: false }, { ...axis, size: 44, font: "11px system-ui" }],
      series: [{}, { stroke: colour("--accent"), width: 2, points: { show: false } }],
    },
    [[], []],
    chart,
  );
  const fit = () => plot.setSize({ width: chart.clientWidth, height: chart.clientHeight });
  new ResizeObserver(fit).observe(chart);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());

  async function watch(wanted) {
    symbol = wanted;
    for (const [name, { choice }] of shares) choice.ariaPressed = name === symbol;
    const { history } = await socket.emitWithAck("watch", symbol);
    if (symbol !== wanted) return;
    times = history.map(([time]) => time);
    values = history.map(([, price]) => price);
    plot.setData([times, values]);
  }

  /** Also after a lost connection: the history has what the page has missed. */
  socket.on("connect", () => watch(symbol));
  socket.on("tick", (name, time, price) => {
    if (name !== symbol) return;
    times = [...times.slice(-159), time];
    values = [...values.slice(-159), price];
    plot.setData([times, values]);
  });
  socket.on("prices", (prices) => {
    for (const [name, price] of Object.entries(prices)) {
      if (!shares.has(name)) add(name);
      const share = shares.get(name);
      share.price.textContent = price.toFixed(2);
      share.price.className = price < share.last ? "down" : "up";
      share.last = price;
    }
  });
  socket.on("trades", (trades) => {
    tape.replaceChildren(
      ...trades.map(({ name, hue, symbol, amount, price }) => {
        const text = `${name} ${amount > 0 ? "bought" : "sold"} ${Math.abs(amount)} ${symbol}`;
        return element(
          "li",
          { hue },
          element("span", { className: "dot" }),
          text,
          element("b", {}, price.toFixed(2)),
        );
      }),
    );
  });

  function add(name) {
    const price = element("span");
    const choice = button(name, () => watch(name), { ariaPressed: name === symbol });
    choice.append(price);
    list.append(choice);
    shares.set(name, { choice, price });
  }
  const trade = (amount) => async () => say(await socket.emitWithAck("trade", { symbol, amount }));
  actions.append(button("Buy 100", trade(100)), button("Sell 100", trade(-100)));
}
