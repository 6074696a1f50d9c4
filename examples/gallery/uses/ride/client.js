import { drawCity, moveVehicles } from "/gallery/city.js";
import { button, element, place, svg } from "/gallery/elements.js";

const TEXTS = {
  asking: () => "Looking for a driver…",
  coming: ({ driver }) => `${driver} is coming`,
  driving: ({ driver }) => `${driver} is driving`,
  arrived: () => "Arrived. Where to next?",
};

/** Press the map for a ride, or take rides of others. */
export default function ride({ stage, connect, say }) {
  const { map, layer } = drawCity("Map: press it to ask for a ride");
  const state = element("p", { role: "status" }, "Press the map: where do you want to go?");
  const offers = element("ul", { className: "entries offers", ariaLabel: "Offers" });
  const work = button("Drive for others", toggleWork, { ariaPressed: "false", className: "push" });
  stage.append(element("div", { className: "line" }, state, work), map, offers);

  const socket = connect();
  const cars = new Map();
  const way = svg("path", { class: "way" });
  map.insertBefore(way, layer);

  socket.on("cars", (places) => moveVehicles(layer, cars, places, "car"));
  socket.on("ride", (ride) => {
    const isOver = ride.status === "arrived";
    state.textContent = TEXTS[ride.status](ride);
    const { from, to } = ride;
    way.setAttribute(
      "d",
      isOver ? "" : `M${from.x} ${from.y}H${to.x}V${to.y}m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0`,
    );
    for (const [id, car] of cars) car.classList.toggle("mine", id === ride.car && !isOver);
  });
  socket.on("offer", ({ id, name, hue }) => {
    const accept = async () => {
      say(await socket.emitWithAck("accept", id));
      item.remove();
    };
    const item = element(
      "li",
      { hue, data: { id } },
      element("span", { className: "dot" }),
      `${name} needs a ride`,
    );
    item.append(button("Accept", accept, { className: "push" }));
    offers.append(item);
  });
  socket.on("taken", (id) => offers.querySelector(`[data-id="${id}"]`)?.remove());
  socket.on("connect", () => {
    if (!socket.recovered && work.ariaPressed === "true") socket.emit("drive", true);
  });

  async function toggleWork() {
    const isOn = work.ariaPressed !== "true";
    if (!say(await socket.emitWithAck("drive", isOn))) return;
    work.ariaPressed = isOn;
    offers.replaceChildren();
  }
  map.addEventListener("pointerdown", async (event) => {
    say(await socket.emitWithAck("request", place(event, map)));
  });
}
