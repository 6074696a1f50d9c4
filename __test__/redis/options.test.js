"use strict";

/** Which options createRedisAdapter() accepts, and with which error it refuses others. No Redis is needed. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { describe, test } = require("node:test");
const { Server } = require("socket.io");
const { createRedisAdapter, turbo } = require("../..");
const { hasCluster } = require("../../lib/addon/index.js");
const { redisAdapterOptions } = require("../../lib/redis/options.js");

const url = "redis://127.0.0.1:1";
const CLIENT = { publish() {}, subscribe() {}, pSubscribe() {} };
const CLIENTS = { pubClient: CLIENT, subClient: { ...CLIENT } };
const SENTINEL = { url: ["redis://127.0.0.1:1", "redis://127.0.0.1:2"], sentinel: { name: "m" } };

/** Returns the error of options. */
function errorOf(options) {
  try {
    createRedisAdapter(options);
  } catch (error) {
    return error;
  }
  return assert.fail("no error");
}

describe("createRedisAdapter() refuses", () => {
  for (const [option, options, message] of [
    [
      "options",
      undefined,
      /^options must be an object such as { url: "redis:\/\/localhost:6379" }, or with clients, got u/,
    ],
    ["options", [], /an array$/],
    ["options", "redis://user:secret@host", /, got "redis:\/\/…@host"$/],
    ["url", {}, /^url must be a URL of Redis, or a list of such URLs, got undefined$/],
    ["url", { url: "" }, /got ""$/],
    ["url", { url: [] }, /got an array$/],
    ["url", { url: ["redis://a", 1] }, /got an array$/],
    [
      "url",
      { url: ["redis://a", "redis://b"] },
      /^url must be one URL, or a list with cluster: true or with sentinel, got an array$/,
    ],
    [
      "urls",
      { urls: ["redis://a"] },
      /^urls is not an option of createRedisAdapter\(\); write url/,
    ],
    [
      "host",
      { host: "a" },
      /; write url: "redis:\/\/user:password@host:port\/database"\. Its options are/,
    ],
    [
      "channelPrefix",
      { channelPrefix: "a" },
      /; write key\. Its options are url, pubClient, subClient/,
    ],
    ["toString", { toString: 1 }, /^toString is not an option of createRedisAdapter\(\)\. Its/],
    ["cluster", { url, cluster: 1 }, /^cluster must be true or false, got 1$/],
    ["sentinel", { url, sentinel: {} }, /the name of the master/],
    ["sentinel", { url, sentinel: { name: "m", user: "u" } }, /an object/],
    ["sentinel", { ...SENTINEL, cluster: true }, /left out with cluster: true/],
    ["tls", { url, tls: { cert: "PEM" } }, /both cert and key or neither/],
    ["key", { url, key: "" }, /a string that is not empty, got ""/],
    ["requestsTimeout", { url, requestsTimeout: 0 }, /of at least 1, got 0$/],
    [
      "publishOnSpecificResponseChannel",
      { url, publishOnSpecificResponseChannel: 1 },
      /true or false/,
    ],
    ["parser", { url, parser: { encode() {} } }, /encode and decode/],
    ["sharded", { url, sharded: "yes" }, /true or false, got "yes"$/],
    ["subscriptionMode", { url, subscriptionMode: "static" }, /"pattern" or "dyn/],
    ["subscriptionMode", { url, sharded: true, subscriptionMode: "pattern" }, /"dyn/],
    ["requestsTimeout", { url, sharded: true, requestsTimeout: 1 }, /left out with sh/],
    ["parser", { ...CLIENTS, sharded: true, parser: JSON }, /encode and decode/],
    ["maxPublishQueue", { url, maxPublishQueue: 0.5 }, /bytes, an integer of at l/],
    ["pubClient", { pubClient: {}, subClient: CLIENT }, /a client of redis or ioredis/],
    ["subClient", { pubClient: CLIENT }, /another client of redis or ioredis, for/],
    ["pubClient", { subClient: CLIENT }, /a client of redis or ioredis, got undefined/],
    ["url", { ...CLIENTS, url }, /left out with clients/],
    ["tls", { ...CLIENTS, tls: {} }, /left out with clients/],
    ["maxPublishQueue", { ...CLIENTS, maxPublishQueue: 1 }, /left out with clients/],
  ]) {
    test(`${option} of ${JSON.stringify(options)}`, () => {
      const error = errorOf(options);
      assert.equal(error.code, "TURBO_ERR_INVALID_OPTION");
      assert.equal(error.option, option);
      assert.match(error.message, message);
    });
  }

  test("what is not a URL, without showing its password", { skip: !hasCluster }, () => {
    for (const bad of ["http://user:secret@127.0.0.1", "redis://user:secret@host:99999", "redis"]) {
      const error = errorOf({ url: bad });
      assert.equal(error.option, "url");
      assert.doesNotMatch(error.message, /secret/);
      const form = "redis://[[user]:password@]host[:port][/database], with rediss:// for TLS (";
      assert.ok(error.message.startsWith(`url must be ${form}`), error.message);
      assert.doesNotMatch(error.message, /InvalidClientConfig/);
    }
    const error = errorOf({ url: ["redis://a", "redis://u:secret@b:99999"], cluster: true });
    assert.match(error.message, /, got "redis:\/\/…@b:99999"$/);
    const others = errorOf({ url: ["redis://u:secret@a", "redis://b"], cluster: true });
    assert.match(others.message, /^url must be a list of URLs that fit together \(.*password/);
  });

  test("what is not a certificate", { skip: !hasCluster }, () => {
    const tls = { cert: "none", key: "none" };
    assert.equal(errorOf({ url: "rediss://127.0.0.1:1", tls }).option, "tls");
    assert.equal(errorOf({ url: "rediss:", tls }).option, "url");
  });

  test("servers with connection state recovery", () => {
    const adapter = createRedisAdapter({ url });
    assert.throws(
      () => new Server({ adapter, connectionStateRecovery: {} }),
      (error) =>
        error.option === "connectionStateRecovery" &&
        /left out with this adapter: Redis keeps no messages/.test(error.message),
    );
  });
});

describe("a server that cannot be reached is named", { skip: !hasCluster && "no addon" }, () => {
  const [first, second] = ["redis://user:secret@127.0.0.1:1", "redis://user:secret@127.0.0.1:2"];
  for (const [options, name] of [
    [{ url: first }, "127.0.0.1:1"],
    [{ url: [first, second], cluster: true }, "Redis Cluster 127.0.0.1:1, 127.0.0.1:2"],
    [{ url: [first, second], sentinel: { name: "m" } }, "Sentinel 127.0.0.1:1, 127.0.0.1:2"],
  ]) {
    test(name, async (t) => {
      const adapter = createRedisAdapter(options);
      const io = new Server(createServer(), turbo({ adapter }));
      t.after(() => io.close());
      const [{ code, message }] = await once(adapter, "error");
      assert.equal(code, "TURBO_ERR_REDIS");
      assert.ok(message.startsWith(`Redis: ${name}: `), message);
      assert.match(message, /refused/);
    });
  }
});

describe("createRedisAdapter() accepts", () => {
  for (const options of [
    { url },
    { url: [url], key: "app", requestsTimeout: 1, maxPublishQueue: Infinity },
    { url: "redis://user:p%40ss@localhost/1" },
    { url: "rediss://localhost", tls: {} },
    { url: ["redis://a:1", "redis://b:2"], cluster: true, sharded: true },
    { ...SENTINEL, subscriptionMode: "dynamic" },
    { url, sharded: true, subscriptionMode: "dynamic-private" },
    { ...CLIENTS, parser: { encode() {}, decode() {} } },
  ]) {
    test(JSON.stringify(options), () => {
      assert.equal(typeof createRedisAdapter(options), "function");
    });
  }

  test("options left out, with the official adapter's values", () => {
    const { adapter } = redisAdapterOptions({ url });
    assert.deepEqual(adapter, {
      key: "socket.io",
      parser: undefined,
      publishOnSpecificResponseChannel: false,
      requestsTimeout: 5000,
      sharded: false,
      subscriptionMode: "pattern",
    });
    const { adapter: sharded } = redisAdapterOptions({ url, sharded: true });
    assert.equal(sharded.subscriptionMode, "dynamic");
  });
});
