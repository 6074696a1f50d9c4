"use strict";

const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const { turbo } = require("socket.io-turbo");
const { converse } = require("./conversation.cjs");

converse({ Server, connect, turbo });
