"use strict";

/**
 * Edits that applications make to the adapter's maps: `adapter.rooms`, `adapter.sids`, `nsp.sockets`
 * and the Sets in them. Socket.IO has no copy of them: the maps decide whom a broadcast reaches.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const { inspect } = require("node:util");
const { Adapter } = require("socket.io-adapter");
const turbo = require("../..");
const {
  assertNativeCount,
  engines,
  hasNative,
  noConnectionsLeft,
} = require("../support/engines.js");
const { HANG_GUARD, Observed } = require("../support/observed.js");
const { enter } = require("../support/socket-io-client.js");
const { startServer } = require("../support/socket-io-server.js");

/** The clients, with the rooms that they join, and their transports: `d` polls. */
const CAST = {
  a: { rooms: ["game"], transports: ["websocket"] },
  b: { rooms: ["game", "chat"], transports: ["websocket"] },
  c: { rooms: ["chat", "solo"], transports: ["websocket"] },
  d: { rooms: ["game"], transports: ["polling"] },
};
const NAMES = Object.keys(CAST);
/** How many of the connections are on workers, with our engine. */
const NATIVE = 3;

const onAnAdapterOfOthers = {
  name: "turbo on another adapter",
  serverOptions: (options) => turbo.turbo({ ...options, adapter: turbo.createAdapter(Adapter) }),
};
const judged = hasNative ? [...engines, onAnAdapterOfOthers] : engines;

/** The events of the clients, by their names. */
class Audience extends Observed {
  received = new Map(NAMES.map((name) => [name, []]));
  #ended = new Set();

  listen(name, client) {
    client.onAny((event) => {
      if (event === "end") this.#ended.add(name);
      else this.received.get(name).push(event);
      this.changed();
    });
  }

