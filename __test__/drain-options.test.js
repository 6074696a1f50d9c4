"use strict";

/** The pace of `turbo.drain()`, without clients or a clock, and its options. */

const assert = require("node:assert/strict");
const http = require("node:http");
const { describe, test } = require("node:test");
const { Server } = require("socket.io");
const { drain } = require("..");
const { MAX_STEP, Pace } = require("../lib/drain.js");
const { range } = require("./support/socket-io-client.js");

/** In milliseconds. */
const SPREAD = 9000;
const INTERVAL = 10;

describe("the pace of a drain", () => {
  /** @returns {number[]} how many of `count` were due at each time, with `added` to come there */
  function play(count, times, end, added = {}) {
    const pace = new Pace(0, end);
    let rest = count;
    return times.map((now) => {
      rest += added[now] ?? 0;
      const due = pace.due(rest, now);
      rest -= due;
      return due;
    });
  }

  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  const timesUntil = (end, interval) => range(end / interval, 1).map((index) => index * interval);

  for (const [count, interval] of [
    [5000, 10],
    [5000, 15],
    [100_000, 10],
    [40, 10],
    [7, 50],
  ]) {
    test(`is even for ${count} clients and slices of ${interval} ms`, () => {
      const due = play(count, timesUntil(SPREAD, interval), SPREAD);
      assert.equal(sum(due), count);
      const even = (count * interval) / SPREAD;
      for (const number of due) assert.ok(Math.abs(number - even) <= 1.01, `${number} of ${even}`);
    });
  }

  test("makes up for a busy loop evenly, and not at once", () => {
    const times = timesUntil(SPREAD, INTERVAL).filter((now) => now <= 3000 || now > 6000);
    const due = play(5000, times, SPREAD);
    assert.equal(sum(due), 5000);
    const even = ((5000 * 2) / 3 / (SPREAD - 6000)) * INTERVAL;
    const [first, ...others] = due.slice(times.indexOf(6010));
    assert.ok(first <= (even * MAX_STEP) / INTERVAL);
    for (const number of others) assert.ok(Math.abs(number - even) <= 1.5, `${number} of ${even}`);
  });

  test("follows clients that come late", () => {
    const due = play(900, timesUntil(SPREAD, INTERVAL), SPREAD, { 4500: 450 });
    assert.equal(sum(due), 1350);
    assert.ok(due.slice(0, 448).every((number) => number <= 2));
    assert.ok(due.slice(451).every((number) => number >= 1 && number <= 3));
  });

  test("has the first due at once, so that few clients do not take the whole time", () => {
    assert.deepEqual(play(1, [0, 1, 2], SPREAD), [0, 1, 0]);
    const due = play(2, timesUntil(SPREAD, INTERVAL), SPREAD);
    assert.equal(due.indexOf(1), 0);
    assert.ok(Math.abs(due.lastIndexOf(1) - SPREAD / INTERVAL / 2) <= 1);
  });

  test("has everything due when the time is over", () => {
    assert.deepEqual(play(10, [0, 0, 1], 1), [0, 0, 10]);
    assert.deepEqual(play(10, [0], 0), [10]);
  });
});

describe("the options of drain()", () => {
  const io = new Server();

  for (const within of [undefined, null, -1, 1.5, Number.NaN, 2 ** 31, "10s"]) {
    test(`within cannot be ${typeof within} ${String(within)}`, () => {
      const message =
        /^within must be a number of milliseconds, an integer from 0 to 2147483647, got /;
      const expected = { code: "TURBO_ERR_INVALID_OPTION", option: "within", message };
      assert.throws(() => drain(io, { within }), expected);
    });
  }

  test("the signal is an AbortSignal, the server a server, and the options are an object", () => {
    const refused = (option, ...args) => {
      assert.throws(() => drain(...args), { code: "TURBO_ERR_INVALID_OPTION", option });
    };
    refused("signal", io, { within: 1, signal: new AbortController() });
    for (const other of [undefined, null, http.createServer(), io.of("/")]) {
      refused("io", other, { within: 1 });
    }
    refused("options", io);
    refused("options", io, 1000);
  });

  test("a server without an HTTP server has no clients", async () => {
    assert.deepEqual(await drain(io, { within: 1000 }), { closed: 0, left: 0 });
  });
});
