"use strict";

/**
 * A poll. Votes are counted once: a page sends a vote again until it is acknowledged, and the
 * server keeps one vote for each person. Results go out ten times a second at most, however many
 * votes come.
 */

const { handle, oneOf, integer, shape } = require("../../input.js");
const { roomOf } = require("../../people.js");

const POLLS = [
  ["Tabs or spaces?", ["Tabs", "Spaces", "Both", "What?"]],
  ["Best time to deploy?", ["Monday", "Friday", "Always", "Never"]],
  ["Where do bugs live?", ["Cache", "Clock", "Names", "Off by one"]],
];
const [CROWD, LIMIT] = [400, 10_000];

module.exports = (polls, { every }) => {
  let round = 0;
  let votes = new Map();
  let crowd = [];
  let last = null;
  let isChanged = false;

  function open() {
    round++;
    votes = new Map();
    crowd = [0, 0, 0, 0];
    last = null;
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
    const vote = shape({ round: integer(1, Number.MAX_SAFE_INTEGER), option: oneOf([0, 1, 2, 3]) });
    handle(socket, "vote", 5, vote, ({ round: wanted, option }) => {
      if (wanted !== round || votes.size >= LIMIT) return { isLate: true };
      votes.set(person.key, option);
      last = { name: person.name, hue: person.hue, option };
      isChanged = true;
      // All tabs of the person.
      polls.to(roomOf(person)).emit("voted", option);
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
