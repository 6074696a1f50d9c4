import { drawCity, moveVehicles } from "/gallery/city.js";
import { button, element, entries, entry, group, place, svg, toggle } from "/gallery/elements.js";

const TEXTS = { asking: "Looking for a driver…", arrived: "Arrived. Where to next?" };

/** Press the map for a ride, or take rides of others. */
export default function ride({ stage, connect, ask }) {
  const { map, layer } = drawCity("Map: press it to ask for a ride");
  const state = element("p", { role: "status" }, "Press the map: where to?");
  const offers = entries("Offers", "offers");
  const way = svg("path", { class: "way" });
  map.insertBefore(way, layer);
  const socket = connect();
  const cars = new Map();

  const drive = async (isOn) => {
    offers.replaceChildren();
    return ask(socket, "drive", isOn);
  };
  const work = toggle("Drive for others", drive, { ariaPressed: "false", className: "push" });
  stage.append(group("Ride", state, work), map, offers);

  socket.on("cars", (places) => moveVehicles(layer, cars, places, "car"));
  socket.on("ride", (mine) => {
    const { status, from, to } = mine;
    const isOver = status === "arrived";
    state.textContent = TEXTS[status] ?? `${mine.driver} is ${status}`;
    way.setAttribute("d", isOver ? "" : `M${from.x} ${from.y}H${to.x}V${to.y}`);
    for (const [id, car] of cars) car.classList.toggle("mine", id === mine.car && !isOver);
  });
  socket.on("offer", ({ id, name, hue }) => {
    const accept = async () => {
      await ask(socket, "accept", id);
      item.remove();
    };
    const item = entry(
      hue,
      `${name} needs a ride`,
      button("Accept", accept, { className: "push" }),
    );
    item.dataset.id = id;
    offers.append(item);
  });
  socket.on("taken", (id) => offers.querySelector(`[data-id="${id}"]`)?.remove());
  socket.on("connect", () => {
    if (!socket.recovered && work.ariaPressed === "true") socket.emit("drive", true);
  });
  map.addEventListener("click", (event) => ask(socket, "request", place(event, map)));
}
