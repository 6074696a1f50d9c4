"use strict";

/**
 * The Rust session (`src/proto/engine_io`) against the `Socket` of engine.io, over generated programs
 * with a fake clock.
 *
 * A program begins with a session over polling. Its steps: `advance` lets milliseconds pass; `packet`
 * receives a packet on the current transport; `transport` ends that by `close`, `error` or a packet
 * that cannot be decoded; `writable` sets whether it can write; `send` and `close` are calls of the
 * application; `upgrade` connects a second transport; `probe` receives a packet on that, or closes it.
 * A trace lists what each side does, with the time in milliseconds: `ping` and `pong` sent,
 * `heartbeat` and `message` emitted, `answer` to a probe, `noop` to end a poll, `upgrade`,
 * `end TRANSPORT`, and the reason with which the session closes.
 *
 * SEED=<number> repeats a run.
 */

const assert = require("node:assert/strict");
const { EventEmitter } = require("node:events");
const { test } = require("node:test");
const { Socket } = require("engine.io");
const { FakeClock } = require("../support/fake-clock.js");
const { askOracle } = require("../support/oracle.js");
const { SEED, randomFrom } = require("../support/random.js");

const COUNT = 5_000;
const TYPES = {
  0: "open",
  1: "close",
  2: "ping",
  3: "pong",
  4: "message",
  5: "upgrade",
  6: "noop",
};

const { below, pick, chance, times } = randomFrom(SEED);

const packetText = () => pick(["0", "1", "2", "3", "3", "3", "4text", "5", "6"]);
const probeText = () => pick(["2probe", "2probe", "2probe", "5", "5", "2", "3", "4text", "close"]);

/** Intervals are odd multiples of different primes, so that no two timers are due at once. */
function generateProgram() {
  const step = () => {
    const kinds = [
      "advance",
      "advance",
      "advance",
      "packet",
      "packet",
      "probe",
      "probe",
      "upgrade",
    ];
    const kind = chance(0.85) ? pick(kinds) : pick(["transport", "writable", "send", "close"]);
    switch (kind) {
      case "advance":
        return { advance: pick([1, 40, 140, 333, 610, 1_000]) + below(7) };
      case "packet":
        return { packet: packetText() };
      case "probe":
        return { probe: probeText() };
      case "transport":
        return { transport: pick(["close", "error", "parse"]) };
      case "writable":
        return { writable: chance(0.5) };
      default:
        return kind;
    }
  };
  return {
    protocol: chance(0.7) ? 4 : 3,
    pingInterval: pick([300, 1_010]),
    pingTimeout: pick([207, 707]),
    upgradeTimeout: pick([411, 1_313]),
    steps: times(5 + below(40), step),
  };
}

const packetOf = (text) => ({ type: TYPES[text[0]], data: text.slice(1) || undefined });

/** A transport that writes its end, its noops and its answers to probes into a trace. */
class FakeTransport extends EventEmitter {
  writable = true;
  readyState = "open";

  constructor(name, log) {
    super();
    Object.assign(this, { name, log });
  }

  send(packets) {
    for (const { type, data } of packets) {
      if (type === "noop") this.log("noop");
      if (data === "probe") this.log("answer");
    }
  }

  discard() {}

  close(callback) {
    if (this.readyState !== "open") return;
    this.readyState = "closing";
    this.log(`end ${this.name}`);
    callback?.();
  }
}

/** Runs a program on engine.io. @returns {[number, string][]} its trace */
function runOfficial(clock, program) {
  const start = clock.now;
  const trace = [];
  const log = (what) => trace.push([clock.now - start, what]);
  const transports = ["polling", "websocket"];
  const opts = { ...program, transports };
  const server = Object.assign(new EventEmitter(), { opts, upgrades: () => [] });
  const first = new FakeTransport("polling", log);
  const request = { connection: { remoteAddress: "127.0.0.1" } };
  const socket = new Socket("sid", server, first, request, program.protocol);
  for (const event of ["heartbeat", "message", "upgrade"]) socket.on(event, () => log(event));
  socket.on("close", log);
  socket.on("packetCreate", ({ type }) => type !== "message" && log(type));
  let probed;
  const steps = {
    advance: (milliseconds) => clock.advance(milliseconds),
    packet: (text) => socket.transport.emit("packet", packetOf(text)),
    transport: (end) => endTransport(socket, end),
    writable(isWritable) {
      socket.transport.writable = isWritable;
      if (isWritable) socket.transport.emit("ready");
    },
    send: () => socket.send("text"),
    close: () => socket.close(),
    upgrade() {
      if (socket.upgrading || socket.upgraded || socket.readyState === "closed") return;
      probed = new FakeTransport("websocket", log);
      socket._maybeUpgrade(probed);
    },
    probe(text) {
      if (!socket.upgrading) return;
      if (text !== "close") return probed.emit("packet", packetOf(text));
      probed.readyState = "closed";
      probed.emit("close");
    },
  };
  for (const step of program.steps) {
    if (typeof step === "string") steps[step]();
    else for (const [name, value] of Object.entries(step)) steps[name](value);
  }
  clock.pending.clear();
  return trace;
}

function endTransport({ readyState, transport }, end) {
  if (readyState === "closed") return;
  if (end === "parse") return transport.emit("packet", { type: "error", data: "parser error" });
  if (end === "close") transport.readyState = "closed";
  transport.emit(end, end === "error" ? new Error("it broke") : undefined);
}

/** In which order the listeners of one moment are called is no part of the protocol. */
const sorted = (trace) => trace.map(([time, what]) => `${String(time).padStart(6)} ${what}`).sort();

test(`sessions live as in engine.io (SEED=${SEED})`, (t) => {
  const programs = Array.from({ length: COUNT }, generateProgram);
  const traces = askOracle(
    "run_sessions",
    programs.map((program) => JSON.stringify(program)),
  );
  const clock = new FakeClock();
  clock.install(t);
  const seen = new Set();
  for (const [index, program] of programs.entries()) {
    const expected = runOfficial(clock, program);
    for (const [, what] of expected) seen.add(what);
    assert.deepEqual(sorted(traces[index]), sorted(expected), JSON.stringify(program));
  }
  const all = ["ping", "pong", "heartbeat", "message", "answer", "noop", "upgrade", "forced close"];
  const ends = ["ping timeout", "parse error", "transport error", "transport close"];
  for (const what of [...all, ...ends]) assert.ok(seen.has(what), `no program showed: ${what}`);
});
