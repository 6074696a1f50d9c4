"use strict";

/**
 * One client floods a server, and others ask it for acknowledgements: how long do these wait, beside the
 * same server without the flood? Phases with and without it alternate, since other work on the machine
 * affects both.
 *
 *   node bench/flood.js [limited|unlimited|stock] [pairs of phases, 20]
 */

const { fork } = require("node:child_process");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { setTimeout: delay } = require("node:timers/promises");

const FLOOD_PER_SECOND = 50_000;
const CLIENTS = 50;
const ASKED_PER_SECOND = 1_000;
const PHASE_MS = 1_000;

/** Between two writes of the flood, and two questions, in milliseconds. */
const TICK_MS = 5;

const RATE_LIMIT = { messages: 500, per: 1_000, action: "drop" };

const ROLES = { server: serve, flood, ask };

/** Serves, and reports on request how often JavaScript got a message of the flood. */
function serve(kind) {
  const { Server } = require("socket.io");
  const { turbo } = require("..");
  const httpServer = createServer();
  const ours = turbo(kind === "limited" ? { rateLimit: RATE_LIMIT } : {});
  const io = new Server(httpServer, kind === "stock" ? {} : ours);
  let flooded = 0;
  io.on("connection", (socket) => {
    socket.on("ask", (done) => done());
    socket.on("flood", () => flooded++);
  });
  process.on("message", () => {
    const { messagesIn, notifications, rateLimitDropped } = turbo.stats();
    const cpu = process.cpuUsage();
    const cpuMs = (cpu.user + cpu.system) / 1000;
    process.send({ flooded, messagesIn, notifications, rateLimitDropped, cpuMs });
  });
  httpServer.listen(0, "127.0.0.1", () => process.send(httpServer.address().port));
}

async function connect(port) {
  const { WebSocket } = require("ws");
  const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`;
  const client = new WebSocket(url, { perMessageDeflate: false });
  client.on("message", (data) => String(data) === "2" && client.send("3"));
  await once(client, "open");
  client.send("40");
  return client;
}

/** Sends at an even rate while the parent says so. */
async function flood(port) {
  const { Sender } = require("ws");
  const client = await connect(port);
  const parts = Sender.frame(Buffer.from('42["flood",{"x":1,"y":2}]'), {
    fin: true,
    rsv1: false,
    opcode: 1,
    mask: true,
    readOnly: true,
  });
  const frame = Buffer.concat(parts);
  let since = null;
  let sent = 0;
  const tick = () => {
    if (since === null) return;
    const due = Math.floor(((Date.now() - since) * FLOOD_PER_SECOND) / 1000) - sent;
    if (due > 0) client._socket.write(Buffer.concat(Array(due).fill(frame)));
    sent += Math.max(due, 0);
  };
  setInterval(tick, TICK_MS);
  process.on("message", (isOn) => {
    since = isOn ? Date.now() : null;
    if (!isOn) process.send(sent);
    sent = 0;
  });
  process.send("ready");
}

/** Asks evenly, by one client after the other, and reports the microseconds until each answer. */
async function ask(port) {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connect(port)));
  const asked = new Map();
  let waits = [];
  /** Reports, once all are answered. */
  const finish = () => {
    if (asked.size > 0) {
      setTimeout(finish, TICK_MS);
      return;
    }
    process.send(waits);
    waits = [];
  };
  let id = 0;
  let since = null;
  for (const client of clients) {
    client.on("message", (data) => {
      const at = asked.get(String(data));
      if (at === undefined) return;
      asked.delete(String(data));
      waits.push(Number(process.hrtime.bigint() - at) / 1000);
    });
  }
  setInterval(() => {
    if (since === null) return;
    let due = Math.floor(((Date.now() - since.time) * ASKED_PER_SECOND) / 1000) - (id - since.id);
    while (due-- > 0) {
      id++;
      asked.set(`43${id}[]`, process.hrtime.bigint());
      clients[id % CLIENTS].send(`42${id}["ask"]`);
    }
  }, TICK_MS);
  process.on("message", (isOn) => {
    since = isOn ? { time: Date.now(), id } : null;
    if (!isOn) finish();
  });
  process.send("ready");
}

async function command(child, message) {
  child.send(message);
  return (await once(child, "message"))[0];
}

async function start(...args) {
  const child = fork(__filename, args.map(String));
  return [child, (await once(child, "message"))[0]];
}

const quantile = (sorted, q) => sorted[Math.floor((sorted.length - 1) * q)];

async function main(kind = "limited", pairs = "20") {
  const [server, port] = await start("server", kind);
  const [flooder] = await start("flood", port);
  const [asker] = await start("ask", port);
  const all = { idle: [], flood: [] };
  await delay(500);
  for (let phase = 0; phase < 2 * Number(pairs); phase++) {
    const name = phase % 2 === 0 ? "idle" : "flood";
    const before = await command(server, "counts");
    if (name === "flood") flooder.send(true);
    asker.send(true);
    await delay(PHASE_MS);
    const waits = await command(asker, false);
    const sent = name === "flood" ? await command(flooder, false) : 0;
    const after = await command(server, "counts");
    waits.sort((a, b) => a - b);
    all[name].push({ p50: quantile(waits, 0.5), p99: quantile(waits, 0.99) });
    const changes = Object.entries(after).map(
      ([key, n]) => `${key} ${Math.round(n - before[key])}`,
    );
    const [p50, p99] = [0.5, 0.99].map((q) => Math.round(quantile(waits, q)));
    console.log(`${name}: p50 ${p50} µs, p99 ${p99} µs; sent ${sent}; ${changes.join(", ")}`);
  }
  // The lower quartile leaves out phases in which other processes had the machine.
  for (const part of ["p50", "p99"]) {
    for (const [which, q] of Object.entries({ median: 0.5, "lower quartile": 0.25 })) {
      const [idle, flooded] = [all.idle, all.flood].map((phases) => {
        const sorted = phases.map((each) => each[part]).sort((a, b) => a - b);
        return quantile(sorted, q);
      });
      const times = `${Math.round(idle)} µs idle, ${Math.round(flooded)} µs with the flood`;
      console.log(`${kind}, ${which} of ${part}: ${times}, ${(flooded / idle).toFixed(2)}`);
    }
  }
  for (const child of [server, flooder, asker]) child.kill();
}

const [role, argument] = process.argv.slice(2);
if (Object.hasOwn(ROLES, role ?? "")) {
  process.on("disconnect", () => process.exit());
  ROLES[role](argument);
} else main(role, argument);
