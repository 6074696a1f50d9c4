/** Visitors: a secret of the browser in, a name and a colour for everybody else out. */

const { createHash } = require("node:crypto");

const SECRET = /^[\w-]{8,64}$/;
const COLOURS = ["Amber", "Azure", "Coral", "Green", "Ivory", "Lilac", "Olive", "Ruby", "Teal"];
const ANIMALS = ["Crane", "Fox", "Gecko", "Heron", "Lynx", "Otter", "Panda", "Raven", "Wren"];

/** Returns key, name and hue of a person; the key says nothing about the secret. */
function personOf(secret) {
  const hash = createHash("sha256").update(secret).digest();
  const name = `${COLOURS[hash[0] % COLOURS.length]} ${ANIMALS[hash[1] % ANIMALS.length]}`;
  return { key: hash.toString("hex", 2, 8), name, hue: (hash.readUInt16LE(8) * 45) % 360 };
}

/** Middleware of a namespace: `socket.data.person`, and a room that has all tabs of the person. */
function identify(socket, next) {
  const { visitor } = socket.handshake.auth;
  if (typeof visitor !== "string" || !SECRET.test(visitor)) return next(new Error("Who are you?"));
  socket.data.person = personOf(visitor);
  socket.join(roomOf(socket.data.person));
  next();
}

/** Returns the room of all tabs of a person. */
const roomOf = ({ key }) => `person:${key}`;

module.exports = { identify, personOf, roomOf };
