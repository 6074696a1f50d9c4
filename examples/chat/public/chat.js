/** The page: connects the events of the connection and of the user with the views. */

import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { Conversations } from "./conversations.js";
import { byId } from "./dom.js";
import { pageId, randomId } from "./identity.js";
import { Log } from "./log.js";
import { Outbox } from "./outbox.js";
import { Panels } from "./panels.js";
import { setUpStaff } from "./staff.js";
import * as view from "./view.js";

/** "Is writing" is shown for this time after the last such event, in milliseconds. */
const TYPING_HOLD = 4000;

const conversations = new Conversations();
const state = { name: "", rooms: [], conversations, current: undefined };
let limits = { image: 0, text: 0, fileName: 0 };
const typingTimers = new Map();

const connection = new Connection(onState);
const { socket } = connection;
const outbox = new Outbox(socket, onAnswer);
const panels = new Panels();
const log = new Log({ isMine: (name) => name === state.name, onRetry: retry });
const composer = new Composer({ onText: sendText, onImage: sendImage, onTyping: sendTyping });
setUpStaff(socket.io);

byId("name").value = sessionStorage.getItem("name") ?? "";
if (matchMedia("(hover: hover)").matches) byId("name").focus();
byId("entrance-form").addEventListener("submit", (event) => {
  event.preventDefault();
  connection.enter({ name: byId("name").value, page: pageId() });
});
byId("room-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = roomName(byId("room-name").value);
  byId("room-name").value = "";
  if (await openRoom(name)) panels.close();
});
byId("leave").addEventListener("click", () => close(state.current));
byId("take-over").addEventListener("click", () => connection.enter(connection.auth));
byId("announcement-close").addEventListener("click", () => {
  byId("announcement").hidden = true;
});

/** Draws everything except the log from the state. */
function render() {
  view.render(state, open);
}

/**
 * @param {"room" | "private"} kind
 * @param {string} name of the room or of the person
 */
function open(kind, name) {
  if (kind === "room") openRoom(name);
  else show(conversations.open(kind, name));
  panels.close();
}

/**
 * @param {string} value as typed by the user
 * @returns {string} the room's name as the server spells it
 */
function roomName(value) {
  return value.normalize("NFC").trim().toLowerCase().replace(/\s+/g, "-");
}

/**
 * Shows a room, and joins it if the page is not in it yet. Offline, it is joined later.
 *
 * @param {string} name
 * @returns {Promise<boolean>} false if the server refused
 */
async function openRoom(name) {
  byId("room-error").textContent = "";
  const isOpen = conversations.find("room", name) !== undefined;
  const conversation = conversations.open("room", name);
  show(conversation);
  return isOpen || !socket.connected || join(conversation);
}

/** @param {import("./conversations.js").Conversation | undefined} conversation to show */
function show(conversation) {
  if (state.current) state.current.draft = composer.draft;
  state.current = conversation;
  if (conversation) conversation.unread = 0;
  log.show(conversation);
  composer.show(conversation);
  render();
  composer.focus();
}

/** @param {import("./conversations.js").Conversation} conversation to leave */
function close(conversation) {
  const isJoined = conversation.kind === "room" && socket.connected;
  if (isJoined) socket.emit("leave", conversation.destination);
  conversations.close(conversation);
  if (conversation === state.current) {
    state.current = undefined;
    show(conversations.of("room")[0] ?? conversations.of("private")[0]);
  }
}

/** @param {string} text */
function sendText(text) {
  post(state.current, { text });
}

/** @param {File} file */
async function sendImage(file) {
  const conversation = state.current;
  if (file.size > limits.image) {
    const limit = limits.image / 1024 / 1024;
    return composer.showError(`${file.name} is larger than ${limit} MiB`);
  }
  composer.showError("");
  const name = file.name.slice(-limits.fileName) || "image";
  post(conversation, { image: { name, type: file.type, data: await file.arrayBuffer() } });
}

/**
 * Shows a message at once, and sends it as soon as possible.
 *
 * @param {import("./conversations.js").Conversation} conversation
 * @param {object} content a text or an image
 */
function post(conversation, content) {
  const packet = { id: randomId(), ...conversation.destination, ...content };
  const message = keep({ ...packet, from: state.name, at: Date.now() }, "pending");
  message.packet = packet;
  add(conversation, message);
  outbox.send(packet);
}

/** @param {string} id of a message that failed */
function retry(id) {
  const message = state.current.find(id);
  Object.assign(message, { state: "pending", error: undefined });
  log.update(message);
  outbox.send(message.packet);
}

/** @param {boolean} typing true if the user is writing */
function sendTyping(typing) {
  // Volatile: if it cannot be sent now, it is not worth sending later.
  socket.volatile.emit("typing", { ...state.current.destination, typing });
}

/** @param {import("./connection.js").State} now */
function onState(now) {
  if (now.status === "refused") {
    view.showScreen("entrance");
    byId("name").focus();
  }
  const isTrying = now.status === "connecting" && now.attempt > 0;
  byId("entrance-error").textContent =
    now.error || (isTrying ? "The server cannot be reached" : "");
  view.renderConnection(now);
}

socket.on("welcome", ({ name, rooms, limits: given }) => {
  Object.assign(state, { name, rooms });
  limits = given;
  composer.limitText(limits.text);
  sessionStorage.setItem("name", name);
  view.renderMe(name);
  view.showScreen("chat");
  if (everyConversation().length === 0) show(conversations.open("room", rooms[0]));
  for (const conversation of conversations.of("room")) join(conversation);
  outbox.flush();
});

