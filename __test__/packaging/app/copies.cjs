"use strict";

/**
 * Three copies of the package talk in one process at the same time: the installed one, one with an
 * addon of its own, and one that shares the addon of the first.
 */

const assert = require("node:assert/strict");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const { converse } = require("./conversation.cjs");

const copies = [".", "./with-addon", "./without-addon"].map(
  (folder) => require(`${folder}/node_modules/socket.io-turbo`).turbo,
);
assert.equal(new Set(copies).size, 3);
for (const turbo of copies) converse({ Server, connect, turbo });
