import { drawCity, moveVehicles } from "/gallery/city.js";
import { group, place, svg, toggle } from "/gallery/elements.js";

/** Buses of the areas that are switched on, and pins: press the map to set yours. */
export default function map({ stage, connect, ask }) {
  const { map: city, layer } = drawCity("Map: press it to set your pin");
  const socket = connect();
  const pins = new Map();
  const buses = new Map();

  const toggles = ["North-west", "North-east", "South-west", "South-east"].map((label, area) => {
    const shade = svg("rect", { class: "shade", x: (area % 2) * 240, y: area < 2 ? 0 : 150 });
    city.append(shade);
    return toggle(label, async (isOn) => {
      if (!(await ask(socket, "watch", { area, isOn }))) return false;
      shade.classList.toggle("dark", !isOn);
      return true;
    });
  });
  stage.append(group("Areas to watch", ...toggles), city);
  /** A socket that was not recovered is in the rooms of all areas, and leaves some again. */
  socket.on("connect", () => {
    if (socket.recovered) return;
    toggles.forEach(({ ariaPressed }, area) => {
      if (ariaPressed !== "true") socket.emit("watch", { area, isOn: false });
    });
  });
  socket.on("positions", (places) => moveVehicles(layer, buses, places, "bus"));
  socket.on("pins", (all) => {
    for (const key of pins.keys()) remove(key);
    all.forEach(show);
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
  city.addEventListener("click", (event) => ask(socket, "pin", place(event, city)));
}
