"use strict";

/** Programs that use the `net.Socket` of a connection, `socket.request.socket` of Socket.IO. */

const { once } = require("node:events");
const { existsSync, readFileSync } = require("node:fs");
const net = require("node:net");
const { PassThrough } = require("node:stream");
const frames = require("../../support/websocket/frames.js");
const { Observed, polled } = require("../../support/observed.js");
const { arrived } = require("../../support/websocket/pair.js");
const { valuesOf, words } = require("./programs.js");

const KIB = 1024;
const MIB = 1024 * KIB;

const EMPTY = Buffer.alloc(0);

/** A message as a client sends it. */
const messageFrame = (text) => frames.text(text);

/** As a server sends it. */
const serverFrame = (text) => frames.text(text, { key: null });

/** The messages that the server's WebSocket receives, as text. */
class Messages extends Observed {
  list = [];

  constructor(socket) {
    super();
    socket.on("message", (data) => this.note(String(data)));
  }

  note(text) {
    this.list.push(text);
    this.changed();
  }

  count(count) {
    return this.until(() => this.list.length >= count, `message ${count}`);
  }

  describe() {
    return `there are ${this.list.length}`;
  }
}

/** Sends a message to the server's WebSocket and back. */
async function echo({ client, socket }, text) {
  socket.once("message", (data) => socket.send(data));
  client.send(text);
  await once(client, "message");
}

/**
 * Waits until earlier calls on the socket are in effect: a worker has processed them when a message
 * that is sent after them arrives.
 */
async function inEffect({ client, socket }) {
  socket.send("in effect");
  await once(client, "message");
}

/** Returns whether the kernel's timer of a connection is that of keep-alive. */
function hasKeepAliveTimer({ localPort, remotePort }) {
  const hex = (port) => port.toString(16).toUpperCase().padStart(4, "0");
  const lines = ["/proc/net/tcp", "/proc/net/tcp6"]
    .filter(existsSync)
    .flatMap((file) => readFileSync(file, "latin1").split("\n"));
  const line = lines.find((text) => {
    const [, local = "", remote = ""] = text.trim().split(/\s+/);
    return local.endsWith(`:${hex(localPort)}`) && remote.endsWith(`:${hex(remotePort)}`);
  });
  return line?.trim().split(/\s+/)[5].startsWith("02:");
}

