/**
 * Scores. Every event of a match has a number, and the page says with its `auth` which one it has
 * last: it gets what came since, also after hours, when recovery by Socket.IO is over.
 */

const { handle, oneOf, shape } = require("../../input.js");

const TEAMS = ["Otters,Herons", "Lynxes,Gulls", "Badgers,Foxes"].map((each) => each.split(","));
const PLAYS = ["Corner", "Offside", "Free kick", "Shot wide", "Great save", "Throw-in", "Goal"];
const KEPT = 200;
const random = (limit) => Math.floor(Math.random() * limit);

module.exports = (sports, { every }) => {
  const kickOff = () => ({ score: [0, 0], minute: 0, cheers: [0, 0] });
  const matches = TEAMS.map(kickOff);
  let events = [];
  let hasCheers = false;

  function play() {
    const [index, team, what] = [random(TEAMS.length), random(2), PLAYS[random(PLAYS.length)]];
    const match = matches[index];
    if (match.minute > 87) Object.assign(match, kickOff());
    match.minute += 1 + random(3);
    if (what === "Goal") match.score[team]++;
    const { minute, score } = match;
    const text = `${minute}′ ${what}: ${TEAMS[index][team]}`;
    const id = (events.at(-1)?.id ?? 0) + 1;
    events = [...events, { id, match: index, minute, score: [...score], text }].slice(-KEPT);
    sports.emit("events", events.slice(-1));
  }
  for (let count = 0; count < 12; count++) play();
  const cheers = () => matches.map((match) => match.cheers);

  sports.on("connection", (socket) => {
    const { serverOffset: offset } = socket.handshake.auth;
    const known = offset <= events.at(-1).id ? offset : 0;
    socket.emit("matches", TEAMS);
    socket.emit("cheers", cheers());
    const missed = events.filter(({ id }) => id > known);
    // A recovered socket has got them already.
    if (!socket.recovered) socket.emit("events", missed);

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
