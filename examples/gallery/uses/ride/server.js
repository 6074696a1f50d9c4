/**
 * Ride-sharing. A ride has a room of its own, with all tabs of the rider and the driver. Drivers are
 * a room, too: all get the offer, and the server gives the ride to the first who accepts it.
 */

const { bool, demand, handle, id, place } = require("../../input.js");
const { roomOf } = require("../../people.js");
const { crossingAt, move, positions, randomCrossing, take } = require("./fleet.js");
const [PATIENCE, room] = [15_000, ({ id }) => `ride:${id}`];

module.exports = (city, { every }) => {
  const rides = new Map();
  let lastId = 0;

  function send(ride, status = ride.status) {
    ride.status = status;
    city.to(room(ride)).emit("ride", ride);
    if (status !== "arrived") return;
    rides.delete(ride.rider.key);
    city.socketsLeave(room(ride));
  }
  function start(ride, driver) {
    const car = take(ride);
    if (!car) return;
    Object.assign(ride, { car: car.id, driver: driver ?? car.name });
    city.to("drivers").emit("taken", ride.id);
    send(ride, "coming");
  }
  city.on("connection", (socket) => {
    const { person } = socket.data;
    const mine = rides.get(person.key);
    if (mine) socket.join(room(mine));
    if (mine) socket.emit("ride", mine);
    handle(socket, "request", 2, place, (to) => {
      demand(!rides.has(person.key), "One ride at a time, please");
      const way = { from: randomCrossing(), to: crossingAt(to) };
      const ride = { id: ++lastId, rider: person, at: Date.now(), ...way };
      rides.set(person.key, ride);
      city.in(roomOf(person)).socketsJoin(room(ride));
      city.to("drivers").emit("offer", { ...person, id: ride.id });
      send(ride, "asking");
    });
    handle(socket, "drive", 5, bool, (isOn) => void socket[isOn ? "join" : "leave"]("drivers"));
    handle(socket, "accept", 5, id, (wanted) => {
      const ride = [...rides.values()].find((each) => each.id === wanted);
      demand(ride?.status === "asking", "Somebody was faster");
      socket.join(room(ride));
      start(ride, person.name);
    });
  });

  every(100, () => {
    move(send);
    city.volatile.emit("cars", positions());
    // A simulated driver takes what no visitor wants; at once, if no visitor drives.
    const latest = Date.now() - (city.adapter.rooms.has("drivers") ? PATIENCE : 0);
    const isLate = ({ status, at }) => status === "asking" && at < latest;
    for (const ride of [...rides.values()].filter(isLate)) start(ride);
  });
};
