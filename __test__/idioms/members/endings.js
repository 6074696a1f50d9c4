"use strict";

/** Programs in which a connection ends: its events, their order and their arguments. */

const { once } = require("node:events");
const { noteEvents } = require("./programs.js");

const EVENTS = ["end", "finish", "error", "close"];

/**
 * Returns the events of both ends, from the call that ends the connection on.
 *
 * @param {object} stage
 * @param {() => void} endIt
 */
async function ending({ client, socket, tcp }, endIt) {
  const notes = noteEvents({ tcp, ws: socket }, EVENTS);
  const remote = noteEvents({ tcp: client._socket, ws: client }, ["error", "close"]);
  const closed = Promise.all([once(socket, "close"), once(client, "close")]);
  endIt();
  const at = { destroyed: tcp.destroyed, readyState: tcp.readyState, webSocket: socket.readyState };
  await closed;
  return {
    notes,
    remote,
    at,
    ended: [tcp.destroyed, tcp.closed, tcp.readyState, tcp.errored?.code, tcp.pending],
    closeFrames: [socket._closeFrameSent, socket._closeFrameReceived],
  };
}

/** @returns {import("./programs.js").Program} */
function endingBy(title, members, end) {
  return { title, members, run: (stage) => ending(stage, () => end(stage)) };
}

/** Members of `net.Socket` that end a connection, and other ends of it. */
const NET_SOCKET_ENDINGS = [
  endingBy("destroy()", ["destroy", "destroyed", "closed"], ({ tcp }) => tcp.destroy()),
  endingBy("destroy() with an error", ["destroy", "errored"], ({ tcp }) =>
    tcp.destroy(Object.assign(new Error("mine"), { code: "MINE" })),
  ),
  endingBy("destroySoon()", ["destroySoon"], ({ tcp }) => tcp.destroySoon()),
  endingBy("end()", ["end", "writableEnded", "writableFinished"], ({ tcp }) => tcp.end()),
  endingBy("resetAndDestroy()", ["resetAndDestroy"], ({ tcp }) => tcp.resetAndDestroy()),
  {
    title: "resetAndDestroy() of a destroyed socket",
    members: ["resetAndDestroy"],
    async run({ socket, tcp }) {
      const closed = once(socket, "close");
      tcp.destroy();
      await closed;
      return [tcp.resetAndDestroy() === tcp, tcp.errored];
    },
  },
  {
    title: "the symbol for disposal",
    members: ["@@asyncDispose"],
    async run({ socket, tcp }) {
      const closed = once(socket, "close");
      const dispose = Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose");
      await tcp[dispose]?.();
      tcp.destroy();
      await closed;
      return tcp.destroyed;
    },
  },
  {
    title: "writing to it after its end",
    members: ["write", "end"],
    async run({ socket, tcp }) {
      const closed = once(socket, "close");
      const failed = once(tcp, "error");
      tcp.end();
      const error = await new Promise((resolve) => tcp.write("late", resolve));
      const [emitted] = await failed;
      await closed;
      return [error.code, emitted.code];
    },
  },
  endingBy("the client closes", [], ({ client }) => client.close(3001, "bye")),
  endingBy("the client ends its side", [], ({ client }) => client._socket.end()),
  endingBy("the client resets the connection", [], ({ client }) =>
    client._socket.resetAndDestroy(),
  ),
  {
    title: "a paused socket whose client resets the connection and whose server terminates it",
    members: ["pause"],
    run: (stage) =>
      ending(stage, () => {
        stage.tcp.pause();
        stage.socket.terminate();
      }),
  },
  {
    title: "an application without listeners survives a reset",
    members: [],
    async run({ client, socket }) {
      const closed = once(socket, "close");
      client._socket.resetAndDestroy();
      return (await closed)[0];
    },
  },
];

/** Members of the WebSocket that end a connection. */
const WEBSOCKET_ENDINGS = [
  endingBy("close()", ["close", "readyState"], ({ socket }) => socket.close()),
  endingBy("close() with a code and a reason", ["close"], ({ socket }) =>
    socket.close(1001, "going away"),
  ),
  endingBy("close() twice", ["close"], ({ socket }) => {
    socket.close(1000);
    socket.close(1001);
  }),
  endingBy("terminate()", ["terminate"], ({ socket }) => socket.terminate()),
  {
    title: "close(), then terminate()",
    members: ["close", "terminate"],
    async run(stage) {
      const { remote, ...seen } = await ending(stage, () => {
        stage.socket.close();
        stage.socket.terminate();
      });
      // The client's answer races with the close of the descriptor, which resets the connection.
      return { ...seen, remote: remote.filter((note) => note.startsWith("ws ")) };
    },
  },
];

module.exports = { NET_SOCKET_ENDINGS, WEBSOCKET_ENDINGS };
