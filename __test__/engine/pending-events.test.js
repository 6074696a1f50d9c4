"use strict";

/** Events that wait for their delivery, and listeners that throw. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { PendingEvents } = require("../../lib/engine/pending-events.js");
const { hasNative } = require("../support/engines.js");
const { startFixture } = require("../support/fixture-process.js");

/** Delivers functions by calling them. */
class Calls extends PendingEvents {
  deliveries = 0;

  constructor(calls) {
    super();
    this.calls = calls;
  }

  get hasEvents() {
    return this.calls.length > 0;
  }

  deliverEvents() {
    while (this.hasEvents) this.calls.shift()();
  }

  handleDelivered() {
    this.deliveries++;
  }
}

test("the events behind one whose listener throws are delivered in the next turn", async () => {
  const delivered = [];
  const deliver = (event) => () => delivered.push(event);
  const fail = () => {
    throw new Error("of a listener");
  };
  const events = new Calls([deliver(1), fail, deliver(2), deliver(3)]);
  assert.throws(() => events.deliver(), { message: "of a listener" });
  assert.deepEqual([delivered, events.deliveries], [[1], 0]);
  await nextTurn();
  assert.deepEqual([delivered, events.deliveries], [[1, 2, 3], 1]);
});

test("events are delivered once, in a turn of their own", async () => {
  const delivered = [];
  const events = new Calls([() => delivered.push(1)]);
  events.schedule();
  assert.deepEqual(delivered, []);
  await nextTurn();
  await nextTurn();
  assert.deepEqual([delivered, events.deliveries], [[1], 1]);
});

test("a listener that throws keeps no message from those behind it, paused or not", {
  skip: !hasNative,
  timeout: 20_000,
}, async (t) => {
  const fixture = startFixture(t, "throwing-receiver.js", []);
  assert.deepEqual(await fixture.next(), {
    received: ["1", "2", "3", "4", "5"],
    errors: ["of a message that has arrived", "of a message that was held back"],
  });
});
