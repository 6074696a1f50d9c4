"use strict";

/**
 * Scenarios × contenders × payloads. Every server runs in a fresh process under the same
 * native load client; the rounds of the contenders of a load alternate.
 *
 * @typedef {object} Scenario
 * @property {string} title what is measured
 * @property {Load[]} [loads] with servers
 * @property {(name: string, load: Load) => boolean} [takesPart] who can take part; by default
 *   all but the floors
 * @property {(name: string, load: Load, timing: Timing) => Promise<object>} [round] measures a
 *   contender once; throws if a message is lost
 * @property {(load: Load) => import("./comparison.js").Metric[]} [metrics] what a round tells
 * @property {(samples: Record<string, Record<string, object[]>>) => import("./comparison.js").Row[]}
 *   [across] figures that take several loads; from the samples by load and contender
 * @property {(isQuick: boolean) => number} [seconds] without servers: how long it takes
 * @property {(isQuick: boolean) => object | Promise<object>} [run] without servers: the figures
 *   for `--json`, with their `rows`
 * @property {boolean} [isSlow] whether it is left out of a quick run
 * @property {() => string | undefined} [missing] what has to be done before it can run
 *
 * @typedef {object} Load
 * @property {string} name
 * @property {string[]} contenders who is compared unless others are named; the first is the
 *   one to whom the others are compared
 * @property {number} clients how many connect
 * @property {number[]} [payloads] in bytes, unless others are named
 * @property {number} [payload] the one of them that is measured
 * @property {number} [stretch] how much longer than others it is measured
 * @property {number} [startSeconds] how long it takes to start more than one server
 * @property {boolean} [isSlow] whether it is left out of a quick run
 *
 * @typedef {object} Timing
 * @property {number} rounds of each contender
 * @property {number} warmUp seconds before the measurement: long enough for V8 to optimise
 *   the path of a message
 * @property {number} seconds that are measured
 */

const { ALONE, OURS, SERVER, contender, isFloor } = require("../processes/contenders.js");
const { compare, loadTable } = require("./comparison.js");
const { build } = require("../processes/load-process.js");

/** @type {Timing} */
const FULL = { rounds: 3, warmUp: 0.8, seconds: 2 };
/** Shows that everything works, and roughly where it stands. */
const QUICK = { rounds: 1, warmUp: 0.3, seconds: 0.6 };
const QUICK_CONTENDERS = ["ws", OURS, ALONE, SERVER];

/** Overhead of a round beside its load. */
const START_SECONDS = 0.4;
const SECONDS_PER_CLIENT = 0.0003;

/** The settings of a run, for {@link runSuite} and {@link expectedSeconds}. */
class Settings {
  #leftOut = new Set();

  /**
   * @param {object} given
   * @param {boolean} given.isQuick
   * @param {string[]} [given.contenders] instead of those of the loads
   * @param {number[]} [given.payloads] in bytes, instead of those of the loads
   */
  constructor({ isQuick, contenders, payloads }) {
    this.isQuick = isQuick;
    this.timing = isQuick ? QUICK : FULL;
    this.contenders = contenders;
    this.payloads = payloads;
  }

  /**
   * Leaves out a contender from now on, since the kernel lacks what it needs.
   *
   * @param {string} name
   * @returns {boolean} whether that is allowed: not if it was named
   */
  leaveOut(name) {
    if (this.contenders !== undefined) return false;
    this.#leftOut.add(name);
    return true;
  }

