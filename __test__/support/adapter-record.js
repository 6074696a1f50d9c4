"use strict";

/** What an application on a server sees, as lines that are the same whenever it sees the same. */

/** Socket.IO ids: 15 bytes in base64. */
const ID = /[\w-]{20}/g;
/** What socket.io-adapter appends to recoverable packets: milliseconds in base 64, and a counter. */
const OFFSET = /(\\*["'])[\w-]{7}(?:\.[\w-]+)?\1\]/g;

/** Binary data as hexadecimal digits, sets as lists; 1 and "1" stay apart. */
function plain(value) {
  if (typeof value === "function") return "<function>";
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return `<${Buffer.from(value).toString("hex")}>`;
  if (value instanceof Error) return `<${value.message}>`;
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, plain);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

const shown = (value) => JSON.stringify(plain(value));

class Record {
  /** What has been seen, in order. @type {string[]} */
  log = [];
  /** Whether somebody began or ceased in this turn to hear of packets. */
  isHearingChanged = false;

  #isRecovering;
  /** Names of random ids. */
  #names = new Map();
  /** What promises of the adapter were settled with, by the operation. */
  #answers = new Map();
  /** Packets that were heard of in this turn, by who heard them and of whom. */
  #heard = new Map();

  /** @param {boolean} isRecovering whether packets carry offsets */
  constructor(isRecovering) {
    this.#isRecovering = isRecovering;
  }

  /** Writes something down. */
  note(what, ...values) {
    this.log.push(`${what} ${values.map(shown).join(" ")}`.trimEnd());
  }

  /** What a promise was settled with: apart, as promises may take their time. */
  answer(id, value) {
    this.#answers.set(id, shown(value));
  }

  /**
   * Packets that a listener has been called with. For each listener and connection apart: in
   * which order a broadcast comes to its recipients, and clients poll, is left to the server; and
   * how packets are grouped when they are flushed.
   */
  hear(name, ...packets) {
    this.#heard.set(name, [...(this.#heard.get(name) ?? []), ...packets]);
  }

  /** To be called when all that a turn causes has come to its end. */
  endTurn() {
    for (const name of [...this.#heard.keys()].sort()) {
      // What waits to be flushed when it is listened for is left to the server.
      const isUnclear = this.isHearingChanged && /^(engine )?(flush|drain)/.test(name);
      if (!isUnclear) this.note(name, this.#heard.get(name));
    }
    this.#heard.clear();
    this.isHearingChanged = false;
  }

  /** Gives a random id a name, if it has none. */
  name(id, name) {
    if (id !== undefined && !this.#names.has(id)) this.#names.set(id, name);
  }

  /** @returns {string | undefined} the name of an id */
  nameOf(id) {
    return this.#names.get(id);
  }

  /** Lines with names for random ids. */
  named(lines) {
    return lines.map((line) => {
      const named = line.replace(ID, (id) => this.#names.get(id) ?? id);
      return this.#isRecovering ? named.replace(OFFSET, "$1<offset>$1]") : named;
    });
  }

  /** @returns {{ server: string[], answers: string[] }} */
  get lines() {
    const answers = Array.from(this.#answers, ([id, text]) => `${id}: ${text}`);
    return { server: this.named(this.log), answers: this.named(answers.sort()) };
  }
}

module.exports = { Record };
