import { element, place, svg } from "/gallery/elements.js";

/** Ships follow the pointer, a finger, or the arrow keys. */
export default function game({ stage, connect }) {
  const arena = svg("svg", { viewBox: "0 0 480 300", class: "arena", tabindex: 0, role: "img" });
  arena.setAttribute("aria-label", "Arena: steer your ship with the pointer or the arrow keys");
  const scores = element("ol", { className: "chips", ariaLabel: "Scores" });
  stage.append(arena, scores);

  const socket = connect();
  const ships = new Map();
  const stars = [];
  let mine;

  socket.on("you", (number) => {
    mine = number;
  });

  socket.on("roster", (roster) => {
    for (const { shape } of ships.values()) shape.remove();
    ships.clear();
    scores.replaceChildren();
    for (const { number, name, hue } of roster) {
      const shape = svg("g", { class: "ship", "data-name": name });
      shape.append(
        svg("circle", { r: 9 }),
        svg("text", { y: -13 }, number === mine ? "you" : name),
      );
      shape.style.setProperty("--hue", hue);
      const score = element("b", {}, "0");
      scores.append(element("li", { hue, className: number === mine ? "mine" : "" }, name, score));
      arena.append(shape);
      ships.set(number, { shape, score, x: 0, y: 0 });
    }
  });

  socket.on("frame", (buffer) => {
    const values = new Int16Array(buffer);
    const end = 1 + 4 * values[0];
    for (let at = 1; at < end; at += 4) {
      const [number, x, y, score] = values.subarray(at, at + 4);
      const ship = ships.get(number);
      if (!ship) continue;
      Object.assign(ship, { x, y });
      ship.shape.style.transform = `translate(${x}px, ${y}px)`;
      ship.score.textContent = score;
    }
    showStars(values.subarray(end));
  });

  function showStars(places) {
    while (stars.length < places.length / 2) {
      stars.push(svg("path", { class: "star", d: "M0-7 2-2 7 0 2 2 0 7-2 2-7 0-2-2Z" }));
      arena.prepend(stars.at(-1));
    }
    stars.forEach((star, index) => {
      star.setAttribute("transform", `translate(${places[2 * index]} ${places[2 * index + 1]})`);
    });
  }

  /** Volatile: while the connection is lost, a place is not kept to be sent later. */
  const steer = ({ x, y }) => {
    const clamp = (value, max) => Math.max(0, Math.min(max, value));
    socket.volatile.emit("steer", { x: clamp(x, 480), y: clamp(y, 300) });
  };
  let lastSent = 0;
  arena.addEventListener("pointermove", (event) => {
    if (event.timeStamp - lastSent < 40) return;
    lastSent = event.timeStamp;
    steer(place(event, arena));
  });
  arena.addEventListener("pointerdown", (event) => steer(place(event, arena)));
  arena.addEventListener("keydown", ({ key }) => {
    const step = {
      ArrowLeft: [-90, 0],
      ArrowRight: [90, 0],
      ArrowUp: [0, -90],
      ArrowDown: [0, 90],
    };
    const ship = ships.get(mine);
    if (ship && step[key]) steer({ x: ship.x + step[key][0], y: ship.y + step[key][1] });
  });
}
