"use strict";

/**
 * Webinars. Each talk has a namespace that comes into being when the first listener connects:
 * `/webinar/NAME`, for names that exist. Its listeners share slides, reactions and questions.
 */

const { demand, handle, integer, oneOf, text } = require("../../input.js");
const { identify } = require("../../people.js");

const [SLIDE, KEPT, REACTIONS] = [5000, 20, ["♥", "★", "▲"]];
const TALKS = {
  rooms: [
    "Rooms",
    "A room is a set of sockets",
    "join() and leave()",
    "to(room).emit()",
    "Thank you!",
  ],
  acks: ["Acks", "An answer to an event", "emitWithAck()", "timeout(1000)", "Questions?"],
  scale: ["Scale", "One process, many sockets", "Many processes: Redis", "The end"],
};

module.exports = (lobby, { io, every }) => {
  const talks = new Map(
    Object.entries(TALKS).map(([name, slides]) => [
      name,
      { name, slides, slide: 0, questions: [] },
    ]),
  );
  const nameOf = (namespace) => namespace.split("/").at(-1);
  const isTalk = (name) => /^\/webinar\/\w+$/.test(name) && talks.has(nameOf(name));
  const view = ({ slides, slide, questions }) => ({
    text: slides[slide],
    slide: slide + 1,
    slides: slides.length,
    questions: questions.map(({ votes, ...rest }) => ({ ...rest, votes: votes.size })),
  });

  const parent = io.of((name, _auth, next) => next(null, isTalk(name))).use(identify);
  parent.on("connection", (socket) => {
    const { nsp } = socket;
    const talk = talks.get(nameOf(nsp.name));
    const { person } = socket.data;
    talk.nsp = nsp;
    const count = () => nsp.emit("listeners", nsp.sockets.size);
    socket.emit("talk", view(talk));
    count();
    socket.on("disconnect", count);
    handle(
      socket,
      "react",
      10,
      oneOf(REACTIONS),
      (sign) => nsp.volatile.emit("reaction", sign) && {},
    );
    handle(socket, "ask", 1, text(80), (body) => {
      const id = (talk.questions.at(-1)?.id ?? 0) + 1;
      const question = { id, body, name: person.name, votes: new Set([person.key]) };
      talk.questions = [...talk.questions, question].slice(-KEPT);
      nsp.emit("talk", view(talk));
    });
    handle(socket, "vote", 5, integer(1, Number.MAX_SAFE_INTEGER), (id) => {
      const question = talk.questions.find((each) => each.id === id);
      demand(question, "That question is answered");
      question.votes.add(person.key);
      nsp.emit("talk", view(talk));
    });
  });

  lobby.on("connection", (socket) => socket.emit("talks", Object.keys(TALKS)));
  every(SLIDE, () => {
    for (const talk of talks.values()) {
      talk.slide = (talk.slide + 1) % talk.slides.length;
      talk.nsp?.emit("talk", view(talk));
    }
  });
  every(900, () => {
    const sign = REACTIONS[Math.floor(Math.random() * REACTIONS.length)];
    for (const { nsp } of talks.values()) nsp?.volatile.emit("reaction", sign);
  });
};
