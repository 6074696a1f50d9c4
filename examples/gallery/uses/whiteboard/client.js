import { button, element, place, svg } from "/gallery/elements.js";

/** Draw with the pointer, a pen or a finger. */
export default function whiteboard({ stage, connect, say }) {
  const board = svg("svg", {
    viewBox: "0 0 480 300",
    class: "board",
    role: "img",
    "aria-label": "Whiteboard",
  });
  const undo = button("Undo my last stroke", () => socket.emit("undo"));
  stage.append(board, element("div", { className: "line" }, undo));
  const socket = connect();
  const strokes = new Map();
  const drafts = new Map();

  /** Shows a stroke, or more of it. Points are pairs of 16-bit numbers. */
  function draw(line, { name, hue, points }) {
    const values = new Uint16Array(points);
    line.setAttribute("points", values.join(" "));
    line.setAttribute("data-name", name);
    line.style.setProperty("--hue", hue);
    if (!line.parentNode) board.append(line);
  }
  const line = () => svg("polyline", { fill: "none" });

  socket.on("strokes", (all) => {
    board.replaceChildren();
    strokes.clear();
    for (const each of all) add(each);
  });
  socket.on("stroke", add);
  socket.on("undo", (id) => {
    strokes.get(id)?.remove();
    strokes.delete(id);
  });
  socket.on("draft", (draft) => {
    if (!drafts.has(draft.key)) drafts.set(draft.key, line());
    draw(drafts.get(draft.key), draft);
  });

  function add(stroke) {
    drafts.get(stroke.key)?.remove();
    drafts.delete(stroke.key);
    strokes.set(stroke.id, line());
    draw(strokes.get(stroke.id), stroke);
  }

  /** The stroke that is being drawn here. */
  let mine;
  let points = [];
  const inside = (event) => {
    const { x, y } = place(event, board);
    return [Math.max(0, Math.min(480, x)), Math.max(0, Math.min(300, y))];
  };
  board.addEventListener("pointerdown", (event) => {
    board.setPointerCapture(event.pointerId);
    points = inside(event);
    mine = line();
    mine.classList.add("own");
    board.append(mine);
  });
  board.addEventListener("pointermove", (event) => {
    if (!mine || points.length >= 600) return;
    points.push(...inside(event));
    mine.setAttribute("points", points.join(" "));
    if (points.length % 8 === 0) socket.volatile.emit("draft", Uint16Array.from(points));
  });
  const end = async () => {
    if (!mine) return;
    const drawn = mine;
    mine = undefined;
    say(await socket.emitWithAck("stroke", Uint16Array.from(points)));
    drawn.remove();
  };
  board.addEventListener("pointerup", end);
  board.addEventListener("pointercancel", end);
}
