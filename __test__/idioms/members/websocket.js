"use strict";

/** Programs that use the WebSocket of a connection. */

const { once } = require("node:events");
const { Messages, echo } = require("./net-socket.js");
const { words } = require("./programs.js");

const message = async (emitter) => (await once(emitter, "message"))[0];

/** @type {import("./programs.js").Program[]} */
const WEBSOCKET = [
  {
    title: "its constants and state",
    members: words(`
      CONNECTING OPEN CLOSING CLOSED readyState extensions protocol url binaryType
      isPaused bufferedAmount
    `),
    async run({ socket }) {
      return [
        [socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED],
        [socket.readyState, socket.extensions, socket.protocol, socket.url],
        [socket.binaryType, socket.isPaused, socket.bufferedAmount],
        [socket._closeFrameSent, socket._closeFrameReceived, socket._isServer],
      ];
    },
  },
  {
    title: "pause() holds messages back, resume() releases them",
    members: ["pause", "resume", "isPaused"],
    async run({ client, socket }) {
      const messages = new Messages(socket);
      socket.pause();
      const isPaused = [socket.isPaused, socket._socket.isPaused()];
      for (let i = 0; i < 50; i++) client.send(`message ${i}`);
      socket.send("are you there?");
      await once(client, "message");
      messages.note("resumed");
      socket.resume();
      await messages.count(51);
      return { isPaused, later: [socket.isPaused, socket._socket.isPaused()], list: messages.list };
    },
  },
  {
    title: "a paused WebSocket is closed by its server",
    members: ["pause", "close"],
    async run({ client, socket }) {
      socket.pause();
      const closed = Promise.all([once(socket, "close"), once(client, "close")]);
      socket.close(1000, "enough");
      socket.resume();
      return (await closed).map(([code, reason]) => [code, String(reason)]);
    },
  },
  {
    title: "messages that it sends, in every form",
    members: ["send"],
    async run({ client, socket }) {
      const bytes = new Uint8Array([1, 2, 3]);
      const forms = ["text", 12, bytes, bytes.buffer, Buffer.from("bytes"), new Blob(["blob"]), ""];
      for (const form of forms) socket.send(form);
      socket.send("as bytes", { binary: true });
      socket.send("in two ", { fin: false });
      const called = await new Promise((resolve) => socket.send("fragments", resolve));
      while (client.messages.length < 9) await once(client, "message");
      const received = client.messages.map(([data, isBinary]) => [String(data), isBinary]);
      return { hasFailed: Boolean(called), received };
    },
  },
  {
    title: "ping() and pong()",
    members: ["ping", "pong"],
    async run({ client, socket }) {
      const pinged = once(client, "ping");
      const ponged = once(socket, "pong");
      const alone = once(client, "pong");
      socket.ping("are you there?");
      socket.pong("unasked");
      const events = await Promise.all([pinged, ponged, alone]);
      return events.map(([data]) => String(data));
    },
  },
  {
    title: "listeners as a browser's WebSocket has them",
    members: words("addEventListener removeEventListener onmessage onclose onerror onopen"),
    async run({ client, socket }) {
      const notes = [];
      const removed = () => notes.push("removed");
      socket.addEventListener("message", removed);
      socket.removeEventListener("message", removed);
      socket.addEventListener("message", ({ type, data }) => notes.push(`${type} ${data}`));
      socket.onmessage = ({ data, target }) => notes.push(`on ${data} ${target === socket}`);
      socket.onerror = ({ message }) => notes.push(message);
      socket.onopen = () => notes.push("open");
      const handlers = [typeof socket.onmessage, typeof socket.onopen, socket.onclose];
      client.send("hello");
      await message(socket);
      const closed = new Promise((resolve) => {
        socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]);
      });
      client.close(3000, "done");
      return { notes, handlers, closed: await closed };
    },
  },
  ...["nodebuffer", "arraybuffer", "fragments"].map((type) => ({
    title: `binaryType: ${type}`,
    members: ["binaryType"],
    async run({ client, socket }) {
      socket.binaryType = type;
      client.send(Buffer.from("binary"));
      const data = await message(socket);
      const pieces = type === "fragments" ? data : [Buffer.from(data)];
      return [data.constructor.name, String(Buffer.concat(pieces))];
    },
  })),
  {
    title: "a limit that is set later: ws._receiver._maxPayload",
    members: [],
    async run({ client, socket }) {
      const { _maxPayload: byDefault } = socket._receiver;
      socket._receiver._maxPayload = 10;
      const limit = socket._receiver._maxPayload;
      // The limit is in effect when a message that is sent after it arrives.
      socket.send("limited");
      await once(client, "message");
      client.send("x".repeat(10));
      const allowed = String(await message(socket));
      const failed = once(socket, "error");
      const closed = once(client, "close");
      client.send("x".repeat(11));
      const [error] = await failed;
      const [code] = await closed;
      return { byDefault, limit, allowed, error: [error.code, error.message], code };
    },
  },
  {
    title: "a limit that is taken away",
    serverOptions: { maxPayload: 10 },
    members: [],
    async run({ client, socket }) {
      const { _maxPayload: before } = socket._receiver;
      socket._receiver._maxPayload = 0;
      socket.send("unlimited");
      await once(client, "message");
      client.send("x".repeat(1000));
      return { before, length: (await message(socket)).length };
    },
  },
  {
    title: "close frames change its state",
    members: [],
    async run(stage) {
      const { client, socket } = stage;
      await echo(stage, "open");
      const before = [socket._closeFrameSent, socket._closeFrameReceived];
      const closed = Promise.all([once(socket, "close"), once(client, "close")]);
      socket.close();
      await new Promise((resolve) => setImmediate(resolve));
      const sent = socket._closeFrameSent;
      await closed;
      return { before, sent, after: [socket._closeFrameSent, socket._closeFrameReceived] };
    },
  },
  {
    title: "its sender and its socket know each other",
    members: [],
    async run({ socket }) {
      return [socket._sender._socket === socket._socket, socket._sender._bufferedBytes];
    },
  },
];

module.exports = { WEBSOCKET };
