import { button, element, svg, toggle } from "/gallery/elements.js";

/** A line for each device: its last readings, a switch, and a restart. */
export default function iot({ stage, connect, ask }) {
  const list = element("ul", { className: "devices" });
  const news = element("p", { className: "muted small", role: "status" });
  stage.append(list, news);
  const socket = connect();
  const rows = new Map();

  socket.on("devices", (devices) => {
    list.replaceChildren();
    for (const [name, { unit }] of Object.entries(devices)) {
      const value = element("b");
      const line = svg("polyline", { fill: "none" });
      const view = { viewBox: "0 0 60 30", preserveAspectRatio: "none", "aria-hidden": "true" };
      const power = toggle("on", (isOn) => ask(socket, "switch", { name, isOn }));
      const restart = button("↻", () => ask(socket, "restart", name));
      power.ariaLabel = `Switch the ${name}`;
      restart.ariaLabel = `Restart the ${name}`;
      const parts = [element("h3", {}, name), svg("svg", view, line), value, power, restart];
      const row = element("li", { data: { device: name } }, ...parts);
      rows.set(name, { row, value, unit, line, power });
      list.append(row);
    }
  });
  socket.on("readings", (states) => {
    for (const [name, { isOnline, isOn, values }] of states) {
      const { row, value, unit, line, power } = rows.get(name);
      row.dataset.state = isOnline ? "online" : "offline";
      value.textContent = isOnline ? `${values.at(-1) ?? "–"} ${unit}` : "offline";
      power.ariaPressed = isOn;
      power.textContent = isOn ? "on" : "off";
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const height = (each) => 27 - (24 * (each - low)) / (high - low || 1);
      line.setAttribute("points", values.map((each, x) => `${x},${height(each)}`).join(" "));
    }
  });

  socket.on("switched", ({ name, isOn, by }) => {
    news.textContent = `${by} has switched the ${name} ${isOn ? "on" : "off"}`;
  });
}
