"use strict";

/**
 * The fifteen uses: what carries each, in three lines. Figures are those of the benchmark report,
 * with stock Socket.IO as the other figure.
 */

const facts = require("./facts.js");

/**
 * @typedef {object} Use
 * @property {string} name of its folder and its namespace
 * @property {string} title
 * @property {string} feature of Socket.IO that carries it
 * @property {string[]} lines three, as HTML
 * @property {string[]} files that `/source/NAME` shows
 */

const TEXTS = {
  game: [
    "Game",
    "volatile binary broadcasts",
    "The server owns the arena: players only send where they want to go.",
    "20 times a second <code>volatile.emit()</code> sends one binary frame; who cannot keep up skips frames instead of lagging behind.",
    `A broadcast to 1,000 players blocks the event loop for ${facts.broadcast}.`,
  ],
  auction: [
    "Auction",
    "acknowledgements",
    "A bid is an event with an acknowledgement: the server decides which bid is the highest, and tells each bidder at once.",
    "A bid in the last seconds extends the time, and a lost connection costs no bid: the answer says whether it counted.",
    `An event with its acknowledgement takes ${facts.ack} of the event loop.`,
  ],
};

/** @type {Use[]} */
const USES = Object.entries(TEXTS).map(([name, [title, feature, ...lines]]) => ({
  name,
  title,
  feature,
  lines,
  files: [`uses/${name}/server.js`, `uses/${name}/client.js`],
}));

module.exports = { USES };
