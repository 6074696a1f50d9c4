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
  if (value instanceof Date) return value.toJSON();
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
  /** Whether it is left open in which order the rest of a turn happens. */
  isUnordered = false;

  #isRecovering;
  /** Names of random ids. @type {Map<string, string>} */
  #names;
  /** What promises of the adapter were settled with, by the operation. */
  #answers = new Map();
  /** Packets that were heard of in this turn, by who heard them and of whom. */
  #heard = new Map();
  /** Where this turn begins. */
  #start = 0;
  #isMute = false;

  /**
   * @param {boolean} isRecovering whether packets carry offsets
   * @param {Map<string, string>} names of random ids
   */
  constructor(isRecovering, names) {
    this.#isRecovering = isRecovering;
    this.#names = names;
  }

  /** Writes something down. */
  note(what, ...values) {
    if (!this.#isMute) this.log.push(`${what} ${values.map(shown).join(" ")}`.trimEnd());
  }

  /** What a promise was settled with: apart, as promises may take their time. */
  answer(id, value) {
    this.#answers.set(id, shown(value));
  }

  /** A list in an order that does not depend on random ids. */
  unordered(values) {
    return values.map((value) => this.named([shown(value)])[0]).sort();
  }

  /**
   * Packets that a listener has been called with. For each listener and connection apart: in
   * which order a broadcast comes to its recipients, and clients poll, is left to the server; and
   * how packets are grouped when they are flushed.
   */
  hear(name, ...packets) {
    this.#heard.set(name, [...(this.#heard.get(name) ?? []), ...packets]);
  }

  /** Writes down that a turn begins. */
  beginTurn(text) {
    this.log.push(text);
    this.#start = this.log.length;
  }

  /** To be called when all that a turn causes has come to its end. */
  endTurn() {
    if (this.isUnordered) this.log.push(...this.named(this.log.splice(this.#start)).sort());
    for (const name of [...this.#heard.keys()].sort()) {
      // What waits to be flushed when it is listened for is left to the server.
      const isUnclear = this.isHearingChanged && /^(engine )?(flush|drain)/.test(name);
      if (!isUnclear) this.note(name, this.#heard.get(name));
    }
    this.#heard.clear();
    this.isHearingChanged = false;
  }

  /** From now on nothing is written down, and what follows in no order. */
  beginStorm() {
    this.#isMute = true;
    this.isUnordered = true;
  }

  endStorm() {
    this.#isMute = false;
    this.#heard.clear();
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
