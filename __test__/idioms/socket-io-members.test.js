"use strict";

/** Programs that use engine.io's classes and the adapter of a Socket.IO server. */

const { testPrograms } = require("./members/programs.js");
const {
  ADAPTER,
  ENGINE_SERVER,
  ENGINE_SOCKET,
  ENGINE_TRANSPORT,
  socketIoStage,
} = require("./members/socket-io.js");

testPrograms("an Engine.IO socket", ENGINE_SOCKET, socketIoStage);
testPrograms("an Engine.IO transport", ENGINE_TRANSPORT, socketIoStage);
testPrograms("an Engine.IO server", ENGINE_SERVER, socketIoStage);
testPrograms("an adapter", ADAPTER, socketIoStage);
