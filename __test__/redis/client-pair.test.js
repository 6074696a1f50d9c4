"use strict";

/** The application's Redis clients: what differs between their libraries, and when they end. */

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const { createServer } = require("node:http");
const { describe, test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { createClient } = require("redis");
const { Server } = require("socket.io");
const { createRedisAdapter, turbo } = require("../..");
const { hasCluster } = require("../../lib/addon/index.js");
const { skipWithoutRedis, startRedis } = require("../support/redis/server.js");

const skip = !hasCluster && "no addon";

/** The methods of a client of redis 3 that the adapter uses: without promises. */
class Redis3 extends EventEmitter {
  publish() {}
  subscribe() {}
  psubscribe() {}
  unsubscribe() {}
  punsubscribe() {}

  send_command(name, args, callback) {
    setImmediate(callback, null, [name, args.join(" ") === "NUMSUB socket.io-request#/#" ? 5 : 0]);
  }
}

/** Connects a client of redis 5. */
async function connect(url) {
  const client = createClient({ url });
  client.on("error", () => {});
  return client.connect();
}

function serve(options) {
  const adapter = createRedisAdapter(options);
  const errors = [];
  adapter.on("error", ({ message }) => errors.push(message));
  return { io: new Server(createServer(), turbo({ adapter })), errors };
}

describe("the application's Redis clients", { skip }, () => {
  test("may be those of redis 3", async (t) => {
    const { io } = serve({ pubClient: new Redis3(), subClient: new Redis3() });
    t.after(() => io.close());
    assert.equal(await io.of("/").adapter.serverCount(), 5);
  });

  for (const sharded of [false, true]) {
    const name = `may end in the turn in which the server does${sharded ? ", sharded" : ""}`;
    test(name, { skip: skipWithoutRedis }, async (t) => {
      const url = await startRedis((end) => t.after(end));
      const [pubClient, subClient] = [await connect(url), await connect(url)];
      const { io, errors } = serve({ pubClient, subClient, sharded });
      io.of("/name");
      while ((await io.of("/").adapter.serverCount()) < 1) await delay(5);
      const closed = io.close();
      for (const client of [pubClient, subClient]) client.destroy();
      await closed;
      assert.deepEqual(errors, []);
    });
  }
});
