"use strict";

/**
 * A support desk. Each customer has a private room; agents have a namespace of their own, behind a
 * middleware that asks for the pass phrase, and enter the room of the customer whom they help.
 */

const { demand, handle, nothing, shape, text } = require("../../input.js");
const { identify } = require("../../people.js");

const [PASS_PHRASE, KEPT, OPEN] = ["open sesame", 40, 100];
const HELLO = { from: "Robot", body: "Hello! Ask me anything. An agent may join us." };
const REPLIES = ["Have you tried it a second time?", "I see. And then?", "That is a feature."];

module.exports = (customers, { io }) => {
  const tickets = new Map();
  const agents = io
    .of("/support-agents")
    .use(identify)
    .use((socket, next) => {
      const isAgent = socket.handshake.auth.passPhrase === PASS_PHRASE;
      next(isAgent ? undefined : new Error("That is not the pass phrase"));
    });
  const room = (key) => `ticket:${key}`;
  const list = () =>
    [...tickets].map(([key, { person }]) => ({ key, name: person.name, hue: person.hue }));

  function open(person) {
    if (!tickets.has(person.key)) {
      if (tickets.size >= OPEN) tickets.delete(tickets.keys().next().value);
      tickets.set(person.key, { person, messages: [HELLO] });
    }
    return tickets.get(person.key);
  }
  function send(key, message) {
    const ticket = tickets.get(key);
    demand(ticket, "That ticket is closed");
    ticket.messages = [...ticket.messages, message].slice(-KEPT);
    for (const side of [customers, agents]) side.to(room(key)).emit("message", message);
  }
  /** Says to the other side that somebody writes: if that is lost, it does not matter. */
  const tellTyping = (side, key, name) => side.to(room(key)).volatile.emit("typing", name);

  customers.on("connection", (socket) => {
    const { person } = socket.data;
    socket.join(room(person.key));
    socket.emit("messages", open(person).messages);
    agents.emit("tickets", list());
    handle(socket, "message", 3, text(200), (body) => {
      const { messages } = open(person);
      send(person.key, { from: person.name, body });
      if (agents.sockets.size > 0) return;
      send(person.key, { from: "Robot", body: REPLIES[messages.length % REPLIES.length] });
    });
    handle(socket, "typing", 5, nothing, () => tellTyping(agents, person.key, person.name));
  });

  agents.on("connection", (socket) => {
    const { name } = socket.data.person;
    socket.emit("tickets", list());
    handle(socket, "open", 5, text(40), (key) => {
      demand(tickets.has(key), "That ticket is closed");
      for (const each of socket.rooms) if (each.startsWith("ticket:")) socket.leave(each);
      socket.join(room(key));
      return { messages: tickets.get(key).messages };
    });
    const reply = shape({ key: text(40), body: text(200) });
    handle(socket, "reply", 3, reply, ({ key, body }) =>
      send(key, { from: `${name} (agent)`, body }),
    );
    handle(socket, "typing", 5, text(40), (key) => tellTyping(customers, key, name));
  });
};
