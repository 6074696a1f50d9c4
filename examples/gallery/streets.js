/** A city of 480 × 300 for simulated vehicles: streets in a grid, and routes along them. */

const XS = [40, 120, 200, 280, 360, 440];
const YS = [30, 90, 150, 210, 270];
const pick = (values) => values[Math.floor(Math.random() * values.length)];
const nearest = (values, value) =>
  values.reduce((best, each) => (Math.abs(each - value) < Math.abs(best - value) ? each : best));

const randomCrossing = () => ({ x: pick(XS), y: pick(YS) });
/** @returns {{ x: number, y: number }} the crossing that is nearest to a place */
const crossingAt = ({ x, y }) => ({ x: nearest(XS, x), y: nearest(YS, y) });

/** @returns {object[]} the places to pass on the way, all on streets */
function route(from, to) {
  const start = crossingAt(from);
  return [start, { x: to.x, y: start.y }, to];
}

/** Moves a vehicle along its route. Returns true once it is at the end. */
function drive(vehicle, step) {
  let left = step;
  while (left > 0 && vehicle.route.length > 0) {
    const [next] = vehicle.route;
    const distance = Math.hypot(next.x - vehicle.x, next.y - vehicle.y);
    const share = distance === 0 ? 1 : Math.min(1, left / distance);
    vehicle.x += (next.x - vehicle.x) * share;
    vehicle.y += (next.y - vehicle.y) * share;
    left -= distance;
    if (share === 1) vehicle.route.shift();
  }
  return vehicle.route.length === 0;
}

module.exports = { crossingAt, drive, randomCrossing, route };
