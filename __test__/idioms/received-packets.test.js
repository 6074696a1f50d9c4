"use strict";

/** Programs that look at received packets between the WebSocket and the listeners of a socket. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const { hasNative } = require("../support/engines.js");
const { polled } = require("../support/observed.js");
const {
  assertShort,
  compare,
  enterLogged,
  exchange,
  logEvents,
  sendInOnePiece,
} = require("../support/reception.js");
const {
  boundObservers,
  clientObservers,
  connectionObservers,
  socketObservers,
} = require("../support/packet-observers.js");

const GUARD = { timeout: 30_000 };
const BYTES = Buffer.from([1, 2, 255]);

/** Packets of all kinds that reach a listener. */
const PACKETS = [
  '42["first",1,{"a":[null]}]',
  '425["second"]',
  '451-["binary",{"_placeholder":true,"num":0}]',
  BYTES,
  '42/room,["third","ž"]',
  '431["answer"]',
  '42/room,8["fourth"]',
];

/** How many of them are neither binary nor have attachments, with the two fences of `exchange()`. */
const SPLIT_PACKETS = 5 + 2;

/** Connects a client to the main namespace and to `/room`. */
async function enter(server, log, name) {
  const room = server.io.of("/room");
  room.removeAllListeners("connection");
  const reception = await enterLogged(server, log, name);
  room.on("connection", (socket) => logEvents(socket, reception.see));
  await exchange(reception, ["40/room,"]);
  reception.shortCount();
  return reception;
}

/** Runs a program with an observer, which is undone in any case. */
async function observing(t, observer, reception, program) {
  let undo = () => {};
  const install = () => {
    undo = observer(reception);
  };
  const finish = () => {
    undo();
    undo = () => {};
  };
  t.after(finish);
  try {
    return await program(install, finish);
  } finally {
    finish();
  }
}

/** Observes from one turn to another. */
function betweenTurns(t, observer) {
  return async (server) => {
    const reception = await enter(server);
    const short = [];
    const send = async () => {
      reception.see("received", await exchange(reception, PACKETS));
      short.push(reception.shortCount());
    };
    await observing(t, observer, reception, async (install, finish) => {
      await send();
      install();
      await send();
      finish();
      // The first packet makes the worker split those that follow the answer.
      await send();
      await send();
    });
    return { log: reception.log, short };
  };
}

/** Begins to observe in a listener, while further packets have arrived. */
function insideListener(t, observer) {
  return async (server) => {
    const reception = await enter(server);
    await observing(t, observer, reception, async (install, finish) => {
      reception.socket.once("begin", install);
      reception.socket.once("end", finish);
      const begin = ['42["before"]', '42["begin"]', ...PACKETS];
      reception.see("received", await exchange(reception, begin));
      reception.see("received", await exchange(reception, PACKETS));
      reception.see("received", await exchange(reception, [...PACKETS, '42["end"]', ...PACKETS]));
      reception.see("received", await exchange(reception, PACKETS));
    });
    return { log: reception.log };
  };
}

/** Begins to observe one client in a listener of another, while packets of both have arrived. */
function insideListenerOfAnother(t, observer) {
  return async (server) => {
    const logs = [[], []];
    const receptions = [await enter(server, logs[0]), await enter(server, logs[1])];
    let observed;
    let undo = () => {};
    t.after(() => undo());
    for (const [index, { socket }] of receptions.entries()) {
      socket.once("begin", () => {
        if (observed !== undefined) return;
        observed = 1 - index;
        undo = observer(receptions[observed]);
      });
    }
    const messages = ['42["begin"]', ...PACKETS];
    const before = receptions.map(bytesRead);
    for (const { client } of receptions) sendInOnePiece(client, messages);
    // Packets of both are in the same batch of events if they have arrived before JavaScript goes on.
    while (hasBlocked(receptions, before));
    const isLast = ([kind, , event]) => kind === "event" && event === "fourth";
    await polled(() => logs.every((log) => log.some(isLast)));
    for (const reception of receptions) await exchange(reception, []);
    undo();
    return { log: [logs[observed], logs[1 - observed]] };
  };
}

/** Returns a line of the log without what is random. */
function withoutIds(values) {
  return JSON.stringify(values).replace(/\\?"[\w-]{20}/g, "(id)");
}

const bytesRead = ({ socket }) => socket.request.socket.bytesRead;

/** Returns whether workers have not read a message of each client; they alone read meanwhile. */
function hasBlocked(receptions, before) {
  const isNative = receptions[0].conn.transport.socket._connection != null;
  return isNative && receptions.some((reception, index) => bytesRead(reception) === before[index]);
}

const layers = { ...connectionObservers, ...clientObservers };

describe("an observer of received packets sees the same as with stock parts", () => {
  for (const [name, observer] of Object.entries(layers)) {
    test(`${name}, from one turn to another`, GUARD, async (t) => {
      const { short } = await compare(t, betweenTurns(t, observer));
      const [before, during, , after] = short;
      assertShort([before, after], [SPLIT_PACKETS, SPLIT_PACKETS]);
      const isForOne = /for one packet/.test(name);
      const isPassive = name === "a map of namespaces";
      if (!isForOne && !isPassive) assert.equal(during, 0);
    });
    test(`${name}, from within a listener`, GUARD, async (t) => {
      await compare(t, insideListener(t, observer));
    });
  }
  for (const [name, observer] of Object.entries(connectionObservers)) {
    test(`${name}, from within a listener of another client`, GUARD, async (t) => {
      await compare(t, insideListenerOfAnother(t, observer));
    });
    test(`${name}, from the engine's connection event on`, GUARD, async (t) => {
      await compare(t, async (server) => {
        const log = [];
        let undo;
        server.io.engine.once("connection", (conn) => {
          undo = observer({ conn, see: (...values) => log.push(values) });
        });
        const reception = await enter(server, log);
        t.after(undo);
        reception.see("received", await exchange(reception, PACKETS));
        undo();
        return { log: log.map(withoutIds) };
      });
    });
  }
  for (const [name, observer] of Object.entries(boundObservers)) {
    test(`${name}, which the connection has bound before`, GUARD, async (t) => {
      const { short } = await compare(t, betweenTurns(t, observer));
      assertShort(short, Array(4).fill(SPLIT_PACKETS));
    });
    test(`${name}, before a client connects`, GUARD, async (t) => {
      const { short } = await compare(t, async (server) => {
        const first = await enter(server);
        return observing(t, observer, first, async (install) => {
          install();
          const later = await enter(server, first.log, "later");
          later.see("received", await exchange(later, PACKETS));
          return { log: first.log.map(withoutIds), short: later.shortCount() };
        });
      });
      const isOfFirst = name === "onPacket() of an engine socket";
      assertShort(short, isOfFirst ? SPLIT_PACKETS : 0);
    });
  }
  for (const [name, observer] of Object.entries(socketObservers)) {
    test(`${name}, which does not make packets take the long way`, GUARD, async (t) => {
      const { short } = await compare(t, betweenTurns(t, observer));
      assertShort(short, Array(4).fill(SPLIT_PACKETS));
      await compare(t, insideListener(t, observer));
    });
  }
});

test("without the engine no packet is counted", { skip: hasNative }, async (t) => {
  const { short } = await compare(t, betweenTurns(t, connectionObservers["a packet listener"]));
  assert.deepEqual(short, [0, 0, 0, 0]);
});
