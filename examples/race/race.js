"use strict";

/**
 * The race: two Socket.IO servers under the same load, and the control server, which serves the
 * page. The page is a Socket.IO client of all three, of the two servers for their ticks only.
 *
 * | the control server's event | meaning |
 * | --- | --- |
 * | `race` → page | when it connects: a {@link Race}, with what the charts show |
 * | `sample` → page | each quarter of a second: a {@link Moment} |
 * | `settings` → page | new {@link Settings} |
 * | `lanes` → page | one has ended: all {@link LaneState}s |
 * | `reconnect` ← page | all clients of both servers close their connections and connect again, at once |
 * | `set` ← page | some of the {@link Settings}; acknowledged with `{ ok: true }`, or with `{ ok: false, error }` if one is wrong, and then none is applied |
 *
 * @typedef {import("./settings.js").Settings} Settings
 *
 * @typedef {object} LaneState
 * @property {string} name
 * @property {number} port of its server
 * @property {string | null} ended why it has ended
 *
 * @typedef {object} Moment
 * @property {number} time in milliseconds since 1970
 * @property {Settings} settings
 * @property {boolean} isPaused whether nothing is broadcast, while clients connect
 * @property {Record<string, import("./lane.js").Sample | null>} lanes by name
 *
 * @typedef {object} Race
 * @property {Settings} settings
 * @property {object} limits of the settings
 * @property {LaneState[]} lanes
 * @property {Moment[]} history the last 30 seconds
 */

const { once } = require("node:events");
const { createServer } = require("node:http");
const path = require("node:path");
const { Server } = require("socket.io");
const { staticFiles } = require("../chat/static-files.js");
const { OURS, SERVER } = require("../../bench/processes/contenders.js");
const { build } = require("../../bench/processes/load-process.js");
const { Lane } = require("./lane.js");
const { DEFAULTS, LIMITS, readSettings } = require("./settings.js");

/** The lanes, and who runs in them: Socket.IO as it comes, and ours on our own server. */
const CONTENDERS = { ws: "ws", [OURS]: SERVER };

const SAMPLE_MILLISECONDS = 250;

/** Span of the charts: 30 seconds. */
const HISTORY_LENGTH = 120;

/** The chart library, from where npm has put it. */
const UPLOT = path.dirname(require.resolve("uplot"));
const LIBRARY_FILES = {
  "/uplot.js": path.join(UPLOT, "uPlot.esm.js"),
  "/uplot.css": path.join(UPLOT, "uPlot.min.css"),
};

/**
 * Starts a race.
 *
 * @param {object} [options]
 * @param {number} [options.port=0] the port of the control server; 0 takes a free one
 * @param {string} [options.host="127.0.0.1"] the address that all three servers listen on
 * @param {Settings} [options.settings] where it begins
 * @returns {Promise<{ url: string, lanes: Lane[], close: () => Promise<void> }>}
 * @throws {Error} if the load client cannot be built, or a server not start
 */
async function createRace({ port = 0, host = "127.0.0.1", settings = DEFAULTS } = {}) {
  build();
  const lanes = await startLanes(host, settings.clients);
  try {
    const control = new Control(lanes, settings);
    await control.listen(port, host);
    return { url: control.url, lanes, close: () => control.close() };
  } catch (error) {
    await stopLanes(lanes);
    throw error;
  }
}

/** One after the other, so that neither connects its clients while the other does. */
async function startLanes(host, clients) {
  const lanes = [];
  try {
    for (const [name, contender] of Object.entries(CONTENDERS)) {
      lanes.push(await Lane.start(name, contender, host, clients));
    }
  } catch (error) {
    await stopLanes(lanes);
    throw error;
  }
  return lanes;
}

function stopLanes(lanes) {
  return Promise.all(lanes.map((lane) => lane.stop()));
}

/** The control server. */
class Control {
  #lanes;
  #settings;
  #isPaused = true;
  #history = [];
  #http;
  #io;
  #timer;

  /**
   * @param {Lane[]} lanes
   * @param {Settings} settings that they begin with
   */
  constructor(lanes, settings) {
    this.#lanes = lanes;
    this.#settings = settings;
    // By whatever name the page reaches this server, the lanes are at that name, too.
    const connectTo = lanes.map((lane) => `ws://*:${lane.port}`);
    this.#http = createServer(
      staticFiles(path.join(__dirname, "public"), { files: LIBRARY_FILES, connectTo }),
    );
    this.#io = new Server(this.#http);
    this.#io.on("connection", (socket) => this.#serve(socket));
    for (const lane of lanes) lane.on("end", () => this.#io.emit("lanes", this.#laneStates()));
  }

  /** Returns the address of the page. */
  get url() {
    const { address, family, port } = this.#http.address();
    return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
  }

  /**
   * Begins to serve and to sample.
   *
   * @throws {Error} if it cannot listen there
   */
  async listen(port, host) {
    this.#http.listen(port, host);
    await once(this.#http, "listening");
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MILLISECONDS);
  }

  /** Ends the race, and waits until all its processes have ended. */
  async close() {
    clearInterval(this.#timer);
    await Promise.all([stopLanes(this.#lanes), this.#io.close()]);
  }

  #serve(socket) {
    socket.emit("race", {
      settings: this.#settings,
      limits: LIMITS,
      lanes: this.#laneStates(),
      history: this.#history,
    });
    socket.on("set", (input, acknowledge) => {
      const answer = this.#set(input);
      if (typeof acknowledge === "function") acknowledge(answer);
    });
    socket.on("reconnect", () => {
      for (const lane of this.#lanes) lane.reconnect();
      this.#pace(false);
    });
  }

  /** Applies what somebody sent, or says why not. */
  #set(input) {
    let changed;
    try {
      changed = readSettings(input);
    } catch (error) {
      return { ok: false, error: error.message };
    }
    this.#settings = { ...this.#settings, ...changed };
    if (changed.clients !== undefined) {
      for (const lane of this.#lanes) lane.setClients(changed.clients);
    }
    this.#pace(true);
    this.#io.emit("settings", this.#settings);
    return { ok: true };
  }

  /** Lets both servers broadcast, or both wait while clients of either connect. */
  #pace(areSettingsNew) {
    const { clients, rate, payload } = this.#settings;
    const isPaused = !this.#lanes.every((lane) => lane.hasClients(clients));
    if (isPaused === this.#isPaused && !areSettingsNew) return;
    this.#isPaused = isPaused;
    this.#lanes.forEach((lane, index) => {
      if (isPaused) lane.pause();
      else lane.broadcast({ rate, payload, offset: index / this.#lanes.length });
    });
  }

  #sample() {
    this.#pace(false);
    const lanes = Object.fromEntries(this.#lanes.map((lane) => [lane.name, lane.sample()]));
    const moment = { time: Date.now(), settings: this.#settings, isPaused: this.#isPaused, lanes };
    this.#history.push(moment);
    if (this.#history.length > HISTORY_LENGTH) this.#history.shift();
    this.#io.emit("sample", moment);
  }

  #laneStates() {
    return this.#lanes.map(({ name, port, ended }) => ({ name, port, ended }));
  }
}

module.exports = { createRace };
