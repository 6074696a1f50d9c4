import { button, group, place, svg } from "/gallery/elements.js";

/** Draw with the pointer, a pen or a finger. */
export default function whiteboard({ stage, connect, ask }) {
  const label = { role: "img", "aria-label": "Whiteboard: draw on it" };
  const board = svg("svg", { viewBox: "0 0 480 300", ...label });
  const undo = button("Undo my last stroke", () => socket.emit("undo"));
  stage.append(board, group("Tools", undo));
  const socket = connect();
  const strokes = new Map();
  const drafts = new Map();
  const line = () => svg("polyline", { fill: "none" });

  function draw(shape, { name, hue, points }) {
    shape.setAttribute("points", new Uint16Array(points).join(" "));
    shape.setAttribute("data-name", name);
    shape.style.setProperty("--hue", hue);
    if (!shape.parentNode) board.append(shape);
  }
  function add(stroke) {
    drafts.get(stroke.key)?.remove();
    drafts.delete(stroke.key);
    strokes.set(stroke.id, line());
    draw(strokes.get(stroke.id), stroke);
  }

  socket.on("strokes", (all) => {
    board.replaceChildren();
    strokes.clear();
    all.forEach(add);
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
  /** The stroke that is drawn here, until the server has sent it back. */
  let mine;
  let points = [];
  const extend = (event) => {
    const { x, y } = place(event, board);
    points.push(x, y);
    mine.setAttribute("points", points.join(" "));
  };
  board.addEventListener("pointerdown", (event) => {
    points = [];
    mine = line();
    board.append(mine);
    // Twice, so that a touch makes a dot.
    extend(event);
    extend(event);
    if (event.isTrusted) board.setPointerCapture(event.pointerId);
  });
  board.addEventListener("pointermove", (event) => {
    if (!mine || points.length >= 600) return;
    extend(event);
    if (points.length % 8 === 0) socket.volatile.emit("draft", Uint16Array.from(points));
  });
  const end = async () => {
    if (!mine) return;
    const drawn = mine;
    mine = undefined;
    await ask(socket, "stroke", Uint16Array.from(points));
    drawn.remove();
  };
  board.addEventListener("pointerup", end);
  board.addEventListener("pointercancel", end);
}