  /**
   * @param {Scenario} scenario
   * @returns {Load[]} one for each payload, with those contenders that can take part
   */
  loadsOf(scenario) {
    return scenario.loads
      .filter(({ isSlow }) => !(this.isQuick && isSlow))
      .flatMap((load) => this.#withPayloads(load))
      .map((load) => ({ ...load, contenders: this.#contendersOf(scenario, load) }));
  }

  /** @param {Load} load @returns {Timing} */
  timingOf({ stretch = 1 }) {
    return { ...this.timing, seconds: this.timing.seconds * stretch };
  }

  #withPayloads(load) {
    if (load.payloads === undefined) return [load];
    return (this.payloads ?? load.payloads).map((payload) => ({
      ...load,
      name: `${load.name}, ${bytes(payload)}`,
      payload,
    }));
  }

  #contendersOf({ takesPart = (name) => !isFloor(name) }, load) {
    const isHere = (name) => !this.#leftOut.has(name) && contender(name).missing?.() === undefined;
    const names = this.contenders ?? this.#contendersUnlessNamed(load);
    return names.filter((name) => takesPart(name, load) && isHere(name));
  }

  #contendersUnlessNamed({ contenders }) {
    if (!this.isQuick) return contenders;
    return contenders.filter((name) => QUICK_CONTENDERS.includes(name));
  }
}

/** @param {number} count @returns {string} such as `64 B` or `16 KiB` */
function bytes(count) {
  return count >= 1024 && count % 1024 === 0 ? `${count / 1024} KiB` : `${count} B`;
}

/**
 * @param {Record<string, Scenario>} scenarios
 * @param {Settings} settings
 * @returns {number} how many seconds they are expected to take
 */
function expectedSeconds(scenarios, settings) {
  return Object.values(scenarios)
    .flatMap((scenario) => steps(scenario, settings))
    .reduce((sum, seconds) => sum + seconds, 0);
}

/** The seconds of each step. */
function steps(scenario, settings) {
  if (scenario.run !== undefined) return [scenario.seconds(settings.isQuick)];
  return settings.loadsOf(scenario).map((load) => {
    const { rounds } = settings.timing;
    return rounds * load.contenders.length * roundSeconds(load, settings);
  });
}

function roundSeconds(load, settings) {
  const { warmUp, seconds } = settings.timingOf(load);
  const start = START_SECONDS + (load.startSeconds ?? 0) + load.clients * SECONDS_PER_CLIENT;
  return start + warmUp + seconds;
}

/**
 * Runs one scenario after the other, and prints the table of each load.
 *
 * @param {Record<string, Scenario>} scenarios by name
 * @param {Settings} settings
 * @param {import("./progress.js").Progress} progress
 * @returns {Promise<Record<string, { title: string, rows: object[], samples?: object }>>}
 * @throws {Error} if a contender fails or loses a message
 */
async function runSuite(scenarios, settings, progress) {
  // Now, for a server does not live as long as a first build may take.
  if (Object.values(scenarios).some(({ loads }) => loads)) build();
  for (const name of contendersOf(scenarios, settings)) contender(name).program?.();
  const results = {};
  for (const [name, scenario] of Object.entries(scenarios)) {
    console.log(`\n## ${name}: ${scenario.title}`);
    const run = scenario.run === undefined ? runLoads : runAlone;
    results[name] = { title: scenario.title, ...(await run(name, scenario, settings, progress)) };
  }
  return results;
}

/** Returns the names of all that take part in some load. */
function contendersOf(scenarios, settings) {
  const loads = Object.values(scenarios)
    .filter(({ loads }) => loads !== undefined)
    .flatMap((scenario) => settings.loadsOf(scenario));
  return new Set(loads.flatMap(({ contenders }) => contenders));
}

async function runAlone(name, { run, seconds }, { isQuick }, progress) {
  progress.begin(name, seconds(isQuick));
  const result = await run(isQuick);
  progress.end();
  return result;
}

async function runLoads(name, scenario, settings, progress) {
  const rows = [];
  const samples = {};
  for (const load of settings.loadsOf(scenario)) {
    samples[load.name] = await runLoad(name, scenario, load, settings, progress);
    const of = { scenario: name, load: load.name };
    const loadRows = compare(of, scenario.metrics(load), samples[load.name]);
    console.log(`\n${load.name}\n\n${loadTable(loadRows)}`);
    rows.push(...loadRows);
  }
  const across = scenario.across?.(samples) ?? [];
  if (across.length > 0) console.log(`\n${across[0].load}\n\n${loadTable(across)}`);
  return { rows: [...rows, ...across], samples };
}

/**
 * Every second round the other way round, so that a machine which gets slower or faster
 * meanwhile does so for all.
 *
 * @returns {Promise<Record<string, object[]>>} the samples by contender
 */
async function runLoad(scenarioName, { round }, load, settings, progress) {
  const timing = settings.timingOf(load);
  const samples = Object.fromEntries(load.contenders.map((name) => [name, []]));
  for (let index = 0; index < timing.rounds; index++) {
    const names = Object.keys(samples);
    for (const name of index % 2 === 0 ? names : names.toReversed()) {
      const which = `${name} · round ${index + 1} of ${timing.rounds}`;
      progress.begin(`${scenarioName} · ${load.name} · ${which}`, roundSeconds(load, settings));
      try {
        samples[name].push(await round(name, load, timing));
      } catch (error) {
        if (error.code !== "UNAVAILABLE" || !settings.leaveOut(name)) throw error;
        delete samples[name];
      }
      progress.end();
    }
  }
  return samples;
}

module.exports = { Settings, expectedSeconds, runSuite };
