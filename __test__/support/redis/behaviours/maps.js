"use strict";

/**
 * The recipients of one node's broadcasts on another node, whose application edits the maps of its
 * adapter: `adapter.rooms`, `adapter.sids`, `nsp.sockets` and the Sets in them.
 */

const { test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const { eachGets } = require("../nodes.js");

let count = 0;
const noop = () => {};

/** Replaces members of an object; returns a function that undoes it. */
function replace(object, members) {
  const before = Object.keys(members).map((name) => [name, object[name]]);
  Object.assign(object, members);
  return () => Object.assign(object, Object.fromEntries(before));
}

/**
 * Edits on a node, each with the clients that then receive a packet for the room, which all three have
 * joined. `restore()` undoes what would disturb other tests.
 *
 * @type {Record<string, (scene: Scene) => { get?: Client[], to?: unknown[], restore?: () => void }>}
 *
 * @typedef {import("../nodes.js").Client} Client
 * @typedef {object} Scene
 * @property {string} room
 * @property {Client[]} clients of the node; the third one polls
 * @property {import("socket.io").Socket[]} own their sockets
 * @property {import("socket.io").Namespace} nsp
 */
const TO_ROOMS = {
  "rooms.delete(room)": ({ room, nsp }) => {
    nsp.adapter.rooms.delete(room);
    return { get: [] };
  },
  "rooms.get(room).delete(id)": ({ room, nsp, clients: [, b, c], own }) => {
    nsp.adapter.rooms.get(room).delete(own[0].id);
    return { get: [b, c] };
  },
  "rooms.get(room).delete(id) of a socket that JavaScript serves": ({
    room,
    nsp,
    clients: [a, b],
    own,
  }) => {
    nsp.adapter.rooms.get(room).delete(own[2].id);
    return { get: [a, b] };
  },
  "rooms.get(room).delete(id) of all but one": ({ room, nsp, clients: [, b], own }) => {
    nsp.adapter.rooms.get(room).delete(own[0].id);
    nsp.adapter.rooms.get(room).delete(own[2].id);
    return { get: [b] };
  },
  "rooms.get(room).add(id)": ({ room, nsp, clients, own: [a] }) => {
    a.leave(room);
    nsp.adapter.rooms.get(room).add(a.id);
    return { get: clients };
  },
  "rooms.get(room).clear()": ({ room, nsp }) => {
    nsp.adapter.rooms.get(room).clear();
    return { get: [] };
  },
  "rooms.set(second, rooms.get(room))": ({ room, nsp, clients: [, b, c], own }) => {
    nsp.adapter.rooms.set(`${room} too`, nsp.adapter.rooms.get(room));
    own[0].leave(room);
    return { to: [`${room} too`, room], get: [b, c] };
  },
  "a room that is renamed": ({ room, nsp, clients: [a, , c], own }) => {
    const { rooms } = nsp.adapter;
    rooms.set(`${room} anew`, rooms.get(room));
    rooms.delete(room);
    rooms.get(`${room} anew`).delete(own[1].id);
    return { to: [`${room} anew`], get: [a, c] };
  },
  "rooms.set(room, new Set(…))": ({ room, nsp, clients: [a, b], own }) => {
    nsp.adapter.rooms.set(room, new Set([own[0].id, own[1].id]));
    return { get: [a, b] };
  },
  "a Set of another class as a room": ({ room, nsp, clients: [a, , c], own }) => {
    nsp.adapter.rooms.set(room, new (class extends Set {})([own[0].id]));
    nsp.adapter.rooms.get(room).add(own[2].id);
    return { get: [a, c], restore: () => nsp.adapter.rooms.delete(room) };
  },
  "a list as a room": ({ room, nsp, clients: [, b, c], own }) => {
    nsp.adapter.rooms.set(room, [own[1].id, own[2].id]);
    return { get: [b, c], restore: () => nsp.adapter.rooms.delete(room) };
  },
  "socket.rooms.clear()": ({ clients, own }) => {
    const rooms = own.map((socket) => [...socket.rooms]);
    for (const socket of own) socket.rooms.clear();
    return {
      get: clients,
      restore: () => own.forEach((socket, index) => void socket.join(rooms[index])),
    };
  },
  "socket.rooms.clear(), then listeners that come and go": ({ room, clients, own }) => {
    const [socket] = own;
    const rooms = [...socket.rooms];
    socket.rooms.clear();
    socket.onAnyOutgoing(noop);
    socket.offAnyOutgoing(noop);
    const restore = () => {
      socket.join(rooms);
      socket.leave(room);
    };
    return { get: clients, restore };
  },
  "nsp.sockets.delete(id)": ({ nsp, clients: [, b, c], own: [a] }) => {
    nsp.sockets.delete(a.id);
    return { get: [b, c], restore: () => nsp.sockets.set(a.id, a) };
  },
  "another Map in the place of adapter.rooms": ({ room, nsp, clients: [, b, c], own }) => {
    const { adapter } = nsp;
    const rooms = new Map([...adapter.rooms, [room, new Set([own[1].id])]]);
    const restore = replace(adapter, { rooms });
    rooms.get(room).add(own[2].id);
    return { get: [b, c], restore };
  },
  "a Map of another class in its place": ({ room, nsp, clients: [a, , c], own }) => {
    const { adapter } = nsp;
    const restore = replace(adapter, { rooms: new (class extends Map {})(adapter.rooms) });
    adapter.rooms.set(room, new Set([own[0].id]));
    adapter.rooms.get(room).add(own[2].id);
    return { get: [a, c], restore };
  },
  "another Map in the place of nsp.sockets": ({ nsp, clients: [, b, c], own: [a] }) => {
    const sockets = new Map([...nsp.sockets].filter(([id]) => id !== a.id));
    return { get: [b, c], restore: replace(nsp, { sockets }) };
  },
};

/** Edits on a node, each with the clients that do not receive what is sent to all but the room. */
const TO_ALL = {
  "rooms.delete(room)": ({ room, nsp }) => {
    nsp.adapter.rooms.delete(room);
    return { omits: [] };
  },
  "rooms.get(room).delete(id)": ({ room, nsp, clients: [, b, c], own: [a] }) => {
    nsp.adapter.rooms.get(room).delete(a.id);
    return { omits: [b, c] };
  },
  "a Set of another class as a room": ({ room, nsp, clients: [a, , c], own }) => {
    nsp.adapter.rooms.set(room, new (class extends Set {})([own[0].id, own[2].id]));
    return { omits: [a, c], restore: () => nsp.adapter.rooms.delete(room) };
  },
  "sids.delete(id)": ({ room, nsp, clients: [a], own }) => {
    const { sids } = nsp.adapter;
    for (const socket of own) socket.leave(room);
    const rooms = sids.get(own[0].id);
    sids.delete(own[0].id);
    return { omits: [a], restore: () => sids.set(own[0].id, rooms) };
  },
  "another Map in the place of adapter.sids": ({ nsp, room, clients: [a, , c], own }) => {
    const { adapter } = nsp;
    for (const socket of own) socket.leave(room);
    const sids = new Map([...adapter.sids].filter(([id]) => id !== own[0].id));
    const restore = replace(adapter, { sids });
    sids.delete(own[2].id);
    return { omits: [a, c], restore };
  },
};

/** @type {import("./all.js").Behaviour} */
function maps(started, index, { isOrdered }) {
  const edited = () => started().all.find((_node, other) => other !== index);

  /** Puts the clients of a node in a room, which receives the broadcasts of all other nodes. */
  async function scene() {
    const node = edited();
    const own = node.clients.map((client) => node.socketOf(client));
    const room = `maps ${++count}`;
    for (const socket of own) socket.join(room);
    await started().roomIsReached("/", room);
    return { room, own, clients: node.clients, nsp: node.io.of("/") };
  }

  /** Nodes that subscribe to single rooms do not notice one that is made by hand. */
  const named = (rooms) => (isOrdered ? rooms : [...rooms, "another"]);

  /** Edits the maps of a node, sends, and waits until it has arrived, before the maps are restored. */
  async function check(name, edit, { target, recipients }) {
    const set = await scene();
    const result = edit(set);
    const expected = recipients(result);
    target(started().all[index].io, result, set).emit("news", name);
    const hasCome = () => expected.every(({ received }) => received.length > 0);
    while (!hasCome()) await delay(2);
    result.restore?.();
    for (const socket of set.own) socket.leave(set.room);
    await started().assertReceived(eachGets(expected, [["news", name]]));
  }

  const rooms = {
    target: (io, { to }, { room }) => io.to(named(to ?? [room])),
    recipients: ({ get }) => get,
  };
  for (const [name, edit] of Object.entries(TO_ROOMS)) {
    test(`rooms of another node, after ${name}`, () => check(name, edit, rooms));
  }

  const rest = {
    target: (io, _result, { room }) => io.except(room),
    recipients: ({ omits }) => started().clients.filter((client) => !omits.includes(client)),
  };
  for (const [name, edit] of Object.entries(TO_ALL)) {
    test(`all but a room of another node, after ${name}`, () => check(name, edit, rest));
  }
}

module.exports = { maps };
