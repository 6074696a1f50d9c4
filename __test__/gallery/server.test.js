"use strict";

/** The server of the gallery with plain clients: wrong input, identities, and offsets. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, before, after, test } = require("node:test");
const { createGallery } = require("../../examples/gallery/server.js");
const { USES } = require("../../examples/gallery/uses.js");
const { polled } = require("../support/observed.js");
const { connectClient } = require("../support/socket-io-client.js");

/** Wrong for every event that has an argument. */
const WRONG = {
  "a fraction": 1.5,
  "a negative number": -1,
  "a long text": "x".repeat(100_000),
  "an empty text": " ",
  "an empty object": {},
  "an object of objects": { x: {}, y: [], topic: {}, body: {}, name: {}, key: {}, option: {} },
  "much binary data": Buffer.alloc(100_000),
};

const NAMESPACES = [
  ...USES.filter(({ name }) => name !== "chat").map(({ name }) => `/${name}`),
  "/support-agents",
  "/webinar/rooms",
];

describe("the gallery's server", () => {
  let gallery;
  let clients;
  before(async () => {
    gallery = await createGallery();
    clients = [];
  });
  after(async () => {
    for (const client of clients) client.disconnect();
    await gallery.close();
  });

  /** Connects a visitor to a namespace. */
  async function visit(namespace, auth) {
    const client = connectClient(gallery.url + namespace, {
      auth: { visitor: "a-secret-of-mine", passPhrase: "open sesame", ...auth },
    });
    clients.push(client);
    await new Promise((resolve, reject) =>
      client.on("connect", resolve).on("connect_error", reject),
    );
    return client;
  }

  /** The events that the server handles, but for those of Socket.IO and those without argument. */
  function eventsOf({ nsp, id }) {
    const socket = gallery.io.of(nsp).sockets.get(id);
    return socket.eventNames().filter((event) => !["disconnect", "error", "undo"].includes(event));
  }

  for (const [title, value] of Object.entries(WRONG)) {
    test(`refuses ${title} as argument of every event`, async () => {
      const counts = await Promise.all(
        NAMESPACES.map(async (namespace) => {
          const client = await visit(namespace);
          const events = eventsOf(client);
          for (const event of events) {
            const { ok, error } = await client.emitWithAck(event, value);
            assert.equal(ok, false, `${namespace} ${event}`);
            assert.match(error, /please|choices|pairs/, `${namespace} ${event}`);
            // Without an acknowledgement, too.
            client.emit(event, value, value);
          }
          return events.length;
        }),
      );
      assert.ok(counts.reduce((sum, count) => sum + count) > 20);
    });
  }

  test("refuses an event that comes too often, and no other event", async () => {
    const client = await visit("/whiteboard");
    const points = Buffer.from(Uint16Array.of(1, 2, 3, 4).buffer);
    const draft = () => client.emitWithAck("draft", points);
    assert.equal((await draft()).ok, true);
    // A slow machine may take so long for a hundred that they are not too many.
    await polled(async () => {
      const answers = await Promise.all(Array.from({ length: 100 }, draft));
      return answers.some(({ error }) => error === "Not so fast, please");
    });
    assert.equal((await client.emitWithAck("stroke", points)).ok, true);
  });

  test("refuses a stroke beside the board, and an update that Yjs cannot decode", async () => {
    const board = await visit("/whiteboard");
    const beside = Buffer.from(Uint16Array.of(1, 301).buffer);
    assert.match((await board.emitWithAck("stroke", beside)).error, /beside the board/);
    const code = await visit("/code");
    for (const bytes of [
      [255, 255, 255, 255, 255],
      [1, 1, 1, 1],
    ]) {
      const answer = await code.emitWithAck("update", Buffer.from(bytes));
      assert.deepEqual(answer, { ok: false, error: "That is no update of Yjs" });
    }
    assert.equal((await code.emitWithAck("sync", Buffer.of(0))).ok, true);
  });

  test("refuses visitors without a secret, and devices without the token", async () => {
    for (const [namespace, auth, message] of [
      ["/poll", { visitor: undefined }, "Who are you?"],
      ["/poll", { visitor: { toString: 1 } }, "Who are you?"],
      ["/iot-devices", { name: "lamp", token: "guess" }, "Unknown device"],
      ["/iot-devices", { name: "__proto__" }, "Unknown device"],
      ["/support-agents", { passPhrase: ["open sesame"] }, "That is not the pass phrase"],
      ["/webinar/nowhere", {}, "Invalid namespace"],
    ]) {
      const refused = visit(namespace, auth);
      await assert.rejects(refused, ({ message: text }) => text === message);
    }
  });

  test("sends a visitor nothing that tells the secret", async () => {
    const [first, second] = [
      await visit("/sheet"),
      await visit("/sheet", { visitor: "another-one" }),
    ];
    const selections = once(second, "selections");
    first.emit("select", "A1");
    const text = JSON.stringify(await selections);
    assert.ok(text.includes('"cell":"A1"') || text.includes("[]"));
    assert.ok(!text.includes("a-secret-of-mine"));
  });

  test("gives a bid to the highest bidder, and names the leader to others", async () => {
    const [first, second] = [
      await visit("/auction"),
      await visit("/auction", { visitor: "another-one" }),
    ];
    assert.equal((await first.emitWithAck("bid", 500)).ok, true);
    const { ok, error } = await second.emitWithAck("bid", 500);
    assert.equal(ok, false);
    assert.match(error, /^At least 505: .+ leads$/);
  });

  test("sends the scores after the last that a page has, and all to a page that has others", async () => {
    const eventsOf = async (offset) => {
      const client = connectClient(`${gallery.url}/sports`, {
        auth: { visitor: "a-secret-of-mine", serverOffset: offset },
      });
      clients.push(client);
      const [events] = await once(client, "events");
      return events.map(({ id }) => id);
    };
    const all = await eventsOf(undefined);
    assert.equal(all[0], 1);
    assert.equal((await eventsOf(5))[0], 6);
    for (const offset of [1e9, "5; DROP", { valueOf: 1 }, -3, null]) {
      assert.equal((await eventsOf(offset))[0], 1, String(offset));
    }
  });
});
