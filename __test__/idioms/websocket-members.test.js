"use strict";

/** Programs that use the WebSocket of a connection: `conn.transport.socket` of Socket.IO. */

const { WEBSOCKET_ENDINGS } = require("../support/members/endings.js");
const { testPrograms } = require("../support/members/programs.js");

testPrograms("a WebSocket that ends", WEBSOCKET_ENDINGS);
