"use strict";

/** Acknowledgements of one node's broadcasts. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { eachGets } = require("../nodes.js");

const BYTES = Buffer.from([0, 1, 0x7b, 0xff]);

/** Deadline for acknowledgements in milliseconds, for which the official adapter keeps the process. */
const ACK_TIMEOUT = 5_000;

/** @type {import("./all.js").Behaviour} */
function acknowledgements(started, index) {
  const sender = () => started().all[index];

  test("all clients acknowledge, on whichever node", async () => {
    const { clients } = started();
    const answers = await sender().io.timeout(ACK_TIMEOUT).emitWithAck("question", "text", BYTES);
    assert.deepEqual(
      answers.sort((a, b) => a - b),
      clients.map((client) => client.index),
    );
    const expected = eachGets(clients, [["question", "text", BYTES]]);
    await started().assertReceived(expected);
  });

  test("clients in a room acknowledge, and missing answers are an error", async () => {
    const { clients } = started();
    const ids = [clients.at(0).id, clients.at(-1).id];
    const answers = await sender().io.to(ids).timeout(ACK_TIMEOUT).emitWithAck("question");
    assert.deepEqual(answers.sort(), [clients.at(0).index, clients.at(-1).index]);
    assert.deepEqual(
      await sender().io.to("nobody").timeout(ACK_TIMEOUT).emitWithAck("question"),
      [],
    );
    await assert.rejects(sender().io.to(ids).timeout(100).emitWithAck("silence"), (error) => {
      assert.equal(error.message, "operation has timed out");
      assert.deepEqual(error.responses, []);
      return true;
    });
    const expected = eachGets([clients.at(0), clients.at(-1)], [["question"], ["silence"]]);
    await started().assertReceived(expected);
  });
}

module.exports = { acknowledgements };
