"use strict";

/** Programs that use the WebSocket of a connection: `conn.transport.socket` of Socket.IO. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { engineNamed, hasNative } = require("../support/engines.js");
const { WEBSOCKET_ENDINGS } = require("./members/endings.js");
const { testPrograms, websocketStage } = require("./members/programs.js");
const { WEBSOCKET } = require("./members/websocket.js");

testPrograms("the WebSocket of a connection", WEBSOCKET);
testPrograms("a WebSocket that ends", WEBSOCKET_ENDINGS);

test("what is not there of ws's receiver says so", { skip: !hasNative }, async (t) => {
  const { socket } = await websocketStage(t, engineNamed("turbo"));
  const expected = { code: "TURBO_ERR_NOT_POSSIBLE", message: /ws\._receiver\.(write|_loop) / };
  assert.throws(() => socket._receiver.write(Buffer.alloc(1)), expected);
  assert.throws(() => {
    socket._receiver._loop = true;
  }, expected);
  assert.equal(await Promise.resolve(socket._receiver), socket._receiver);
});
