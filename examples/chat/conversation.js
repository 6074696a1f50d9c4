const { answer } = require("./answer.js");
const input = require("./input.js");
const { People } = require("./people.js");
const { Rooms } = require("./rooms.js");

const { InputError } = input;

/** How many rooms one person may be in. */
const JOINED_LIMIT = 8;

/** How long the page of a private message's recipient has to acknowledge it, in milliseconds. */
const DELIVERY_TIMEOUT = 10_000;

// Every socket is in a Socket.IO room named by its own id, so a chat room must never be able to
// have such a name: whoever joined it would read along.
const PREFIX = "room:";

/**
 * Serves the main namespace: rooms, private messages, typing, and who is there.
 *
 * @param {import("socket.io").Namespace} namespace
 */
function serveConversation(namespace) {
  const rooms = new Rooms();
  const people = new People();

  namespace.use((socket, next) => {
    try {
      socket.data.name = input.parseName(socket.handshake.auth.name);
      socket.data.page = input.parseId(socket.handshake.auth.page);
      people.check(socket.data);
      next();
    } catch (error) {
      next(error);
    }
  });

  namespace.adapter.on("delete-room", (key) => {
    if (key.startsWith(PREFIX) && rooms.close(key.slice(PREFIX.length))) {
      namespace.emit("rooms", rooms.names());
    }
  });

  namespace.on("connection", (socket) => {
    try {
      people.add(socket);
    } catch {
      // Two pages asked for one name at the same moment.
      socket.disconnect(true);
      return;
    }
    serveSocket(socket, { namespace, rooms, people });
  });
}

/**
 * @param {import("socket.io").Socket} socket
 * @param {{ namespace: import("socket.io").Namespace, rooms: Rooms, people: People }} chat
 */
function serveSocket(socket, chat) {
  const { rooms, people } = chat;
  const { name } = socket.data;

  socket.emit("welcome", {
    name,
    rooms: rooms.names(),
    limits: {
      image: input.IMAGE_LIMIT,
      text: input.TEXT_LIMIT,
      fileName: input.FILE_NAME_LIMIT,
    },
  });

  answer(socket, "join", (value) => {
    const { room, after } = input.parseObject(value);
    return joinRoom(socket, chat, input.parseRoom(room), after);
  });

  answer(socket, "leave", (value) => {
    const room = input.parseRoom(input.parseObject(value).room);
    if (!socket.rooms.has(PREFIX + room)) return;
    socket.to(PREFIX + room).emit("left", { room, name });
    socket.leave(PREFIX + room);
  });

  answer(socket, "message", (value) => {
    const message = { ...input.parseMessage(value), from: name, at: Date.now() };
    return message.room ? sendToRoom(socket, chat, message) : sendToPerson(chat, message);
  });

  answer(socket, "typing", (value) => {
    const { room, to } = input.parseDestination(value);
    const typing = { from: name, room, typing: value.typing === true };
    if (to) people.find(to)?.volatile.emit("typing", typing);
    else if (socket.rooms.has(PREFIX + room)) {
      socket.to(PREFIX + room).volatile.emit("typing", typing);
    }
  });

  socket.on("disconnecting", () => {
    for (const key of socket.rooms) {
      if (key.startsWith(PREFIX)) {
        socket.to(key).emit("left", { room: key.slice(PREFIX.length), name });
      }
    }
  });

  socket.on("disconnect", () => people.remove(socket));
}

/**
 * @param {import("socket.io").Socket} socket
 * @param {{ namespace: import("socket.io").Namespace, rooms: Rooms }} chat
 * @param {string} room
 * @param {unknown} after the last message that the page has of this room
 * @returns {{ room: string, people: string[], messages: object[] }}
 */
function joinRoom(socket, { namespace, rooms }, room, after) {
  const key = PREFIX + room;
  if (!socket.rooms.has(key)) {
    // One of them is the socket's own.
    if (socket.rooms.size > JOINED_LIMIT) {
      throw new InputError(`You are in ${JOINED_LIMIT} rooms; leave one first`);
    }
    const isNew = rooms.open(room);
    socket.join(key);
    socket.to(key).emit("joined", { room, name: socket.data.name });
    if (isNew) namespace.emit("rooms", rooms.names());
  }
  return { room, people: namesIn(namespace, key), messages: rooms.history(room).after(after) };
}

/**
 * @param {import("socket.io").Namespace} namespace
 * @param {string} key
 * @returns {string[]} the names of those in a Socket.IO room
 */
function namesIn(namespace, key) {
  const ids = namespace.adapter.rooms.get(key) ?? [];
  return [...ids].map((id) => namespace.sockets.get(id)?.data.name).filter(Boolean);
}

/**
 * Keeps the message and passes it on. A page that lost its connection before it saw the
 * acknowledgement sends the message again under the same id, and the others see it once.
 *
 * @param {import("socket.io").Socket} socket
 * @param {{ rooms: Rooms }} chat
 * @param {object} message
 * @returns {{ at: number }} when it was sent, in milliseconds since the epoch
 */
function sendToRoom(socket, { rooms }, message) {
  const key = PREFIX + message.room;
  if (!socket.rooms.has(key)) throw new InputError(`You are not in ${message.room}`);
  const history = rooms.history(message.room);
  const known = history.find(message.id);
  if (known && known.from !== message.from) throw new InputError("The id is in use");
  if (!known) {
    history.add(message);
    socket.to(key).emit("message", message);
  }
  return { at: (known ?? message).at };
}

/**
 * Passes a private message on. It is delivered when the recipient's page has said so, and the
 * server does not keep it.
 *
 * @param {{ people: People }} chat
 * @param {object} message
 * @returns {Promise<{ at: number }>} when it was sent, in milliseconds since the epoch
 */
async function sendToPerson({ people }, message) {
  const recipient = people.find(message.to);
  if (!recipient) throw new InputError(`${message.to} is not here`);
  if (recipient.data.name === message.from) throw new InputError("That is you");
  try {
    await recipient.timeout(DELIVERY_TIMEOUT).emitWithAck("message", message);
  } catch {
    throw new InputError(`${message.to} did not answer`);
  }
  return { at: message.at };
}

module.exports = { serveConversation };
