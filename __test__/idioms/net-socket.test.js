"use strict";

/** Programs that use the `net.Socket` of a connection: `socket.request.socket`, `ws._socket`. */

const { NET_SOCKET_ENDINGS } = require("../support/members/endings.js");
const { NET_SOCKET } = require("../support/members/net-socket.js");
const { testPrograms } = require("../support/members/programs.js");

testPrograms("the net.Socket of a connection", NET_SOCKET);
testPrograms("the net.Socket of a connection that ends", NET_SOCKET_ENDINGS);