/** Programs that receive data. */
const READING = [
  {
    title: "pause() holds messages back, resume() releases them",
    members: ["pause", "resume", "isPaused"],
    async run({ client, socket, tcp }) {
      const messages = new Messages(socket);
      tcp.pause();
      const isPaused = tcp.isPaused();
      for (let i = 0; i < 50; i++) client.send(`message ${i}`);
      // The kernel has received all of them when a message in the other direction arrives.
      socket.send("are you there?");
      await once(client, "message");
      await new Promise((resolve) => client._socket.write(EMPTY, resolve));
      const held = messages.list.length;
      tcp.resume();
      await messages.count(50);
      return { isPaused, held, isPausedThen: tcp.isPaused(), messages: messages.list };
    },
  },
  {
    title: "while it is paused, TCP slows the client down",
    members: ["pause", "resume"],
    async run({ client, socket, tcp }) {
      tcp.pause();
      let received = 0;
      socket.on("message", (data) => {
        received += data.length;
      });
      client.send(Buffer.alloc(32 * MIB));
      await arrivedNothing(client);
      const wasStopped = client.bufferedAmount > 0 && received === 0;
      tcp.resume();
      await once(socket, "message");
      return { wasStopped, received };
    },
  },
  {
    title: "a message listener pauses it in the midst of many",
    members: ["pause", "resume"],
    async run({ client, socket, tcp }) {
      const messages = new Messages(socket);
      socket.on("message", (data) => {
        if (String(data) !== "last") return;
        tcp.pause();
        messages.note("paused");
      });
      for (const text of ["first", "last"]) client.send(text);
      await messages.count(3);
      client.send("later");
      socket.send("are you there?");
      await once(client, "message");
      messages.note("resumed");
      tcp.resume();
      await messages.count(5);
      return messages.list;
    },
  },
  {
    title: "its data events carry the bytes of the frames",
    members: ["on", "addListener", "prependListener", "once", "off", "removeListener"],
    async run(stage) {
      const { client, socket, tcp } = stage;
      const ways = ["on", "addListener", "prependListener", "once", "prependOnceListener"];
      const lengths = Object.fromEntries(ways.map((way) => [way, 0]));
      const listeners = ways.map((way) => {
        const listener = (chunk) => {
          lengths[way] += chunk.length;
        };
        tcp[way]("data", listener);
        return listener;
      });
      await inEffect(stage);
      client._socket.write(messageFrame("raw"));
      await once(socket, "message");
      tcp.off("data", listeners[0]);
      tcp.removeListener("data", listeners[1]);
      client._socket.write(messageFrame("again"));
      await once(socket, "message");
      return { lengths, didRead: tcp.readableDidRead };
    },
  },
  {
    title: "a listener that is prepended receives the bytes before the message",
    members: ["prependListener"],
    async run(stage) {
      const { client, socket, tcp } = stage;
      const notes = [];
      tcp.prependListener("data", (chunk) => notes.push(chunk.length));
      socket.on("message", (data) => notes.push(String(data)));
      await inEffect(stage);
      client._socket.write(messageFrame("behind"));
      await once(socket, "message");
      return notes;
    },
  },
  {
    title: "it can be piped, and read with a loop",
    members: ["pipe", "unpipe", "iterator", "@@asyncIterator"],
    async run(stage) {
      const { client, tcp } = stage;
      const target = new PassThrough();
      const returned = tcp.pipe(target) === target;
      await inEffect(stage);
      client._socket.write(messageFrame("piped"));
      const [piped] = await once(target, "data");
      tcp.unpipe(target);
      tcp.resume();
      const looped = [];
      const loop = async () => {
        for await (const chunk of tcp.iterator({ destroyOnReturn: false })) {
          looped.push(chunk.length);
          break;
        }
      };
      const done = loop();
      await inEffect(stage);
      client._socket.write(messageFrame("read in a loop"));
      await done;
      return { returned, piped: piped.length, looped };
    },
  },
  {
    title: "read() returns the bytes of the frames",
    members: ["read", "readable", "readableLength", "readableBuffer"],
    async run(stage) {
      const { client, tcp } = stage;
      tcp.on("readable", () => {});
      await inEffect(stage);
      client._socket.write(messageFrame("read by hand"));
      await once(tcp, "readable");
      const length = tcp.readableLength;
      const pieces = tcp.readableBuffer.length;
      return { length, pieces, read: tcp.read().length, rest: tcp.readableLength };
    },
  },
  ...["map", "filter", "flatMap", "take", "drop"].map((method) => ({
    title: `${method}() returns another stream`,
    members: [method],
    async run(stage) {
      const { client, tcp } = stage;
      const argument = { take: 1, drop: 0 }[method] ?? ((chunk) => [chunk.length]);
      const stream = tcp[method](argument).on("error", () => {});
      const next = stream[Symbol.asyncIterator]().next();
      await inEffect(stage);
      client._socket.write(messageFrame("streamed"));
      const { value } = await next;
      return Buffer.isBuffer(value) ? value.length : value;
    },
  })),
  ...["some", "find", "every", "forEach", "reduce", "toArray"].map((method) => ({
    title: `${method}() reads until its result is certain`,
    members: [method],
    async run(stage) {
      const { client, socket, tcp } = stage;
      const answers = {
        some: () => true,
        find: () => true,
        every: () => false,
        forEach: () => {},
        reduce: (length, chunk) => length + chunk.length,
      };
      const result = tcp[method](answers[method], ...(method === "reduce" ? [0] : []));
      await inEffect(stage);
      client._socket.write(messageFrame("one chunk"));
      await once(socket, "message");
      client._socket.end();
      const value = await result;
      if (Array.isArray(value)) return value.map((chunk) => chunk.length);
      return Buffer.isBuffer(value) ? value.length : value;
    },
  })),
  {
    title: "bytes that are pushed or put back are read by the WebSocket",
    members: ["push", "unshift"],
    async run({ client, socket, tcp }) {
      const messages = new Messages(socket);
      tcp.push(messageFrame("pushed"));
      await messages.count(1);
      tcp.unshift(messageFrame("put back"));
      await messages.count(2);
      client.send("sent");
      await messages.count(3);
      return messages.list;
    },
  },
  {
    title: "bytesRead counts received bytes, the request included",
    members: ["bytesRead"],
    async run(stage) {
      const counts = [stage.tcp.bytesRead];
      await echo(stage, "x".repeat(1000));
      counts.push(stage.tcp.bytesRead);
      const closed = once(stage.tcp, "close");
      stage.tcp.destroy();
      counts.push(stage.tcp.bytesRead);
      await closed;
      counts.push(stage.tcp.bytesRead);
      return counts;
    },
  },
];

