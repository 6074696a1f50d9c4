"use strict";

/**
 * The program of a client, which is driven by events of the server. It runs in Node.js and, as text,
 * in a browser; on socket.io-client 4 and 2 and on our raw client. `__test__/python/client.py` is the
 * same.
 *
 * - `relay`: acknowledges with its arguments, sends them back with `echo`, and sends the arguments of
 *   the acknowledgement of that with `relayed`
 * - `news`: keeps its arguments
 * - `heard`: acknowledges with kept `news` from an index on, at most 5: attachments are limited
 * - `recovered`: acknowledges with true if the connection was recovered
 * - `recite`: compares a phrase with its own copy, and acknowledges with the result and that
 * - `leave`: disconnects
 *
 * @param {object} socket not yet connected
 * @returns {{ disconnected: Promise<string>, refused: Promise<{ message: string, data: unknown }> }}
 */
function runProgram(socket) {
  const PHRASE =
    "Žluťoučký kůň úpěl ďábelské ódy. Щит 你好 😀 👩‍🚀 \u0000\u007f\u0080\u07ff\u0800\uffff";
  const news = [];
  socket.on("relay", (...args) => {
    const acknowledge = args.pop();
    acknowledge(...args);
    socket.emit("echo", ...args, (...echoed) => socket.emit("relayed", ...echoed));
  });
  socket.on("news", (...args) => news.push(args));
  socket.on("heard", (from, acknowledge) => acknowledge(news.slice(from, from + 5)));
  socket.on("recovered", (acknowledge) => acknowledge(socket.recovered === true));
  socket.on("recite", (phrase, acknowledge) => acknowledge(phrase === PHRASE, PHRASE));
  socket.on("leave", () => socket.disconnect());
  const next = (event, read) =>
    new Promise((resolve) => socket.once(event, (value) => resolve(read(value))));
  return {
    disconnected: next("disconnect", (reason) => reason),
    refused: Promise.race([
      next("connect_error", ({ message, data }) => ({ message, data })),
      // socket.io-client 2 emits it as `error`.
      next("error", (data) => data),
    ]),
  };
}

/** The reasons that socket.io-client reports when it is disconnected, by the cause. */
const REASONS = {
  left: "io client disconnect",
  disconnected: "io server disconnect",
  closed: "transport close",
  ended: "transport close",
  reset: "transport close",
  stalled: "ping timeout",
};

module.exports = { REASONS, runProgram };
