import { element, inside, place, svg } from "/gallery/elements.js";

/** Ships follow the pointer, a finger, or the arrow keys. */
export default function game({ stage, connect }) {
  const label = "Arena: steer your ship with the pointer or the arrow keys";
  const arena = svg("svg", {
    viewBox: "0 0 480 300",
    tabindex: 0,
    role: "img",
    "aria-label": label,
  });
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
      const text = svg("text", { y: -13 }, number === mine ? "you" : name);
      const shape = svg("g", { class: "ship", "data-name": name }, svg("circle", { r: 9 }), text);
      shape.style.setProperty("--hue", hue);
      const score = element("b");
      scores.append(element("li", { hue, className: number === mine ? "mine" : "" }, name, score));
      arena.append(shape);
      ships.set(number, { shape, score });
    }
  });
  socket.on("frame", (buffer) => {
    const values = new Int16Array(buffer);
    const end = 1 + 4 * values[0];
    for (let at = 1; at < end; at += 4) {
      const [number, x, y, score] = values.subarray(at, at + 4);
      const ship = ships.get(number);
      if (!ship) continue;
      Object.assign(ship, { x, y }).score.textContent = score;
      ship.shape.style.transform = `translate(${x}px, ${y}px)`;
    }
    for (let at = end; at < values.length; at += 2) moveStar(at - end, values[at], values[at + 1]);
  });

  function moveStar(index, x, y) {
    stars[index] ??= svg("path", { class: "star", d: "M0-7 2-2 7 0 2 2 0 7-2 2-7 0-2-2Z" });
    stars[index].setAttribute("transform", `translate(${x} ${y})`);
    if (!stars[index].parentNode) arena.prepend(stars[index]);
  }
  /** Volatile: without a connection a place is not kept to be sent later. */
  const steer = (target) => socket.volatile.emit("steer", target);
  let lastSent = 0;
  arena.addEventListener("pointermove", (event) => {
    if (event.timeStamp - lastSent < 40) return;
    lastSent = event.timeStamp;
    steer(place(event, arena));
  });
  arena.addEventListener("pointerdown", (event) => steer(place(event, arena)));
  const STEPS = { ArrowLeft: [-90, 0], ArrowRight: [90, 0], ArrowUp: [0, -90], ArrowDown: [0, 90] };
  arena.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const { x, y } = ships.get(mine) ?? {};
    if (!step || x === undefined) return;
    event.preventDefault();
    steer(inside(x + step[0], y + step[1]));
  });
}
