/**
 * A poll. Votes are counted once: a page sends a vote again until it is acknowledged, and the server
 * keeps one for each person. Results go out ten times a second at most, however many votes come.
 */

const { demand, handle, id, oneOf, shape } = require("../../input.js");
const { roomOf } = require("../../people.js");

const POLLS = [
  ["Tabs or spaces?", ["Tabs", "Spaces", "Both", "What?"]],
  ["Best time to deploy?", ["Monday", "Friday", "Always", "Never"]],
  ["Where do bugs live?", ["Cache", "Clock", "Names", "Off by one"]],
];
const [CROWD, LIMIT] = [2000, 10_000];

module.exports = (polls, { every }) => {
  let round = 0;
  let [votes, crowd, last, isChanged] = [];

  function open() {
    round++;
    [votes, crowd, last, isChanged] = [new Map(), [0, 0, 0, 0], null, false];
    polls.emit("poll", poll());
  }
  function poll() {
    const [question, options] = POLLS[round % POLLS.length];
    return { round, question, options, ...results() };
  }
  function results() {
    const counts = [...crowd];
    for (const option of votes.values()) counts[option]++;
    return { counts, last };
  }
  open();

  polls.on("connection", (socket) => {
    const { person } = socket.data;
    socket.emit("poll", poll());
    socket.emit("voted", votes.get(person.key) ?? null);
    handle(socket, "vote", 5, shape({ round: id, option: oneOf([0, 1, 2, 3]) }), (vote) => {
      demand(vote.round === round && votes.size < LIMIT, "This poll is over");
      votes.set(person.key, vote.option);
      last = { name: person.name, option: vote.option };
      isChanged = true;
      polls.to(roomOf(person)).emit("voted", vote.option);
    });
  });

  every(100, () => {
    if (isChanged) polls.emit("results", results());
    isChanged = false;
  });
  every(300, () => {
    crowd[Math.floor(4 * Math.random() ** 1.5)]++;
    isChanged = true;
    if (crowd.reduce((sum, each) => sum + each) >= CROWD) open();
  });
};
