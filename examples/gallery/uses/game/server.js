/**
 * Star catchers. The server owns the arena: it moves everybody, and sends the whole arena 20 times a
 * second, volatile and binary: number, x, y and score of each ship, then the places of the stars.
 */

const { handle, place } = require("../../input.js");

const [WIDTH, HEIGHT, SPEED, REACH] = [480, 300, 6, 14];
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);
const randomPlace = () => ({ x: Math.random() * WIDTH, y: Math.random() * HEIGHT });

module.exports = (game, { every }) => {
  const stars = Array.from({ length: 8 }, randomPlace);
  const ships = new Set();
  let lastNumber = 0;

  function enter({ name, hue }) {
    lastNumber = (lastNumber + 1) % 30_000;
    const start = randomPlace();
    const ship = { number: lastNumber, name, hue, score: 0, ...start, target: start };
    ships.add(ship);
    return ship;
  }
  const roster = () => [...ships].map(({ number, name, hue }) => ({ number, name, hue }));
  const bots = ["Rover", "Comet", "Pixel"].map((name, index) => enter({ name, hue: 110 * index }));

  game.on("connection", (socket) => {
    const ship = enter(socket.data.person);
    socket.emit("you", ship.number);
    game.emit("roster", roster());
    handle(socket, "steer", 40, place, (target) => {
      ship.target = target;
    });
    socket.on("disconnect", () => {
      ships.delete(ship);
      game.emit("roster", roster());
    });
  });

  function move(ship) {
    const share = Math.min(1, SPEED / (distance(ship, ship.target) || 1));
    ship.x += (ship.target.x - ship.x) * share;
    ship.y += (ship.target.y - ship.y) * share;
    const caught = stars.findIndex((star) => distance(ship, star) < REACH);
    if (caught < 0) return;
    stars[caught] = randomPlace();
    ship.score = (ship.score + 1) % 10_000;
  }

  every(50, () => {
    for (const bot of bots) bot.target = stars[(bot.number + bot.score) % stars.length];
    ships.forEach(move);
    const values = [...ships].flatMap(({ number, x, y, score }) => [number, x, y, score]);
    const frame = [ships.size, ...values, ...stars.flatMap(({ x, y }) => [x, y])];
    game.volatile.emit("frame", Int16Array.from(frame));
  });
};
