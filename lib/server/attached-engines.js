"use strict";

const { textOf } = require("../untouched.js");

/**
 * The Engine.IO servers of one HTTP server, and the listeners by which they get their requests.
 *
 * Engine.IO puts itself in front of the listeners of `request` that there are, and beside those of `upgrade`. A
 * listener that was added later sees the requests of Engine.IO, too. Such requests are passed.
 */
class AttachedEngines {
  #server;
  #onChange;
  /** Engines by path. Each keeps its index, by which I/O threads name it. @type {Attached[]} */
  #attached = [];
  /** The listeners of `request` when the last engine had been attached. */
  #requestListeners = [];
  /** Set while an engine is being attached. */
  #isAttaching = false;

  /**
   * @param {import("node:http").Server} server
   * @param {() => void} onChange called when an engine has been attached
   */
  constructor(server, onChange) {
    this.#server = server;
    this.#onChange = onChange;
  }

  /** @param {import("engine.io").Server} engine which has been attached just now */
  add(engine) {
    const hasUpgrades = engine.opts.transports.includes("websocket");
    this.#attached.push({
      engine,
      path: engine._computePath(engine.opts),
      upgradeListener: hasUpgrades ? this.#server.listeners("upgrade").at(-1) : null,
      isObserved: false,
    });
    this.#requestListeners = this.#server.listeners("request");
    this.#isAttaching = false;
    this.#onChange();
  }

  /**
   * Must be called before all listeners of an event, or of all events, are removed. The `attach()` of an engine
   * removes them, and calls them itself from then on; Socket.IO may do so once more. A listener of the program
   * among them also gets the requests of the engines before it.
   */
  handleRemoval(event) {
    if ((event !== undefined && event !== "request") || this.#attached.length === 0) return;
    const listeners = this.#server.listeners("request");
    const isOwn = this.#isAttaching
      ? listeners.every((listener) => this.#isOfEngine(listener))
      : areSame(listeners, this.#requestListeners);
    this.#isAttaching = isOwn;
    if (isOwn) return;
    for (const attached of this.#attached) attached.isObserved = true;
  }

  /** Returns whether an engine's `attach()` has made a function: the text of one is part of the other's. */
  #isOfEngine(listener) {
    return textOf(this.#attached[0].engine.attach).includes(textOf(listener));
  }

  /** True if nothing but engines has listened to `request` since the last was attached. */
  get #hasOwnRequestListeners() {
    return areSame(this.#server.listeners("request"), this.#requestListeners);
  }

  get #hasOwnUpgradeListeners() {
    const own = this.#attached.map(({ upgradeListener }) => upgradeListener);
    return areSame(
      this.#server.listeners("upgrade"),
      own.filter((listener) => listener !== null),
    );
  }

  /** @returns {keyof import("../../index.js").PassReason | null} why no engine's requests can be served */
  get passReason() {
    if (this.#attached.length === 0) return "noEngine";
    if (!this.#hasOwnUpgradeListeners) return "upgradeListeners";
    if (!this.#hasOwnRequestListeners) return "requestListeners";
    return this.paths.some((path) => path !== "") ? null : this.passReasonAt(0);
  }

  /** @returns {string | null} why requests of the path with this index cannot be served */
  passReasonAt(index) {
    if (this.#isServed(this.#attached[index])) return null;
    return this.#attached[index].isObserved ? "requestListeners" : "overlappingPaths";
  }

  /** The paths whose requests can be served, by index; the empty string for others. */
  get paths() {
    return this.#attached.map((each) => (this.#isServed(each) ? each.path : ""));
  }

  /** As Engine.IO compares the beginning of a path only, an engine also gets requests of longer paths. */
  #isServed(attached) {
    const overlaps = (other) =>
      other !== attached &&
      (other.path.startsWith(attached.path) || attached.path.startsWith(other.path));
    return !attached.isObserved && !this.#attached.some(overlaps);
  }

  /** @returns {import("engine.io").Server} the engine of the path with this index */
  engineAt(index) {
    return this.#attached[index].engine;
  }

  /** The most I/O threads that an engine asks for; `undefined` without an engine of ours. */
  get ioThreads() {
    const settings = this.#attached.map(({ engine }) => engine.ws?.options?.turbo);
    const counts = settings.filter(Boolean).map(({ ioThreads }) => ioThreads);
    return counts.length > 0 ? Math.max(...counts) : undefined;
  }
}

/**
 * @typedef {object} Attached
 * @property {import("engine.io").Server} engine
 * @property {string} path
 * @property {Function | null} upgradeListener null if it has no WebSocket transport
 * @property {boolean} isObserved true if listeners of the program get its requests, too
 */

function areSame(left, right) {
  return left.length === right.length && left.every((each, index) => each === right[index]);
}

module.exports = { AttachedEngines };