/** Waits until a client makes no progress, since its data is not read. */
async function arrivedNothing(client) {
  let before;
  do {
    before = client._socket.bytesWritten - client._socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (before !== client._socket.bytesWritten - client._socket.writableLength);
}

/** Programs that send data. */
const WRITING = [
  {
    title: "bytes that are written are sent between messages, in any encoding",
    members: ["write", "cork", "uncork", "setDefaultEncoding", "writableCorked"],
    async run({ client, socket, tcp }) {
      const texts = ["one", "two", "three", "four", "five"];
      const [first, second, third, fourth, fifth] = texts.map(serverFrame);
      socket.send("before");
      tcp.write(first);
      tcp.write(second.toString("hex"), "hex");
      tcp.write(third.toString("latin1"), "latin1");
      tcp.cork();
      const corked = tcp.writableCorked;
      tcp.write(fourth.toString("base64"), "base64");
      tcp.setDefaultEncoding("latin1");
      tcp.write(fifth.toString("latin1"));
      tcp.uncork();
      const called = await new Promise((resolve) => tcp.write(EMPTY, resolve));
      socket.send("after");
      while (client.messages.length < 7) await once(client, "message");
      return { corked, called, messages: client.messages.map(([data]) => String(data)) };
    },
  },
  {
    title: "bytesWritten counts bytes as soon as they are sent, the response included",
    members: ["bytesWritten", "_bytesDispatched"],
    async run(stage) {
      const { client, socket, tcp } = stage;
      const counts = [tcp.bytesWritten];
      socket.send("x".repeat(1000));
      counts.push(tcp.bytesWritten, tcp._bytesDispatched);
      await once(client, "message");
      await echo(stage, "and back");
      counts.push(tcp.bytesWritten);
      await arrived(client);
      counts.push(tcp.bytesWritten);
      tcp.write(serverFrame("raw"));
      counts.push(tcp.bytesWritten);
      const closed = once(tcp, "close");
      tcp.destroy();
      counts.push(tcp.bytesWritten, tcp._bytesDispatched);
      await closed;
      counts.push(tcp.bytesWritten);
      return counts;
    },
  },
  {
    title: "messages to a slow client are queued in it, and drain follows",
    members: ["writableLength", "writableNeedDrain", "bufferSize"],
    async run({ client, socket, tcp }) {
      client._socket.pause();
      let sent = 0;
      while (!tcp.writableNeedDrain) {
        socket.send(Buffer.alloc(MIB));
        sent++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      const waited = tcp.writableLength > 0 && tcp.bufferSize > 0;
      const drained = once(tcp, "drain");
      client._socket.resume();
      await drained;
      while (client.messages.length < sent) await once(client, "message");
      // The client may have received all before this side knows.
      while (tcp.writableLength > 0) await new Promise((resolve) => setImmediate(resolve));
      return { waited, needsDrain: tcp.writableNeedDrain };
    },
  },
];

const READABLE_STATE = `
  readable readableAborted readableEncoding readableEnded readableFlowing readableHighWaterMark
  readableLength readableObjectMode
`;
const WRITABLE_STATE = `
  writable writableCorked writableEnded writableFinished writableHighWaterMark writableLength
  writableNeedDrain writableObjectMode
`;

/** Programs that read and change its state. */
const STATE = [
  {
    title: "its addresses",
    members: words(`
      remoteAddress remoteFamily remotePort localAddress localFamily localPort
      address
    `),
    async run({ client, server, tcp }) {
      const read = () => ({
        remote: [tcp.remoteAddress, tcp.remoteFamily],
        remotePort: tcp.remotePort === client._socket?.localPort,
        local: [tcp.localAddress, tcp.localFamily],
        localPort: tcp.localPort === server.address().port,
        address: Object.keys(tcp.address()),
      });
      const open = read();
      tcp.destroy();
      return { open, destroyed: read() };
    },
  },
  {
    title: "its state while it is open, and when it is destroyed",
    members: words(`
      readyState _connecting pending destroyed closed errored readable
      readableAborted readableDidRead readableEncoding readableEnded readableFlowing
      readableHighWaterMark readableLength readableObjectMode writable
      writableBuffer writableCorked writableEnded writableFinished
      writableHighWaterMark writableLength writableNeedDrain writableObjectMode
      isPaused
    `),
    async run(stage) {
      const { tcp } = stage;
      await echo(stage, "so that something has come");
      const read = () => ({
        kind: [tcp instanceof net.Socket, tcp.constructor === net.Socket, tcp.encrypted],
        state: valuesOf(tcp, "readyState connecting _connecting pending timeout"),
        handle: tcp._handle === null,
        end: valuesOf(tcp, "destroyed closed errored"),
        readable: valuesOf(tcp, READABLE_STATE),
        writable: valuesOf(tcp, WRITABLE_STATE),
        isPaused: tcp.isPaused(),
        buffered: tcp.writableBuffer.length,
      });
      const open = read();
      tcp.destroy();
      const destroyed = read();
      await once(tcp, "close");
      return { open, destroyed, closed: read() };
    },
  },
  {
    title: "setKeepAlive() and setNoDelay() reach the kernel",
    members: ["setKeepAlive", "setNoDelay"],
    async run(stage) {
      const { tcp } = stage;
      const returned = [tcp.setKeepAlive(true, 60_000), tcp.setNoDelay(false), tcp.setNoDelay()];
      await echo(stage, "so that nothing waits");
      if (process.platform === "linux") await polled(() => hasKeepAliveTimer(tcp));
      tcp.setKeepAlive(false);
      if (process.platform === "linux") await polled(() => hasKeepAliveTimer(tcp) === false);
      await echo(stage, "still there");
      return returned.map((value) => value === tcp);
    },
  },
  {
    title: "the type of service can be set",
    members: ["setTypeOfService", "getTypeOfService"],
    async run(stage) {
      const { tcp } = stage;
      if (tcp.setTypeOfService === undefined) return "not in this Node.js";
      const before = tcp.getTypeOfService();
      tcp.setTypeOfService(0x10);
      await echo(stage, "still there");
      return [before, tcp.getTypeOfService()];
    },
  },
  {
    title: "setTimeout() reports an idle connection",
    members: ["setTimeout"],
    async run(stage) {
      const { tcp } = stage;
      let count = 0;
      const returned = tcp.setTimeout(200, () => count++) === tcp;
      const { timeout } = tcp;
      await once(tcp, "timeout");
      const idleAgain = once(tcp, "timeout");
      await echo(stage, "no longer idle");
      await idleAgain;
      tcp.setTimeout(0);
      return { returned, timeout, count, timeoutThen: tcp.timeout, destroyed: tcp.destroyed };
    },
  },
  {
    title: "setTimeout() spares a busy connection",
    members: ["setTimeout"],
    async run(stage) {
      const { tcp } = stage;
      let count = 0;
      const patience = 1000;
      tcp.setTimeout(patience, () => count++);
      const start = Date.now();
      while (Date.now() - start < 2.5 * patience) {
        await echo(stage, "busy");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return count;
    },
  },
  {
    title: "connect() fails: it is connected",
    members: ["connect"],
    async run({ server, socket, tcp }) {
      const closed = once(socket, "close");
      const failed = once(tcp, "error");
      tcp.connect(server.address().port, "127.0.0.1");
      const [error] = await failed;
      return [error.code, error.syscall, (await closed)[0]];
    },
  },
  {
    title: "it is an emitter",
    members: words(`
      emit eventNames getMaxListeners listenerCount listeners prependOnceListener
      rawListeners removeAllListeners setMaxListeners
    `),
    async run({ tcp }) {
      const notes = [];
      const note = (value) => notes.push(value);
      tcp.on("mine", note).prependOnceListener("mine", (value) => notes.push(`first ${value}`));
      const counts = [tcp.listenerCount("mine"), tcp.listeners("mine").length];
      counts.push(tcp.rawListeners("mine").length, tcp.eventNames().includes("mine"));
      tcp.emit("mine", "one");
      tcp.emit("mine", "two");
      tcp.removeAllListeners("mine");
      counts.push(tcp.emit("mine", "three"), tcp.setMaxListeners(20).getMaxListeners());
      return { notes, counts };
    },
  },
];

module.exports = { NET_SOCKET: [...READING, ...WRITING, ...STATE], Messages, echo };
