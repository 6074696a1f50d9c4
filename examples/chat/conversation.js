const { answer } = require("./answer.js");
const { Cluster } = require("./cluster.js");
const input = require("./input.js");
const { People } = require("./people.js");
const { Rooms } = require("./rooms.js");

const { InputError } = input;

/** The most rooms that one person may be in. */
const JOINED_LIMIT = 8;

// Every socket is in a Socket.IO room named by its own id. A chat room must never get such a name:
// anyone who joined it could read the private messages of that socket.
const PREFIX = "room:";

/**
 * @typedef {object} Chat
 * @property {import("socket.io").Namespace} namespace
 * @property {Rooms} rooms
 * @property {People} people
 * @property {Cluster} cluster
 * @property {number} deliveryTimeout time in which the recipient's page must acknowledge a private
 *   message, in milliseconds
 */

/**
 * Serves the main namespace: rooms, private messages, typing indicators, and the lists of people.
 *
 * @param {import("socket.io").Namespace} namespace
 * @param {object} options
 * @param {boolean} options.isAlone true if there are no other nodes
 * @param {number} options.deliveryTimeout see `Chat`
 * @returns {Cluster} the part that shares state with other nodes
 */
function serveConversation(namespace, { isAlone, deliveryTimeout }) {
  const rooms = new Rooms();
  const people = new People(namespace);
  const cluster = new Cluster(namespace, rooms, {
    isAlone,
    here: () => peopleHere(namespace),
    tell: (room, event, value) => namespace.local.to(PREFIX + room).emit(event, value),
  });

  namespace.use(async (socket, next) => {
    try {
      socket.data.name = input.parseName(socket.handshake.auth.name);
      socket.data.page = input.parseId(socket.handshake.auth.page);
      await people.check(socket.data);
      next();
    } catch (error) {
      next(error);
    }
  });

  for (const event of ["join-room", "leave-room"]) {
    namespace.adapter.on(event, (key) => {
      if (key.startsWith(PREFIX)) cluster.share();
    });
  }

  namespace.adapter.on("delete-room", (key) => {
    if (!key.startsWith(PREFIX)) return;
    const room = key.slice(PREFIX.length);
    const isEmpty = cluster.names(room).length === 0;
    if (isEmpty && rooms.close(room)) namespace.local.emit("rooms", rooms.names());
  });

  namespace.on("connection", (socket) => {
    const entrance = people.add(socket);
    // Events of the page wait until it has its name.
    socket.use((_event, next) =>
      entrance.then(
        () => next(),
        () => {},
      ),
    );
    serveSocket(socket, { namespace, rooms, people, cluster, deliveryTimeout });
    entrance.then(
      () => welcome(socket, rooms),
      // Another page asked for the same name at the same moment.
      () => socket.disconnect(true),
    );
  });

  return cluster;
}

/**
 * @param {import("socket.io").Socket} socket
 * @param {Rooms} rooms
 */
function welcome(socket, rooms) {
  socket.emit("welcome", {
    name: socket.data.name,
    rooms: rooms.names(),
    limits: {
      image: input.IMAGE_LIMIT,
      text: input.TEXT_LIMIT,
      fileName: input.FILE_NAME_LIMIT,
    },
  });
}

/**
 * @param {import("socket.io").Socket} socket
 * @param {Chat} chat
 */
function serveSocket(socket, chat) {
  const { namespace, people } = chat;
  const { name } = socket.data;

  // With connection state recovery a socket comes back to its rooms, and others saw it leave.
  for (const key of socket.rooms) {
    if (key.startsWith(PREFIX)) {
      socket.local.to(key).emit("joined", { room: key.slice(PREFIX.length), name });
    }
  }

  answer(socket, "join", (value) => {
    const { room, after } = input.parseObject(value);
    return joinRoom(socket, chat, input.parseRoom(room), after);
  });

  answer(socket, "leave", (value) => {
    const room = input.parseRoom(input.parseObject(value).room);
    if (!socket.rooms.has(PREFIX + room)) return;
    // Other nodes inform their own pages.
    socket.local.to(PREFIX + room).emit("left", { room, name });
    socket.leave(PREFIX + room);
  });

  answer(socket, "message", (value) => {
    const message = { ...input.parseMessage(value), from: name, at: Date.now() };
    return message.room ? sendToRoom(socket, chat, message) : sendToPerson(chat, message);
  });

  answer(socket, "typing", (value) => {
    const { room, to } = input.parseDestination(value);
    const typing = { from: name, room, typing: value.typing === true };
    if (to) namespace.to(people.room(to)).volatile.emit("typing", typing);
    else if (socket.rooms.has(PREFIX + room)) {
      socket.to(PREFIX + room).volatile.emit("typing", typing);
    }
  });

  socket.on("disconnecting", () => {
    for (const key of socket.rooms) {
      if (key.startsWith(PREFIX)) {
        socket.local.to(key).emit("left", { room: key.slice(PREFIX.length), name });
      }
    }
  });
}

