/**
 * Code that several people edit. Yjs merges what they write, in any order, also what was written
 * without a connection: pages and server exchange what the other has not. The server never decides
 * who is right; it only checks and relays, and keeps the document for those who come later.
 */

const Y = require("yjs");
const { InputError, binary, demand, handle, integer, shape } = require("../../input.js");

const LIMIT = 64 * 1024;
const EXAMPLE = `// Edit me, in two tabs at once.
io.on("connection", (socket) => {
  socket.on("say", (room, text) => {
    io.to(room).emit("said", text);
  });
});
`;

module.exports = (code) => {
  let doc = create();

  function create() {
    const made = new Y.Doc();
    made.getText("code").insert(0, EXAMPLE);
    return made;
  }
  const size = () => Y.encodeStateAsUpdate(doc).length;
  /** Runs what decodes bytes of a visitor. */
  function decode(act) {
    try {
      return act();
    } catch {
      throw new InputError("That is no update of Yjs");
    }
  }

  code.on("connection", (socket) => {
    const { name, hue } = socket.data.person;
    if (code.sockets.size === 1 && size() > LIMIT / 2) doc = create();

    handle(socket, "sync", 5, binary(LIMIT), (vector) => ({
      update: decode(() => Y.encodeStateAsUpdate(doc, vector)),
      vector: Y.encodeStateVector(doc),
    }));
    handle(socket, "update", 30, binary(LIMIT), (update) => {
      demand(size() + update.length <= LIMIT, "The document is full");
      decode(() => Y.applyUpdate(doc, update));
      socket.broadcast.emit("update", update);
    });
    const place = shape({ line: integer(0, 10_000), column: integer(0, 10_000) });
    handle(socket, "cursor", 20, place, (cursor) => {
      socket.broadcast.volatile.emit("cursor", { id: socket.id, name, hue, ...cursor });
    });
    socket.on("disconnect", () => socket.broadcast.emit("left", socket.id));
  });
};
