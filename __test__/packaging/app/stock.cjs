"use strict";

/** The conversation with the official packages alone: the oracle of surroundings. */

const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const { converse } = require("./conversation.cjs");

const stock = Object.assign(() => ({}), {
  native: false,
  stats: () => ({ connections: { opened: 0 } }),
});
converse({ Server, connect, turbo: stock });
