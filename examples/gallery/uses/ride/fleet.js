/** The cars of the ride-sharing, which are simulated. They cruise, unless they have a ride. */

const { crossingAt, drive, randomCrossing, route } = require("../../streets.js");

const SPEED = 4;
const distance = (a, b) => Math.abs(a.x - b.x) + Math.abs(a.y - b.y);
const cars = ["Ayo", "Bea", "Chen", "Dara"].map((name, id) => {
  return { id, name, route: [], ride: null, ...randomCrossing() };
});

/** Sends the nearest free car to a rider; returns it, unless all are taken. */
function take(ride) {
  const free = cars.filter((car) => !car.ride);
  const [car] = free.sort((a, b) => distance(a, ride.from) - distance(b, ride.from));
  if (car) Object.assign(car, { ride, route: route(car, ride.from) });
  return car;
}

/** Moves all cars, and reports each ride whose car has come to the rider, or to the end. */
function move(report) {
  for (const car of cars) {
    if (!drive(car, SPEED)) continue;
    const { ride } = car;
    const isComing = ride?.status === "coming";
    car.route = route(car, isComing ? ride.to : randomCrossing());
    if (!isComing) car.ride = null;
    if (ride) report(ride, isComing ? "driving" : "arrived");
  }
}

/** Returns id and place of each car. */
const positions = () => cars.map(({ id, x, y }) => [id, Math.round(x), Math.round(y)]);

module.exports = { crossingAt, move, positions, randomCrossing, take };
