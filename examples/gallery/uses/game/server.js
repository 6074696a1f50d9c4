"use strict";

/**
 * Star catchers. The server owns the arena: it moves everybody, counts stars, and sends the whole
 * arena 20 times a second, volatile and binary: for each ship its number, x, y and score, then the
 * places of the stars, as 16-bit integers.
 */

const { handle, integer, shape } = require("../../input.js");

const [WIDTH, HEIGHT, SPEED, REACH] = [480, 300, 6, 14];
const BOTS = ["Rover", "Comet", "Pixel"];

const randomPlace = () => ({ x: 10 + Math.random() * (WIDTH - 20), y: Math.random() * HEIGHT });
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

module.exports = (game, { every }) => {
  const stars = Array.from({ length: 8 }, randomPlace);
  const ships = new Set();
  let lastNumber = 0;

  function enter({ name, hue }) {
    lastNumber = (lastNumber + 1) % 30_000;
    const ship = { number: lastNumber, name, hue, score: 0, ...randomPlace() };
    ship.target = { x: ship.x, y: ship.y };
    ships.add(ship);
    return ship;
  }
  const roster = () => [...ships].map(({ number, name, hue }) => ({ number, name, hue }));
  const bots = BOTS.map((name, index) => enter({ name, hue: 110 * index }));

  game.on("connection", (socket) => {
    const ship = enter(socket.data.person);
    socket.emit("you", ship.number);
    game.emit("roster", roster());
    const target = shape({ x: integer(0, WIDTH), y: integer(0, HEIGHT) });
    handle(socket, "steer", 40, target, (place) => {
      ship.target = place;
    });
    socket.on("disconnect", () => {
      ships.delete(ship);
      game.emit("roster", roster());
    });
  });

  every(50, () => {
    for (const bot of bots) bot.target = stars[(bot.number + bot.score) % stars.length];
    for (const ship of ships) move(ship, stars);
    const values = [...ships].flatMap(({ number, x, y, score }) => [number, x, y, score]);
    const frame = Int16Array.from([ships.size, ...values, ...stars.flatMap(({ x, y }) => [x, y])]);
    game.volatile.emit("frame", frame);
  });
};

function move(ship, stars) {
  const share = Math.min(1, SPEED / (distance(ship, ship.target) || 1));
  ship.x += (ship.target.x - ship.x) * share;
  ship.y += (ship.target.y - ship.y) * share;
  const caught = stars.findIndex((star) => distance(ship, star) < REACH);
  if (caught < 0) return;
  stars[caught] = randomPlace();
  ship.score = (ship.score + 1) % 10_000;
}
