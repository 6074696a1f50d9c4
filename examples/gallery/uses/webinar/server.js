/**
 * Webinars. Each talk has a namespace that comes into being when the first listener connects:
 * `/webinar/NAME`, for names that exist. Its listeners share slides, reactions and questions.
 */

const { handle, oneOf, text } = require("../../input.js");
const { identify } = require("../../people.js");

const [KEPT, REACTIONS] = [20, ["♥", "★", "▲"]];
const TALKS = {
  rooms: ["Rooms", "A room is a set of sockets", "to(room).emit()", "Thank you!"],
  acks: ["Acks", "An answer to an event", "emitWithAck()", "timeout(1000)", "Questions?"],
  scale: ["Scale", "One process, many sockets", "Many processes: Redis", "The end"],
};

/** No string at the end: with recovery, clients take a last string for the offset of the event. */
const react = (nsp, sign) => void nsp.volatile.emit("react", { sign });

module.exports = (lobby, { io, every }) => {
  const talks = new Map();
  for (const [name, slides] of Object.entries(TALKS)) {
    talks.set(`/webinar/${name}`, { slides, slide: 0, questions: [] });
  }
  lobby.on("connection", (socket) => socket.emit("talks", Object.keys(TALKS)));

  function send(talk) {
    const { slides, slide, questions } = talk;
    const view = { text: slides[slide], slide: slide + 1, slides: slides.length, questions };
    talk.nsp?.emit("talk", view);
  }

  const parent = io.of((name, _auth, next) => next(null, talks.has(name))).use(identify);
  parent.on("connection", (socket) => {
    const { nsp, data } = socket;
    const talk = Object.assign(talks.get(nsp.name), { nsp });
    const count = () => nsp.emit("listeners", nsp.sockets.size);
    count();
    send(talk);
    socket.on("disconnect", count);

    handle(socket, "react", 10, oneOf(REACTIONS), (sign) => react(nsp, sign));
    handle(socket, "ask", 1, text(80), (body) => {
      const question = { body, name: data.person.name };
      talk.questions = [question, ...talk.questions].slice(0, KEPT);
      send(talk);
    });
  });

  every(900, () => {
    const sign = REACTIONS[Math.floor(Math.random() * REACTIONS.length)];
    for (const { nsp } of talks.values()) if (nsp) react(nsp, sign);
  });
  every(5000, () => {
    for (const talk of talks.values()) {
      talk.slide = (talk.slide + 1) % talk.slides.length;
      send(talk);
    }
  });
};
