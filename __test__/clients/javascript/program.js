"use strict";

/**
 * The program of socket.io-client 4 and 2, in Node.js and Bun, and as text in browsers. The programs in
 * the other languages do the same.
 *
 * @param {Function} connectTo `io()` of socket.io-client
 * @param {{ url: string, transport: "polling" | "websocket" | "upgrade", recoveryUrl: string }} options
 *   the last is of a server that remembers its clients
 * @param {(line: { feature: string, ok: boolean, note: string }) => void} report
 */
async function runProgram(connectTo, { url, transport, recoveryUrl }, report) {
  const PATIENCE = 30_000;
  const HEARTBEATS = 6;
  const MIB = 1024 * 1024;
  const TEXT = "žluťoučký kůň 你好 😀 \u0000\u2028";
  const VALUES = [TEXT, 0, -1.5, true, null, [1, [2, { three: TEXT }]], {}];
  const BYTES = Uint8Array.from({ length: 256 }, (_, index) => index);
  const isV2 = connectTo.protocol === 4;
  const transports = transport === "upgrade" ? ["polling", "websocket"] : [transport];
  const sockets = [];

  /** Rejects what takes too long. */
  const within = (promise, what) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${what}`)), PATIENCE);
      promise.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  const open = (namespace = "/", auth = undefined, origin = url) => {
    const query = isV2 ? auth : undefined;
    const delays = { reconnectionDelay: 20, reconnectionDelayMax: 100 };
    const socket = connectTo(origin + namespace, {
      ...delays,
      transports,
      auth,
      query,
      forceNew: true,
    });
    sockets.push(socket);
    return socket;
  };
  const next = (socket, event) =>
    within(new Promise((resolve) => socket.once(event, (...args) => resolve(args))), event);
  const enter = async (...args) => {
    const socket = open(...args);
    await next(socket, "connect");
    return socket;
  };
  const call = (socket, event, ...args) => {
    const answered = new Promise((resolve) =>
      socket.emit(event, ...args, (...answer) => resolve(answer)),
    );
    return within(answered, `answer to ${event}`);
  };
  const same = (actual, expected) => {
    const [text, wanted] = [actual, expected].map((value) => JSON.stringify(value));
    if (text !== wanted) throw new Error(`${text.slice(0, 200)} is not ${wanted.slice(0, 200)}`);
  };
  const plain = (bytes) => [...new Uint8Array(bytes)];

  const features = {
    async transport(socket) {
      const name = transports.at(-1);
      same(await call(socket, "carrier", name), [name]);
    },
    async events(socket) {
      const said = next(socket, "said");
      socket.emit("say", ...VALUES);
      same(await said, VALUES);
    },
    async acknowledgements(socket) {
      same(await call(socket, "echo", ...VALUES), VALUES);
    },
    async answers(socket) {
      socket.once("question", (question, answer) => answer(`${question}!`));
      same(await call(socket, "ask", TEXT), [`${TEXT}!`]);
    },
    async rooms(socket) {
      const other = await enter();
      const told = [[], []];
      socket.on("told", (text) => told[0].push(text));
      const complete = new Promise((resolve) =>
        other.on("told", (text) => told[1].push(text) === 2 && resolve()),
      );
      await call(socket, "join", "room");
      socket.emit("tell", "room", "not to me");
      socket.emit("announce", "nobody", "to nobody");
      socket.emit("announce", "room", "to one");
      await call(socket, "echo");
      await call(other, "join", "room");
      socket.emit("tell", "room", "to the other");
      socket.emit("announce", "room", "to both");
      await Promise.all([call(socket, "echo"), within(complete, "told")]);
      same(told[0], ["to one", "to both"]);
      same(told[1], ["to the other", "to both"]);
    },
    async binary(socket) {
      const said = next(socket, "said");
      socket.emit("say", BYTES.buffer);
      same(plain((await said)[0]), plain(BYTES));
    },
    async "nested binary"(socket) {
      const [{ deep }] = await call(socket, "echo", { deep: [BYTES.buffer] });
      same(plain(deep[0]), plain(BYTES));
    },
    async namespaces() {
      same(await call(await enter("/news"), "where"), ["/news"]);
    },
    async refusal() {
      const refused = open("/private", { token: "wrong" });
      const [error] = await next(refused, isV2 ? "error" : "connect_error");
      if (isV2) same(error, { code: 7 });
      else same([error.message, error.data], ["wrong token, žluťoučký", { code: 7 }]);
      same(await call(await enter("/private", { token: "right" }), "where"), ["/private"]);
    },
    async "dynamic namespaces"() {
      same(await call(await enter("/room-42"), "where"), ["/room-42"]);
    },
    async "1 MiB"(socket) {
      const text = TEXT.repeat(MIB / TEXT.length);
      same(await call(socket, "echo", text), [text]);
      const bytes = new Uint8Array(MIB).map((_, index) => index);
      const said = next(socket, "said");
      socket.emit("say", bytes.buffer);
      same(plain((await said)[0]), plain(bytes));
    },
    async recovery() {
      if (isV2) throw new Error("not in this version");
      const socket = await enter("/", undefined, recoveryUrl);
      const said = next(socket, "said");
      // The server sends the offset with it.
      socket.emit("say");
      await said;
      const { id } = socket;
      const missed = next(socket, "missed");
      socket.emit("drop");
      same((await missed)[0], "while you were away");
      same([socket.recovered, socket.id], [true, id]);
    },
    async heartbeats() {
      same(await alive, [HEARTBEATS]);
    },
    async disconnection() {
      const socket = await enter();
      const gone = next(socket, "disconnect");
      socket.emit("leave");
      return (await gone)[0];
    },
    async restart(socket) {
      const gone = next(socket, "disconnect");
      const back = gone.then(() => next(socket, "connect"));
      socket.emit("restart");
      await back;
      same(await call(socket, "echo", TEXT), [TEXT]);
    },
  };

  const main = await enter();
  const idle = await enter();
  const alive = next(idle, "alive");
  alive.catch(() => {});
  idle.emit("idle", HEARTBEATS);
  for (const [feature, run] of Object.entries(features)) {
    const line = await run(main).then(
      (note = "") => ({ feature, ok: true, note }),
      ({ message }) => ({ feature, ok: false, note: message }),
    );
    report(line);
  }
  for (const socket of sockets) socket.disconnect();
}

module.exports = { runProgram };
