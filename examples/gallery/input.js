/**
 * Checks what visitors send. Each of the functions that are named after a type returns a parser: it
 * gets a value from a socket, and returns a clean one, or throws an {@link InputError}.
 */

/** Its message is for the visitor. */
class InputError extends Error {}

/** Throws an {@link InputError} unless the condition holds. */
function demand(condition, message) {
  if (!condition) throw new InputError(message);
}

/** @returns {(value: unknown) => string} trimmed text of `min` to `limit` UTF-16 units */
exports.text =
  (limit, min = 1) =>
  (value) => {
    demand(typeof value === "string" && value.length <= limit, `Up to ${limit} characters, please`);
    const clean = value.toWellFormed().trim();
    demand(clean.length >= min, "Some text, please");
    return clean;
  };

/** @returns {(value: unknown) => number} an integer of this range */
const integer = (min, max) => (value) => {
  demand(Number.isInteger(value) && value >= min && value <= max, `From ${min} to ${max}, please`);
  return value;
};

/** @returns {(value: unknown) => unknown} one of these values */
const oneOf = (values) => (value) => {
  demand(values.includes(value), "That is not one of the choices");
  return value;
};

/** @returns {(value: unknown) => Buffer} binary data of up to `limit` bytes */
exports.binary = (limit) => (value) => {
  demand(Buffer.isBuffer(value) && value.length <= limit, `Up to ${limit} bytes, please`);
  return value;
};

/** @returns {(value: unknown) => object} an object with exactly these fields */
const shape = (fields) => (value) => {
  demand(typeof value === "object" && value !== null, "An object, please");
  const parsed = Object.entries(fields).map(([key, parse]) => [key, parse(value[key])]);
  return Object.fromEntries(parsed);
};

/** Parsers of an event without argument, of a switch, of an id, and of a place of 480 × 300. */
exports.nothing = () => undefined;
exports.bool = oneOf([true, false]);
exports.id = integer(1, Number.MAX_SAFE_INTEGER);
exports.place = shape({ x: integer(0, 480), y: integer(0, 300) });

/**
 * Handles an event of a socket, if its argument can be parsed, and it comes no more than `perSecond`
 * times a second. An acknowledgement is sent if one is asked for: `{ ok: true }` with the result of
 * `act`, which may throw an {@link InputError} and may be asynchronous, or `{ ok: false, error }`.
 */
function handle(socket, event, perSecond, parse, act) {
  let allowance = perSecond;
  let before = Date.now();
  socket.on(event, async (...values) => {
    const isAsked = typeof values.at(-1) === "function";
    const answer = isAsked ? values.pop() : () => {};
    const now = Date.now();
    allowance = Math.min(perSecond, allowance + ((now - before) * perSecond) / 1000);
    before = now;
    try {
      demand(allowance >= 1, "Not so fast, please");
      allowance -= 1;
      answer({ ok: true, ...(await act(parse(values[0]))) });
    } catch (error) {
      if (!(error instanceof InputError)) console.error(error);
      answer({ ok: false, error: error instanceof InputError ? error.message : "That failed" });
    }
  });
}

Object.assign(exports, { InputError, demand, handle, integer, oneOf, shape });