/**
 * @param {import("socket.io").Socket} socket
 * @param {Chat} chat
 * @param {string} room
 * @param {unknown} after the id of the last message of this room that the page has
 * @returns {{ room: string, people: string[], messages: object[] }}
 */
function joinRoom(socket, { namespace, rooms, cluster }, room, after) {
  const key = PREFIX + room;
  if (!socket.rooms.has(key)) {
    const joined = [...socket.rooms].filter((name) => name.startsWith(PREFIX));
    if (joined.length >= JOINED_LIMIT) {
      throw new InputError(`You are in ${JOINED_LIMIT} rooms; leave one first`);
    }
    const isNew = rooms.open(room);
    socket.join(key);
    // Other nodes inform their own pages.
    socket.local.to(key).emit("joined", { room, name: socket.data.name });
    if (isNew) namespace.local.emit("rooms", rooms.names());
  }
  const people = new Set([...namesIn(namespace, key), ...cluster.names(room)]);
  return { room, people: [...people], messages: rooms.history(room).after(after) };
}

/**
 * @param {import("socket.io").Namespace} namespace
 * @returns {Map<string, string[]>} the names of the people in each room, on this node
 */
function peopleHere(namespace) {
  const keys = [...namespace.adapter.rooms.keys()].filter((key) => key.startsWith(PREFIX));
  return new Map(keys.map((key) => [key.slice(PREFIX.length), namesIn(namespace, key)]));
}

/**
 * @param {import("socket.io").Namespace} namespace
 * @param {string} key
 * @returns {string[]} the names of the people in a Socket.IO room, on this node
 */
function namesIn(namespace, key) {
  const ids = namespace.adapter.rooms.get(key) ?? [];
  return [...ids].map((id) => namespace.sockets.get(id)?.data.name).filter(Boolean);
}

/**
 * Stores a message and sends it to the room. A page that loses its connection before the
 * acknowledgement arrives sends the message again with the same id; the others see it once.
 *
 * @param {import("socket.io").Socket} socket
 * @param {Chat} chat
 * @param {object} message
 * @returns {{ at: number }} the time when it was sent, in milliseconds since the epoch
 */
function sendToRoom(socket, { rooms, cluster }, message) {
  const key = PREFIX + message.room;
  if (!socket.rooms.has(key)) throw new InputError(`You are not in ${message.room}`);
  const history = rooms.history(message.room);
  const known = history.find(message.id);
  if (known && known.from !== message.from) throw new InputError("The id is in use");
  if (!known) {
    history.add(message);
    cluster.keep(message);
    socket.to(key).emit("message", message);
  }
  return { at: (known ?? message).at };
}

/**
 * Sends a private message. It counts as delivered when the recipient's page acknowledges it. The
 * server does not store it.
 *
 * @param {Chat} chat
 * @param {object} message
 * @returns {Promise<{ at: number }>} the time when it was sent, in milliseconds since the epoch
 */
async function sendToPerson({ people, deliveryTimeout }, message) {
  const recipient = await people.find(message.to);
  if (!recipient) throw new InputError(`${message.to} is not here`);
  if (recipient.data.name === message.from) throw new InputError("That is you");
  try {
    await recipient.timeout(deliveryTimeout).emitWithAck("message", message);
  } catch {
    throw new InputError(`${message.to} did not answer`);
  }
  return { at: message.at };
}

module.exports = { serveConversation };
