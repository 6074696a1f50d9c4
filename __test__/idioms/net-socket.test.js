"use strict";

/** Programs that use the `net.Socket` of a connection: `socket.request.socket`, `ws._socket`. */

const { NET_SOCKET_ENDINGS } = require("./members/endings.js");
const { NET_SOCKET } = require("./members/net-socket.js");
const { testPrograms } = require("./members/programs.js");

testPrograms("the net.Socket of a connection", NET_SOCKET);
testPrograms("the net.Socket of a connection that ends", NET_SOCKET_ENDINGS);
