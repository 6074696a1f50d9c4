"use strict";

const { createRequire } = require("node:module");
const { leanClass } = require("./engine-socket.js");

/** Result of `loadClasses()`; `undefined` until it is needed. */
let known;

/** The classes of the engine.io that Socket.IO uses; `null` where it cannot be found, as in a bundle. */
function loadClasses() {
  try {
    const fromHere = createRequire(__filename);
    const { Server, Socket, transports } = createRequire(fromHere.resolve("socket.io"))(
      "engine.io",
    );
    return { Server, EngineSocket: leanClass(Socket, transports.websocket), Socket };
  } catch {
    return null;
  }
}

/**
 * Returns the class of lean sockets for a server, and the one behind it.
 *
 * @param {import("engine.io").Server} engine
 * @returns {{ EngineSocket: Function, Socket: Function } | null} `null` for servers of another engine.io
 *   than Socket.IO's
 */
function classesFor(engine) {
  if (known === undefined) known = loadClasses();
  return known !== null && engine instanceof known.Server ? known : null;
}

module.exports = { classesFor };
