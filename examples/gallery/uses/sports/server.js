"use strict";

/**
 * Scores. Every event of a match has a number, and the page says with its `auth` which one it has
 * last: it gets what came since, also after hours, when recovery by Socket.IO is over.
 */

const { handle, oneOf, shape } = require("../../input.js");

const MATCHES = [
  ["Otters", "Herons"],
  ["Lynxes", "Gulls"],
  ["Badgers", "Foxes"],
];
const [KEPT, GOAL] = [200, 0.25];
const PLAYS = ["Corner", "Offside", "Free kick", "Shot wide", "Great save", "Throw-in"];
const pick = (values) => values[Math.floor(Math.random() * values.length)];

module.exports = (sports, { every }) => {
  const matches = MATCHES.map((teams) => ({ teams, score: [0, 0], minute: 0, cheers: [0, 0] }));
  let events = [];
  let lastId = 0;
  let hasCheers = false;

  function play() {
    const index = Math.floor(Math.random() * matches.length);
    const match = matches[index];
    match.minute += 1 + Math.floor(Math.random() * 3);
    if (match.minute > 90) Object.assign(match, { score: [0, 0], minute: 1, cheers: [0, 0] });
    const team = Math.random() < 0.5 ? 0 : 1;
    const isGoal = Math.random() < GOAL;
    if (isGoal) match.score[team]++;
    const what = `${isGoal ? "Goal" : pick(PLAYS)}: ${match.teams[team]}`;
    const { minute, score } = match;
    events.push({ id: ++lastId, match: index, minute, score: [...score], isGoal, text: what });
    events = events.slice(-KEPT);
    sports.emit("events", events.slice(-1));
  }
  for (let count = 0; count < 12; count++) play();

  const cheers = () => matches.map((match) => match.cheers);

  sports.on("connection", (socket) => {
    socket.emit("matches", MATCHES);
    socket.emit("cheers", cheers());
    const { offset } = socket.handshake.auth;
    const known = Number.isInteger(offset) && offset <= lastId ? offset : 0;
    // A recovered socket gets them anyway.
    if (!socket.recovered)
      socket.emit(
        "events",
        events.filter(({ id }) => id > known),
      );

    const cheer = shape({ match: oneOf([0, 1, 2]), team: oneOf([0, 1]) });
    handle(socket, "cheer", 10, cheer, ({ match, team }) => {
      matches[match].cheers[team]++;
      hasCheers = true;
    });
  });

  every(1500, play);
  every(100, () => {
    if (hasCheers) sports.emit("cheers", cheers());
    hasCheers = false;
  });
};
