/**
 * A whiteboard. A stroke is binary: pairs of 16-bit numbers, x and y. While it is drawn, drafts go
 * out volatile; the finished stroke is sent to all, and kept for those who come later.
 */

const { binary, demand, handle, nothing } = require("../../input.js");
const { flower } = require("./flower.js");

const [WIDTH, HEIGHT, POINTS, KEPT] = [480, 300, 300, 120];
const HAND = { key: "hand", name: "Hand", hue: 300 };

/** Parses a stroke. */
function stroke(value) {
  const bytes = binary(4 * POINTS)(value);
  demand(bytes.length >= 4 && bytes.length % 4 === 0, "A stroke has pairs of 16-bit numbers");
  for (let at = 0; at < bytes.length; at += 4) {
    const isInside = bytes.readUInt16LE(at) <= WIDTH && bytes.readUInt16LE(at + 2) <= HEIGHT;
    demand(isInside, "That is beside the board");
  }
  return bytes;
}

module.exports = (board, { every }) => {
  let strokes = [];
  let lastId = 0;

  function add(person, points) {
    const made = { id: ++lastId, ...person, points };
    strokes = [...strokes, made].slice(-KEPT);
    board.emit("stroke", made);
  }
  function undo({ key }) {
    const last = strokes.findLast((each) => each.key === key);
    if (last) board.emit("undo", last.id);
    strokes = strokes.filter((each) => each !== last);
  }

  board.on("connection", (socket) => {
    const { person } = socket.data;
    socket.emit("strokes", strokes);
    handle(socket, "draft", 30, stroke, (points) => {
      socket.broadcast.volatile.emit("draft", { ...person, points });
    });
    handle(socket, "stroke", 10, stroke, (points) => add(person, points));
    handle(socket, "undo", 10, nothing, () => undo(person));
  });
  /** A hand draws a flower, and again another one. */
  every(120, () => {
    const { points, isDone } = flower();
    if (!isDone) return board.volatile.emit("draft", { ...HAND, points });
    undo(HAND);
    add(HAND, points);
  });
};
