"use strict";

/**
 * Tracking on a map. The city has four areas, each with a room: a page gets the positions of the
 * areas that it looks at, and no others. Positions are volatile: an old one is worth nothing.
 */

const { handle, integer, oneOf, shape } = require("../../input.js");
const { drive, randomCrossing, route } = require("../../streets.js");

const [AREAS, SPEED] = [[0, 1, 2, 3], 2.5];
const areaOf = ({ x, y }) => (x < 240 ? 0 : 1) + (y < 150 ? 0 : 2);
const room = (area) => `area:${area}`;

module.exports = (map, { every }) => {
  const buses = Array.from({ length: 12 }, (_, id) => ({ id, route: [], ...randomCrossing() }));
  const pins = new Map();

  map.on("connection", (socket) => {
    const { key, name, hue } = socket.data.person;
    if (!socket.recovered) socket.join(AREAS.map(room));
    socket.emit("pins", [...pins.values()]);

    handle(
      socket,
      "watch",
      10,
      shape({ area: oneOf(AREAS), isOn: oneOf([true, false]) }),
      (wish) => {
        if (wish.isOn) socket.join(room(wish.area));
        else socket.leave(room(wish.area));
      },
    );

    handle(socket, "pin", 10, shape({ x: integer(0, 480), y: integer(0, 300) }), (place) => {
      pins.set(key, { key, name, hue, ...place });
      map.to(room(areaOf(place))).emit("pin", pins.get(key));
    });

    socket.on("disconnect", () => {
      const isElsewhere = [...map.sockets.values()].some(({ data }) => data.person.key === key);
      if (!isElsewhere && pins.delete(key)) map.emit("unpin", key);
    });
  });

  every(100, () => {
    const areas = AREAS.map(() => []);
    for (const bus of buses) {
      if (drive(bus, SPEED)) bus.route = route(bus, randomCrossing());
      areas[areaOf(bus)].push([bus.id, Math.round(bus.x), Math.round(bus.y)]);
    }
    for (const area of AREAS) map.to(room(area)).volatile.emit("positions", area, areas[area]);
  });
};
