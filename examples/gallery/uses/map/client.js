import { drawCity, moveVehicles } from "/gallery/city.js";
import { button, element, place, svg } from "/gallery/elements.js";

/** Buses of the areas that are switched on, and pins: press the map to set yours. */
export default function map({ stage, connect, say }) {
  const { map: city, layer } = drawCity("Map: press it to set your pin");
  const areas = element("div", { className: "line", role: "group", ariaLabel: "Areas to watch" });
  stage.append(areas, city);
  const socket = connect();
  const pins = new Map();
  const buses = new Map();

  const toggles = ["North-west", "North-east", "South-west", "South-east"].map((label, area) => {
    const shade = svg("rect", { class: "shade", x: (area % 2) * 240, y: area < 2 ? 0 : 150 });
    city.append(shade);
    const made = button(label, async () => {
      const isOn = made.ariaPressed !== "true";
      if (say(await socket.emitWithAck("watch", { area, isOn }))) set(isOn);
    });
    const set = (isOn) => {
      made.ariaPressed = isOn;
      shade.classList.toggle("dark", !isOn);
    };
    set(true);
    areas.append(made);
    return set;
  });
  /** A connection that is not recovered begins anew, with all areas. */
  socket.on("connect", () => {
    if (!socket.recovered) for (const set of toggles) set(true);
  });

  socket.on("positions", (_area, places) => moveVehicles(layer, buses, places, "bus"));
  socket.on("pins", (all) => {
    for (const key of pins.keys()) remove(key);
    for (const each of all) show(each);
  });
  socket.on("pin", show);
  socket.on("unpin", remove);

  function show({ key, name, hue, x, y }) {
    remove(key);
    const pin = svg("g", { class: "pin", "data-name": name, transform: `translate(${x} ${y})` });
    pin.style.setProperty("--hue", hue);
    pin.append(svg("path", { d: "M0 0C-9-12-9-22 0-22S9-12 0 0Z" }), svg("text", { y: -26 }, name));
    pins.set(key, pin);
    city.append(pin);
  }
  function remove(key) {
    pins.get(key)?.remove();
    pins.delete(key);
  }
  city.addEventListener("pointerdown", async (event) => {
    say(await socket.emitWithAck("pin", place(event, city)));
  });
}
