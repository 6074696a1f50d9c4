import { svg } from "/gallery/elements.js";

/** Draws the city. Returns the drawing, and its layer for vehicles. */
export function drawCity(label) {
  const streets = [40, 120, 200, 280, 360, 440].map((x) => `M${x} 0V300`);
  streets.push(...[30, 90, 150, 210, 270].map((y) => `M0 ${y}H480`));
  const layer = svg("g");
  const map = svg(
    "svg",
    { viewBox: "0 0 480 300", role: "img", "aria-label": label },
    svg("rect", { class: "park", x: 126, y: 96, width: 68, height: 108, rx: 6 }),
    svg("path", { class: "lake", d: "M290 218q35-14 66 2t64 20-30 18-70 2-30-42z" }),
    svg("path", { class: "streets", d: streets.join("") }),
    layer,
  );
  return { map, layer };
}

/** Moves the vehicles of a layer, and makes those that are new. `places` are `[id, x, y]`. */
export function moveVehicles(layer, vehicles, places, kind) {
  for (const [id, x, y] of places) {
    if (!vehicles.has(id)) vehicles.set(id, svg("circle", { class: `vehicle ${kind}`, r: 6 }));
    const vehicle = vehicles.get(id);
    vehicle.style.transform = `translate(${x}px, ${y}px)`;
    if (!vehicle.parentNode) layer.append(vehicle);
  }
}
