"use strict";

/**
 * Ride-sharing. A ride has a room of its own, with all tabs of the rider and the driver. Drivers are
 * a room, too: all get the offer, and the server gives the ride to the first who accepts it.
 */

const { demand, handle, integer, oneOf, shape } = require("../../input.js");
const { roomOf } = require("../../people.js");
const { crossingAt, drive, randomCrossing, route } = require("../../streets.js");

const [SPEED, PATIENCE] = [4, 4000];
const NAMES = ["Ayo", "Bea", "Chen", "Dara"];
const distance = (a, b) => Math.abs(a.x - b.x) + Math.abs(a.y - b.y);

module.exports = (city, { every }) => {
  const cars = NAMES.map((name, id) => ({ id, name, route: [], ride: null, ...randomCrossing() }));
  const rides = new Map();
  let lastId = 0;
  const room = ({ id }) => `ride:${id}`;

  function send(ride, status) {
    ride.status = status;
    const { id, rider, from, to, driver, car } = ride;
    city.to(room(ride)).emit("ride", { id, rider, from, to, driver, status, car: car?.id });
  }
  function start(ride, person) {
    const free = cars.filter((car) => !car.ride);
    demand(free.length > 0, "All cars are taken");
    free.sort((a, b) => distance(a, ride.from) - distance(b, ride.from));
    const [car] = free;
    Object.assign(ride, { car, driver: person?.name ?? car.name });
    Object.assign(car, { ride, route: route(car, ride.from) });
    city.to("drivers").emit("taken", ride.id);
    send(ride, "coming");
  }
  function arrive(car) {
    const { ride } = car;
    if (ride.status === "coming") {
      car.route = route(car, ride.to);
      return send(ride, "driving");
    }
    send(ride, "arrived");
    car.ride = null;
    rides.delete(ride.rider.key);
    city.in(room(ride)).socketsLeave(room(ride));
  }

  city.on("connection", (socket) => {
    const { person } = socket.data;
    const mine = rides.get(person.key);
    if (mine) socket.join(room(mine));
    if (mine) send(mine, mine.status);
    handle(socket, "request", 2, shape({ x: integer(0, 480), y: integer(0, 300) }), (place) => {
      demand(!rides.has(person.key), "One ride at a time, please");
      const [from, to] = [randomCrossing(), crossingAt(place)];
      const ride = { id: ++lastId, rider: person, from, to, since: Date.now() };
      rides.set(person.key, ride);
      city.in(roomOf(person)).socketsJoin(room(ride));
      city.to("drivers").emit("offer", { id: ride.id, name: person.name, hue: person.hue });
      send(ride, "asking");
    });
    handle(socket, "drive", 5, oneOf([true, false]), (isOn) => {
      if (isOn) socket.join("drivers");
      else socket.leave("drivers");
    });
    handle(socket, "accept", 5, integer(1, Number.MAX_SAFE_INTEGER), (id) => {
      demand(socket.rooms.has("drivers"), "You are not at work");
      const ride = [...rides.values()].find((each) => each.id === id);
      demand(ride?.status === "asking", "Somebody was faster");
      socket.join(room(ride));
      start(ride, person);
    });
  });

  every(100, () => {
    for (const car of cars) {
      if (!drive(car, SPEED)) continue;
      if (car.ride) arrive(car);
      else car.route = route(car, randomCrossing());
    }
    city.volatile.emit(
      "cars",
      cars.map(({ id, x, y }) => [id, Math.round(x), Math.round(y)]),
    );
    const late = [...rides.values()].find(
      (r) => r.status === "asking" && Date.now() > r.since + PATIENCE,
    );
    if (late && cars.some((car) => !car.ride)) start(late);
  });
};