  async haveAll(names) {
    await this.until(() => names.every((name) => this.#ended.has(name)), "the end");
    this.#ended.clear();
  }

  /** @returns {Record<string, string>} the events received since the last call */
  take() {
    return Object.fromEntries(
      NAMES.map((name) => [name, this.received.get(name).splice(0).join(" ")]),
    );
  }

  describe() {
    return inspect(this.received);
  }
}

/**
 * Starts a server with the cast.
 *
 * @returns {Promise<object>} for programs: `io`, its `adapter`, the maps `rooms`, `sids` and
 *   `sockets` as they are now, the server's sockets by their names, and `audience`
 */
async function stage(t, engine) {
  await noConnectionsLeft();
  const server = await startServer(t, engine);
  const { io } = server;
  const audience = new Audience();
  const scene = { io, audience, clients: {} };
  for (const [name, { rooms, transports }] of Object.entries(CAST)) {
    const prepare = (client) => audience.listen(name, client);
    const { client, socket } = await enter(server, { transports, prepare });
    socket.join(rooms);
    scene[name] = socket;
    scene.clients[name] = client;
  }
  assertNativeCount(engine, NATIVE);
  const { adapter } = io.sockets;
  return Object.assign(scene, { adapter, ...mapsOf(io) });
}

function mapsOf(io) {
  const { adapter, sockets } = io.sockets;
  return { rooms: adapter.rooms, sids: adapter.sids, sockets };
}

/** Returns the events that each client has received of those sent up to now. */
async function receivedIn({ audience, clients, ...sockets }) {
  const present = NAMES.filter((name) => clients[name].connected && sockets[name].connected);
  for (const name of present) sockets[name].emit("end");
  await audience.haveAll(present);
  return audience.take();
}

const noop = () => {};

/**
 * Programs, and the events that each client receives: none where it is left out.
 *
 * @type {Record<string, { run: (scene: object) => unknown, received: Partial<Record<string, string>> }>}
 */
const PROGRAMS = {
  "rooms.delete(room) ends a room": {
    run({ io, rooms }) {
      rooms.delete("game");
      io.to("game").emit("lost");
      io.except("game").emit("all");
    },
    received: { a: "all", b: "all", c: "all", d: "all" },
  },
  "a room that was deleted is made again by a join": {
    run({ io, rooms, a, c }) {
      rooms.delete("game");
      a.join("game");
      io.to("game").emit("one");
      c.join("game");
      io.to("game").emit("two");
    },
    received: { a: "one two", c: "two" },
  },
  "rooms.get(room).delete(id) takes a socket out": {
    run({ io, rooms, a }) {
      rooms.get("game").delete(a.id);
      io.to("game").emit("game");
      io.except("game").emit("rest");
    },
    received: { a: "rest", b: "game", c: "rest", d: "game" },
  },
  "all but one are taken out": {
    run({ io, rooms, a, d }) {
      rooms.get("game").delete(a.id);
      rooms.get("game").delete(d.id);
      io.to("game").emit("game");
    },
    received: { b: "game" },
  },
  "rooms.get(room).clear() empties a room": {
    run({ io, rooms, c }) {
      rooms.get("game").clear();
      io.to("game").emit("none");
      c.join("game");
      io.to("game").emit("game");
    },
    received: { c: "game" },
  },
  "a room is emptied while it is gone through": {
    run({ io, rooms, b }) {
      const ids = rooms.get("game");
      for (const id of ids) if (id !== b.id) ids.delete(id);
      io.to("game").emit("game");
    },
    received: { b: "game" },
  },
  "rooms.get(room).add(id) puts a socket in": {
    run({ io, rooms, c }) {
      rooms.get("game").add(c.id);
      io.to("game").emit("one");
      c.onAnyOutgoing(noop);
      io.to("game").emit("two");
      c.offAnyOutgoing(noop);
      io.to("game").emit("three");
      c.leave("game");
      io.to("game").emit("four");
    },
    received: {
      a: "one two three four",
      b: "one two three four",
      c: "one two three",
      d: "one two three four",
    },
  },
  "a second name for a room": {
    run({ io, rooms, a }) {
      rooms.set("new", rooms.get("game"));
      io.to("new").emit("new");
      io.to("new").to("game").emit("both");
      a.leave("game");
      io.to("new").emit("left");
      rooms.delete("game");
      io.to("new").emit("still");
    },
    received: { a: "new both", b: "new both left still", d: "new both left still" },
  },
  "a room is renamed": {
    run({ io, rooms, c }) {
      rooms.set("new", rooms.get("game"));
      rooms.delete("game");
      io.to("game").emit("none");
      io.to("new").emit("new");
      rooms.get("new").add(c.id);
      io.to("new").emit("more");
    },
    received: { a: "new more", b: "new more", c: "more", d: "new more" },
  },
  "two rooms change places": {
    run({ io, rooms }) {
      const [game, chat] = [rooms.get("game"), rooms.get("chat")];
      rooms.set("game", chat).set("chat", game);
      io.to("game").emit("game");
      io.to("chat").emit("chat");
    },
    received: { a: "chat", b: "game chat", c: "game", d: "chat" },
  },
  "a room is replaced by a copy": {
    run({ io, rooms, a, b }) {
      const old = rooms.get("game");
      rooms.set("game", new Set(old));
      old.delete(a.id);
      io.to("game").emit("one");
      rooms.get("game").delete(b.id);
      io.to("game").emit("two");
    },
    received: { a: "one two", b: "one", d: "one two" },
  },
  "a Set of the application's as a room": {
    run({ io, rooms, a, b, c }) {
      const vip = new Set([a.id, c.id]);
      rooms.set("vip", vip);
      io.to("vip").emit("one");
      vip.add(b.id).delete(a.id);
      io.to("vip").emit("two");
    },
    received: { a: "one", b: "two", c: "one two" },
  },
  "a Set of another class as a room": {
    run({ io, rooms, a, b, c, d }) {
      class Team extends Set {
        sign(id) {
          super.add(id);
        }
      }
      const team = new Team([a.id, d.id]);
      rooms.set("team", team);
      io.to("team").emit("one");
      team.sign(b.id);
      io.to("team").to("solo").emit("two");
      io.except("team").emit("rest");
      team.delete(a.id);
      io.to("team").emit("three");
      assert.equal(rooms.get("team"), team);
      c.join("team");
      io.to("team").emit("four");
    },
    received: { a: "one two", b: "two three four", c: "two rest four", d: "one two three four" },
  },
  "a list as a room": {
    run({ io, rooms, a, c, d }) {
      rooms.set("list", [a.id, c.id, d.id]);
      io.to("list").emit("list");
      io.except("list").emit("rest");
    },
    received: { a: "list", b: "rest", c: "list", d: "list" },
  },
  "a frozen room": {
    run({ io, rooms, a }) {
      Object.freeze(rooms.get("game"));
      io.to("game").emit("one");
      rooms.get("game").delete(a.id);
      io.to("game").emit("two");
    },
    received: { a: "one", b: "one two", d: "one two" },
  },
  "methods of the prototypes": {
    run({ io, rooms, a, sids, sockets, b }) {
      Set.prototype.delete.call(rooms.get("game"), a.id);
      io.to("game").emit("one");
      Map.prototype.delete.call(rooms, "game");
      io.to("game").emit("none");
      Map.prototype.delete.call(sids, a.id);
      io.emit("two");
      Map.prototype.delete.call(sockets, b.id);
      io.emit("three");
    },
    received: { b: "one two", c: "two three", d: "one two three" },
  },
  "rooms.clear() ends all rooms": {
    run({ io, rooms, a, c }) {
      rooms.clear();
      io.to("game").emit("none");
      io.to(a.id).emit("none");
      io.emit("all");
      a.join("game");
      c.join("game");
      io.to("game").emit("game");
      io.except("game").emit("rest");
    },
    received: { a: "all game", b: "all rest", c: "all game", d: "all rest" },
  },
  "socket.rooms.clear() changes nothing yet": {
    run({ io, a }) {
      a.rooms.clear();
      io.to("game").emit("one");
      a.onAnyOutgoing(noop);
      io.to("game").emit("two");
      a.offAnyOutgoing(noop);
      io.to("game").emit("three");
      a.leave("game");
      io.to("game").emit("four");
    },
    received: { a: "one two three", b: "one two three four", d: "one two three four" },
  },
  "sids.get(id).delete(room) changes nothing yet": {
    run({ io, sids, a }) {
      sids.get(a.id).delete("game");
      a.prependAnyOutgoing(noop);
      io.to("game").emit("one");
      a.offAnyOutgoing();
      io.to("game").emit("two");
    },
    received: { a: "one two", b: "one two", d: "one two" },
  },
  "sids.delete(id) takes a socket out of broadcasts to all": {
    run({ io, sids, a, d }) {
      sids.delete(a.id);
      sids.delete(d.id);
      io.emit("all");
      io.to("game").emit("game");
      io.to(a.id).emit("own");
      a.onAnyOutgoing(noop);
      io.to("game").emit("again");
      a.offAnyOutgoing(noop);
      io.to("game").emit("and again");
      io.emit("nothing");
    },
    received: {
      a: "game own again and again",
      b: "all game again and again nothing",
      c: "all nothing",
      d: "game again and again",
    },
  },
  "sids.clear(), then a join": {
    run({ io, sids, a }) {
      sids.clear();
      io.emit("none");
      a.join("other");
      io.emit("one");
    },
    received: { a: "one" },
  },
  "nsp.sockets.delete(id) takes a socket out of everything": {
    run({ io, sockets, a, d }) {
      sockets.delete(a.id);
      sockets.delete(d.id);
      io.emit("all");
      io.to("game").emit("game");
      io.to(a.id).emit("own");
      sockets.set(a.id, a).set(d.id, d);
      io.to("game").emit("back");
      io.emit("all again");
    },
    received: {
      a: "back all again",
      b: "all game back all again",
      c: "all all again",
      d: "back all again",
    },
  },
  "a socket under two ids receives the events to both": {
    run({ io, rooms, sockets, a, b }) {
      sockets.set("alias", a);
      rooms.set("twice", new Set([a.id, "alias", b.id]));
      io.to("twice").emit("one");
      io.to("twice").except(a.id).emit("two");
      sockets.delete("alias");
      io.to("twice").emit("three");
    },
    received: { a: "one one two three", b: "one two three" },
  },
  "another Map in the place of adapter.rooms": {
    run({ io, adapter, a, c }) {
      adapter.rooms = new Map([["game", new Set([c.id])]]);
      io.to("game").emit("one");
      io.to("chat").emit("none");
      a.join("game");
      io.to("game").emit("two");
    },
    received: { a: "two", c: "one two" },
  },
  "another Map in the place of adapter.sids": {
    run({ io, adapter, sids, a, d }) {
      adapter.sids = new Map([...sids].filter(([id]) => id === a.id || id === d.id));
      io.emit("some");
      io.to("game").emit("game");
      adapter.sids.delete(a.id);
      io.emit("one");
    },
    received: { a: "some game", b: "game", d: "some game one" },
  },
  "another Map in the place of nsp.sockets": {
    run({ io, sockets, a, c }) {
      io.sockets.sockets = new Map([...sockets].filter(([id]) => id !== a.id));
      io.emit("all");
      io.to("game").emit("game");
      io.sockets.sockets.delete(c.id);
      io.emit("rest");
    },
    received: { b: "all game rest", c: "all", d: "all game rest" },
  },
  "a Map of another class": {
    run({ io, adapter, rooms, a, c }) {
      class Counting extends Map {
        end(room) {
          super.delete(room);
        }
      }
      adapter.rooms = new Counting(rooms);
      io.to("game").emit("one");
      adapter.rooms.end("game");
      io.to("game").emit("none");
      c.join("game");
      a.join("game");
      io.to("game").emit("two");
    },
    received: { a: "one two", b: "one", c: "two", d: "one" },
  },
  "another namespace with the same room": {
    run({ io, rooms, a }) {
      const other = io.of("/other").adapter;
      other.rooms.set("game", rooms.get("game"));
      io.of("/other").to("game").emit("none");
      io.to("game").emit("one");
      other.rooms.get("game").delete(a.id);
      io.of("/other").to("game").emit("none");
      io.to("game").emit("two");
    },
    received: { a: "one", b: "one two", d: "one two" },
  },
  "listeners of the adapter undo the change": {
    run({ io, adapter, rooms, a, c, b }) {
      adapter.on("join-room", (room, id) => room === "closed" && rooms.get(room).delete(id));
      adapter.on("leave-room", (room, id) => room === "chat" && rooms.get(room)?.add(id));
      a.join("closed");
      c.join("closed");
      io.to("closed").emit("none");
      b.leave("chat");
      io.to("chat").emit("chat");
    },
    received: { b: "chat", c: "chat" },
  },
  "a socket disconnects whose rooms were cleared": {
    async run({ io, audience, clients, sockets, rooms, a, c }) {
      a.rooms.clear();
      const gone = once(a, "disconnect");
      clients.a.disconnect();
      await gone;
      assert.equal(sockets.has(a.id), false);
      assert.equal(rooms.get("game").has(a.id), true);
      io.to("game").emit("one");
      c.join("game");
      io.to("game").emit("two");
      assert.equal(audience.received.get("a").length, 0);
    },
    received: { b: "one two", c: "two", d: "one two" },
  },
  "all sockets are moved by hand": {
    run({ io, rooms, sockets }) {
      for (const id of [...rooms.get("game")]) {
        sockets.get(id).leave("game");
        sockets.get(id).join("next");
      }
      io.to("game").emit("none");
      io.to("next").emit("next");
    },
    received: { a: "next", b: "next", d: "next" },
  },
};

if (Map.prototype.getOrInsert !== undefined) {
  PROGRAMS["rooms.getOrInsert(room, set)"] = {
    run({ io, rooms, a, b, c }) {
      rooms.getOrInsert("game", new Set()).add(c.id);
      rooms.getOrInsert("vip", new Set()).add(a.id).add(b.id);
      rooms.getOrInsertComputed("more", () => new Set([a.id])).add(c.id);
      io.to("game").emit("game");
      io.to("vip").emit("vip");
      io.to("more").emit("more");
    },
    received: { a: "game vip more", b: "game vip", c: "game more", d: "game" },
  };
}

for (const engine of judged) {
  describe(engine.name, { timeout: 9 * HANG_GUARD }, () => {
    for (const [name, { run, received: expected }] of Object.entries(PROGRAMS)) {
      for (const isFirst of [true, false]) {
        test(`${name}${isFirst ? "" : ", after broadcasts"}`, async (t) => {
          const scene = await stage(t, engine);
          if (!isFirst) {
            scene.io.to("game").to("chat").except("solo").emit("before");
            await receivedIn(scene);
          }
          await run(scene);
          const silent = Object.fromEntries(NAMES.map((other) => [other, ""]));
          assert.deepEqual(await receivedIn(scene), { ...silent, ...expected });
        });
      }
    }

    test("the maps look like any Map", async (t) => {
      const { io, rooms, sids, sockets, a, b } = await stage(t, engine);
      io.to("chat").except("game").emit("before");
      const plain = new Map([...rooms].map(([room, ids]) => [room, new Set([...ids])]));
      assert.deepEqual(rooms, plain);
      assert.deepEqual(new Map(rooms), plain);
      assert.deepEqual(structuredClone(rooms), plain);
      assert.equal(inspect(rooms), inspect(plain));
      assert.equal(JSON.stringify(rooms), "{}");
      for (const map of [rooms, sids, sockets]) {
        assert.equal(Object.getPrototypeOf(map), Map.prototype);
        assert.equal(String(map), "[object Map]");
        assert.deepEqual([Object.keys(map), Object.entries(map)], [[], []]);
      }
      const chat = rooms.get("chat");
      assert.equal(Object.getPrototypeOf(chat), Set.prototype);
      assert.deepEqual([chat, Object.keys(chat)], [new Set(plain.get("chat")), []]);
      assert.equal(chat.add(a.id), chat);
      assert.deepEqual([chat.delete(a.id), chat.delete(a.id)], [true, false]);
      assert.equal(rooms.set("chat", chat), rooms);
      assert.deepEqual([rooms.delete("none"), rooms.delete("chat")], [false, true]);
      assert.deepEqual([b.rooms.clear(), rooms.clear(), rooms.size], [undefined, undefined, 0]);
    });
  });
}

describe("turbo", { skip: !hasNative, timeout: HANG_GUARD }, () => {
  /** Runs a program; returns how many broadcasts went to the workers. */
  async function broadcastsOf(t, run) {
    const scene = await stage(t, {
      name: "turbo",
      serverOptions: (options) => turbo.turbo({ ...options, ioThreads: 1 }),
    });
    const before = turbo.stats().broadcasts;
    run(scene);
    await receivedIn(scene);
    return turbo.stats().broadcasts - before;
  }

  test("broadcasts go to the workers whatever is in the maps", async (t) => {
    const count = await broadcastsOf(t, ({ io, rooms, sids, sockets, adapter, a, c }) => {
      rooms.set("new", rooms.get("game"));
      rooms.delete("game");
      rooms.get("new").delete(a.id);
      a.rooms.clear();
      sids.delete(a.id);
      sockets.delete(c.id);
      io.to("new").emit("one");
      adapter.rooms = new Map([["game", new Set([...rooms.get("new")])]]);
      io.to("game").emit("two");
      io.emit("three");
    });
    assert.equal(count, 3);
  });

  test("only a Set that cannot be watched is left to the official code", async (t) => {
    const count = await broadcastsOf(t, ({ io, rooms, a, b }) => {
      rooms.set("team", new (class extends Set {})([a.id, b.id]));
      io.to("team").emit("one");
      io.except("team").emit("two");
      io.to("game").emit("three");
      rooms.delete("team");
      io.to("team").except("game").emit("nobody");
      io.except("team").emit("four");
    });
    assert.equal(count, 2);
  });
});
