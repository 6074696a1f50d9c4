"use strict";

/**
 * What a client does in the tests: the server asks, it answers. Runs in Node.js and, as text, in
 * a browser; on socket.io-client 4 and 2 and on our own raw client. `__test__/python/client.py`
 * does the same.
 *
 * - `relay`: answers with what it got, sends the same back with an event of its own, and hands on
 *   what was acknowledged to that
 * - `news`: keeps what it heard
 * - `heard`: tells what it heard, from one event on, as many as the limit on attachments lets pass
 * - `recovered`: tells whether its connection was recovered
 * - `recite`: compares a phrase with its own copy, and sends that
 * - `leave`: disconnects
 *
 * @param {object} socket not yet connected
 * @returns {{ disconnected: Promise<string>, refused: Promise<{ message: string, data: unknown }> }}
 */
function runProgram(socket) {
  const PHRASE =
    "Žluťoučký kůň úpěl ďábelské ódy. Щит 你好 😀 👩‍🚀 \u0000\u007f\u0080\u07ff\u0800\uffff";
  const heard = [];
  socket.on("relay", (...args) => {
    const acknowledge = args.pop();
    acknowledge(...args);
    socket.emit("echo", ...args, (...echoed) => socket.emit("relayed", ...echoed));
  });
  socket.on("news", (...args) => heard.push(args));
  socket.on("heard", (from, acknowledge) => acknowledge(heard.slice(from, from + 5)));
  socket.on("recovered", (acknowledge) => acknowledge(socket.recovered === true));
  socket.on("recite", (phrase, acknowledge) => acknowledge(phrase === PHRASE, PHRASE));
  socket.on("leave", () => socket.disconnect());
  const next = (event, read) =>
    new Promise((resolve) => socket.once(event, (value) => resolve(read(value))));
  return {
    disconnected: next("disconnect", (reason) => reason),
    refused: Promise.race([
      next("connect_error", ({ message, data }) => ({ message, data })),
      // socket.io-client 2 has no other place for it.
      next("error", (data) => data),
    ]),
  };
}

module.exports = { runProgram };
