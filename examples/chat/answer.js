const { InputError } = require("./input.js");

/**
 * Listens to an event whose sender waits for an answer. What `handle` returns is acknowledged as
 * `{ ok: true, ...result }`; what it throws, as `{ ok: false, error }`. A peer that sends no
 * acknowledgement function, or anything else in place of the input, does no harm.
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
 * @returns {string} what the sender may know of it
 */
function reason(error) {
  if (error instanceof InputError) return error.message;
  console.error(error);
  return "The server could not do this";
}

module.exports = { answer };
