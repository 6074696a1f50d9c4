"use strict";

/** The benchmark of permessage-deflate: what its messages hold, and what it measures. */

const assert = require("node:assert/strict");
const path = require("node:path");
const { before, describe, test } = require("node:test");
const { LoadClient } = require("../../bench/processes/load-client.js");
const { build } = require("../../bench/processes/load-process.js");
const { recordsOf } = require("../../bench/processes/records.js");
const { ServerProcess } = require("../../bench/processes/server-process.js");
const { losses, reasonsFor } = require("../../bench/report/losses.js");
const deflate = require("../../bench/scenarios/deflate.js");
const { compare } = require("../../bench/suite/comparison.js");
const { skipWithoutCargo } = require("../support/cargo.js");

const [similar, different, plain, inbound] = deflate.loads;
const PAYLOAD = 2048;
const CONTEXTLESS = path.join(__dirname, "../fixtures/contextless-contender.js");
const BYTES_SENT = "bytes on the wire per delivered message";

describe("records that are broadcast", () => {
  for (const kind of ["quotes", "rows"]) {
    test(`are the same ${kind} in each process, as many as fit`, () => {
      const messages = recordsOf(kind, PAYLOAD);
      assert.deepEqual(messages, recordsOf(kind, PAYLOAD));
      for (const records of messages) {
        const { length } = JSON.stringify(records);
        assert.ok(length <= PAYLOAD && length > PAYLOAD - 200, `${length} bytes`);
      }
    });
  }

  test("are for the most part those of the message before, or have only their keys in common", () => {
    const kept = (kind) => {
      const messages = recordsOf(kind, PAYLOAD).map((records) => records.map(JSON.stringify));
      const shares = messages.slice(1).map((records, index) => {
        const before = new Set(messages[index]);
        return records.filter((record) => before.has(record)).length / records.length;
      });
      return shares.reduce((sum, share) => sum + share) / shares.length;
    };
    assert.ok(kept("quotes") > 0.5 && kept("quotes") < 0.8, `${kept("quotes")}`);
    assert.equal(kept("rows"), 0);
  });
});

describe("the benchmark of permessage-deflate", { skip: skipWithoutCargo }, () => {
  before(() => build());

  const timing = { warmUp: 0.1, seconds: 0.4 };
  const few = { clients: 10, payload: PAYLOAD, stretch: 1 };
  const round = (name, load) => deflate.round(name, { ...load, ...few, rate: 50 }, timing);

  for (const name of ["ws", "turbo"]) {
    test(`counts the bytes of ${name} on the wire, and its memory`, async () => {
      const loads = { similar, different, plain, inbound };
      const entries = await Promise.all(
        Object.entries(loads).map(async ([kind, load]) => [kind, await round(name, load)]),
      );
      const samples = Object.fromEntries(entries);
      const figure = (kind, title) => {
        const of = { scenario: "deflate", load: kind };
        const rows = compare(of, deflate.metrics(loads[kind]), { [name]: [samples[kind]] });
        return rows.find(({ metric }) => metric === title).contenders[name].median;
      };
      // A header of four bytes, and the end.
      const uncompressed = figure("plain", BYTES_SENT);
      assert.ok(uncompressed > PAYLOAD + 4 && uncompressed < PAYLOAD + 8, `${uncompressed}`);
      for (const kind of ["similar", "different"]) {
        assert.ok(figure(kind, BYTES_SENT) < PAYLOAD / 2, `${kind}: ${figure(kind, BYTES_SENT)}`);
      }
      assert.ok(figure("inbound", "bytes on the wire per received message") < PAYLOAD / 2);
      const weighed = Object.keys(samples).filter((kind) => Number.isFinite(samples[kind].growth));
      assert.deepEqual(weighed, ["similar", "plain"]);
      for (const { lost } of Object.values(samples)) assert.equal(lost, 0);
    });
  }

  test("keeps a context only where the server agrees to one", async () => {
    const [kept, none, received] = await Promise.all([
      round("ws", similar),
      round(CONTEXTLESS, similar),
      round(CONTEXTLESS, inbound),
    ]);
    const bytes = ({ load: { traffic, received } }) => traffic.read / received;
    assert.ok(bytes(none) > 2 * bytes(kept), `${bytes(none)} and ${bytes(kept)}`);
    assert.equal(received.lost, 0);
  });

  test("fails where the server does not compress", async (t) => {
    const server = await ServerProcess.start("ws");
    t.after(() => server.stop());
    const connecting = LoadClient.connect("idle", server.port, { clients: 1, deflate: true });
    await assert.rejects(connecting, /the load client failed/);
  });

  test("has a headline for what compresses, and bounds to ws", () => {
    const headlines = (load) => deflate.metrics(load).filter(({ isHeadline }) => isHeadline);
    assert.equal(headlines(plain).length, 0);
    for (const load of [similar, different, inbound]) {
      assert.ok(headlines(load).some(({ asked }) => asked?.[0].to === "ws"));
    }
  });

  test("leaves out servers that cannot be given the option", () => {
    const names = ["ws", "turbo", "engine", "socketioxide", "bun", "uws", "send"];
    assert.deepEqual(
      names.filter((name) => deflate.takesPart(name)),
      ["ws", "turbo", "engine"],
    );
  });
});

test("the report says why messages of ws are shorter", () => {
  const figures = (median) => ({ median, min: median, max: median });
  const contenders = { ws: figures(1), turbo: figures(2) };
  const row = { scenario: "deflate", load: "any", metric: BYTES_SENT, better: "lower", contenders };
  assert.match(
    reasonsFor(losses([row])).join(),
    /^\*\*deflate\*\*: A message that is compressed once/,
  );
});
