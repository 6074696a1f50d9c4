"use strict";

/** Who acknowledges the broadcasts of one node, and with what. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { eachGets } = require("../nodes.js");

const BYTES = Buffer.from([0, 1, 0x7b, 0xff]);

/** How long all may take, in milliseconds. The official adapter keeps the process so long. */
const ACK_TIMEOUT = 5_000;

/**
 * @param {() => import("../nodes.js").Nodes} started
 * @param {number} index of the node that sends
 */
function acknowledgements(started, index) {
  const sender = () => started().all[index];

  test("all acknowledge, wherever they are", async () => {
    const { clients } = started();
    const answers = await sender().io.timeout(ACK_TIMEOUT).emitWithAck("question", "text", BYTES);
    assert.deepEqual(
      answers.sort((a, b) => a - b),
      clients.map((client) => client.index),
    );
    const expected = eachGets(clients, [["question", "text", BYTES]]);
    await started().assertReceived(expected);
  });

  test("those in a room acknowledge, and those who do not are missed", async () => {
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
