const { InputError } = require("./input.js");

/**
 * Listens to an event whose sender waits for an answer. The result of `handle` is acknowledged as
 * `{ ok: true, ...result }`, an error that it throws as `{ ok: false, error }`. A peer may leave
 * the acknowledgement function out, or send anything in place of the input, without harm.
 *
 * @param {import("socket.io").Socket} socket
 * @param {string} event
 * @param {(input: unknown) => object | void | Promise<object | void>} handle
 */
function answer(socket, event, handle) {
  socket.on(event, async (...args) => {
    const ack = typeof args.at(-1) === "function" ? args.pop() : () => {};
    try {
      ack({ ok: true, ...(await handle(args[0])) });
    } catch (error) {
      ack({ ok: false, error: reason(error) });
    }
  });
}

/**
 * @param {unknown} error
 * @returns {string} the text for the sender, which reveals nothing about the server
 */
function reason(error) {
  if (error instanceof InputError) return error.message;
  console.error(error);
  return "The server could not do this";
}

module.exports = { answer };
