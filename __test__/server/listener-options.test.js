"use strict";

/** The option of `createServer()` that Node.js does not have. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { createServer } = require("../..");
const { request } = require("../support/http-servers.js");

describe("maxHandshakesPerSecond", { timeout: 60_000 }, () => {
  for (const value of [0, -1, 1.5, Number.NaN, "100", null, 2 ** 31]) {
    test(`must not be ${JSON.stringify(value)}`, () => {
      assert.throws(() => createServer({ maxHandshakesPerSecond: value }), {
        name: "TypeError",
        code: "TURBO_ERR_INVALID_OPTION",
        option: "maxHandshakesPerSecond",
      });
    });
  }

  for (const value of [undefined, 4, 2 ** 31 - 1, Number.POSITIVE_INFINITY]) {
    test(`may be ${value}, and all clients are served`, async (t) => {
      const answer = (_request, response) => response.end("ok");
      const server = createServer({ maxHandshakesPerSecond: value }, answer);
      await once(server.listen(0, "127.0.0.1"), "listening");
      t.after(() => server.close());
      const answers = await Promise.all([1, 2, 3].map(() => request(server)));
      assert.deepEqual(
        answers.map(({ body }) => body),
        ["ok", "ok", "ok"],
      );
    });
  }

  test("is suggested for a name that is nearly the same", async () => {
    const warned = once(process, "warning");
    createServer({ maxHandshakePerSecond: 4 });
    const [{ code, message }] = await warned;
    assert.equal(code, "TURBO_UNKNOWN_OPTION");
    assert.match(message, /did you mean maxHandshakesPerSecond\?$/);
  });

  test("does not hide the errors of Node.js", () => {
    assert.throws(() => createServer({ maxHeaderSize: "1" }), { code: "ERR_INVALID_ARG_TYPE" });
    assert.throws(() => createServer("options"), { code: "ERR_INVALID_ARG_TYPE" });
  });
});