socket.on("disconnect", () => {
  for (const conversation of everyConversation()) {
    for (const name of conversation.typing) setTyping(conversation, name, false);
  }
});

socket.on("rooms", (rooms) => {
  state.rooms = rooms;
  render();
});

socket.on("joined", ({ room, name }) => {
  conversations.find("room", room)?.people.add(name);
  render();
});

socket.on("left", ({ room, name }) => {
  const conversation = conversations.find("room", room);
  conversation?.people.delete(name);
  conversation?.typing.delete(name);
  render();
});

socket.on("typing", ({ from, room, typing }) => {
  const conversation = room
    ? conversations.find("room", room)
    : conversations.find("private", from);
  if (conversation) setTyping(conversation, from, typing);
});

socket.on("message", (message, ack) => {
  const conversation = message.room
    ? conversations.find("room", message.room)
    : conversations.open("private", message.from);
  if (!conversation) return;
  setTyping(conversation, message.from, false);
  if (receive(conversation, message)) tell(conversation, message);
  ack?.();
});

socket.on("announcement", ({ text }) => view.showAnnouncement(text));

/**
 * Joins a room, and again after each reconnection, and adds the messages sent since.
 *
 * @param {import("./conversations.js").Conversation} conversation
 * @returns {Promise<boolean>} false if the server refused
 */
function join(conversation) {
  const request = { room: conversation.name, after: conversation.lastDelivered() };
  return new Promise((resolve) => {
    // Handle it at once, not after a promise: the same payload may contain further messages.
    socket.emit("join", request, (answer) => resolve(takeIn(conversation, answer)));
  });
}

/**
 * @param {import("./conversations.js").Conversation} conversation
 * @param {{ ok: boolean, error?: string, people?: string[], messages?: object[] }} answer
 * @returns {boolean} true if the page is in the room
 */
function takeIn(conversation, { ok, error, people, messages }) {
  if (conversations.find("room", conversation.name) !== conversation) return ok;
  if (!ok) {
    byId("room-error").textContent = error;
    close(conversation);
    return false;
  }
  conversation.people = new Set(people);
  for (const message of messages) {
    if (!receive(conversation, message)) settle(conversation, message.id, message);
  }
  render();
  return true;
}

/**
 * @param {string} id of a message
 * @param {{ ok: boolean, error?: string, at?: number }} answer the server's
 */
function onAnswer(id, { ok, error, at }) {
  for (const conversation of everyConversation()) {
    if (conversation.find(id)) settle(conversation, id, { error: ok ? undefined : error, at });
  }
}

/** @returns {import("./conversations.js").Conversation[]} */
function everyConversation() {
  return [...conversations.of("room"), ...conversations.of("private")];
}

/**
 * @param {object} message as sent by the server
 * @param {"pending" | "delivered"} state
 * @returns {import("./conversations.js").Message} as stored by the page: the bytes of an image are behind a blob URL
 */
function keep({ id, from, at, text, image }, state) {
  const message = { id, from, at, text, state };
  if (image) {
    const url = URL.createObjectURL(new Blob([image.data], { type: image.type }));
    message.image = { name: image.name, url };
  }
  return message;
}

/**
 * @param {import("./conversations.js").Conversation} conversation
 * @param {object} message from the server
 * @returns {boolean} true if it is new
 */
function receive(conversation, message) {
  if (conversation.find(message.id)) return false;
  add(conversation, keep(message, "delivered"));
  return true;
}

/**
 * @param {import("./conversations.js").Conversation} conversation
 * @param {import("./conversations.js").Message} message
 */
function add(conversation, message) {
  conversation.add(message);
  if (conversation === state.current) log.add(message);
  else conversation.unread += 1;
  render();
}

/**
 * Stores the outcome of sending a message.
 *
 * @param {import("./conversations.js").Conversation} conversation
 * @param {string} id
 * @param {{ error?: string, at?: number }} outcome
 */
function settle(conversation, id, { error, at }) {
  const message = conversation.find(id);
  Object.assign(message, { state: error ? "failed" : "delivered", error, at: at ?? message.at });
  if (message.state === "delivered") message.packet = undefined;
  if (conversation === state.current) log.update(message);
}

/**
 * Announces a received message to screen readers.
 *
 * @param {import("./conversations.js").Conversation} conversation
 * @param {object} message
 */
function tell(conversation, { from, text, image }) {
  const what = text ?? `image ${image.name}`;
  const where = conversation.kind === "room" ? ` in ${conversation.name}` : "";
  view.announce(
    conversation === state.current ? `${from}: ${what}` : `Message from ${from}${where}`,
  );
}

/**
 * @param {import("./conversations.js").Conversation} conversation
 * @param {string} name of the person who is writing or has stopped
 * @param {boolean} isTyping
 */
function setTyping(conversation, name, isTyping) {
  const key = `${conversation.key} ${name}`;
  clearTimeout(typingTimers.get(key));
  typingTimers.delete(key);
  if (isTyping) {
    conversation.typing.add(name);
    typingTimers.set(
      key,
      setTimeout(() => setTyping(conversation, name, false), TYPING_HOLD),
    );
  } else {
    conversation.typing.delete(name);
  }
  render();
}
