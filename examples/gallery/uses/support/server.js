/**
 * A support desk. Each customer has a private room; agents have a namespace of their own, behind a
 * middleware that asks for the pass phrase, and enter the room of the customer whom they help.
 */

const { demand, handle, shape, text } = require("../../input.js");
const { identify } = require("../../people.js");

const [PASS_PHRASE, KEPT, OPEN] = ["open sesame", 40, 100];
const ROBOT = ["Hello! Ask me anything.", "Have you tried it again?", "I see. And then?"];

module.exports = (customers, { io }) => {
  const tickets = new Map();
  const room = (key) => `ticket:${key}`;
  const list = () => [...tickets.values()].map(({ person }) => person);
  const agents = io.of("/support-agents").use(identify);
  agents.use(({ handshake: { auth } }, next) => {
    next(auth.passPhrase === PASS_PHRASE ? undefined : new Error("That is not the pass phrase"));
  });
  /** Sends a message to both sides, each of which is a namespace with the same room. */
  function send(key, from, body) {
    const ticket = tickets.get(key);
    demand(ticket, "That ticket is closed");
    ticket.messages = [...ticket.messages, { from, body }].slice(-KEPT);
    for (const side of [customers, agents]) side.to(room(key)).emit("message", { from, body });
  }
  function open(person) {
    if (tickets.has(person.key)) return;
    if (tickets.size >= OPEN) tickets.delete(tickets.keys().next().value);
    tickets.set(person.key, { person, messages: [] });
    send(person.key, "Robot", ROBOT[0]);
  }

  customers.on("connection", (socket) => {
    const { key, name } = socket.data.person;
    open(socket.data.person);
    socket.join(room(key));
    socket.emit("messages", tickets.get(key).messages);
    agents.emit("tickets", list());
    handle(socket, "message", 3, text(200), (body) => {
      send(key, name, body);
      if (agents.sockets.size === 0) send(key, "Robot", ROBOT[1 + (body.length % 2)]);
    });
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
    const reply = { key: text(40), body: text(200) };
    handle(socket, "reply", 3, shape(reply), ({ key, body }) => send(key, `${name} (agent)`, body));
  });
};
