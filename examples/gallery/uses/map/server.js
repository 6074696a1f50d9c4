/**
 * Tracking on a map. The city has four areas, each with a room: a page gets the positions of the
 * areas that it looks at, and no others. Positions are volatile: an old one is worth nothing.
 */

const { bool, handle, oneOf, place, shape } = require("../../input.js");
const { drive, randomCrossing, route } = require("../../streets.js");

const [AREAS, SPEED] = [[0, 1, 2, 3], 0.6];
const areaOf = ({ x, y }) => (x < 240 ? 0 : 1) + (y < 150 ? 0 : 2);
const room = (area) => `area:${area}`;

module.exports = (map, { every }) => {
  const buses = Array.from({ length: 12 }, (_, id) => ({ id, route: [], ...randomCrossing() }));
  const pins = new Map();

  map.on("connection", (socket) => {
    const { person } = socket.data;
    if (!socket.recovered) socket.join(AREAS.map(room));
    socket.emit("pins", [...pins.values()]);

    handle(socket, "watch", 10, shape({ area: oneOf(AREAS), isOn: bool }), ({ area, isOn }) =>
      isOn ? socket.join(room(area)) : socket.leave(room(area)),
    );
    handle(socket, "pin", 10, place, (where) => {
      pins.set(person.key, { ...person, ...where });
      map.emit("pin", pins.get(person.key));
    });
    socket.on("disconnect", () => {
      const isHere = [...map.sockets.values()].some(({ data }) => data.person.key === person.key);
      if (!isHere && pins.delete(person.key)) map.emit("unpin", person.key);
    });
  });
  /** Areas take turns: of several volatile events in one turn, a socket would get only the first. */
  let area = 0;
  every(25, () => {
    area = (area + 1) % AREAS.length;
    for (const bus of buses) if (drive(bus, SPEED)) bus.route = route(bus, randomCrossing());
    const here = buses.filter((bus) => areaOf(bus) === area);
    const places = here.map(({ id, x, y }) => [id, Math.round(x), Math.round(y)]);
    map.to(room(area)).volatile.emit("positions", places);
  });
};
