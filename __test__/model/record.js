"use strict";

/** Records what an application on a server sees, as lines that do not depend on random ids. */

/** Socket.IO ids: 15 bytes in base64. */
const ID = /[\w-]{20}/g;
/** The offset of a recoverable packet, by socket.io-adapter: milliseconds in base 64, and a counter. */
const OFFSET = /(\\*["'])[\w-]{7}(?:\.[\w-]+)?\1\]/g;

/** Returns binary data as hexadecimal digits, sets as lists; 1 and "1" stay apart. */
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
  /** @type {string[]} */
  log = [];
  /** Set if a listener for packets was added or removed in this turn. */
  areListenersChanged = false;
  /** Set if the order of the rest of a turn is left open. */
  isUnordered = false;

  #isRecovering;
  /** Names of random ids. @type {Map<string, string>} */
  #names;
  /** The values of the adapter's promises, by the operation. */
  #answers = new Map();
  /** The packets that listeners were called with in this turn, by listener and connection. */
  #packets = new Map();
  /** The length of the log when this turn began. */
  #start = 0;
  #isMute = false;

  /**
   * @param {boolean} isRecovering true if packets carry offsets
   * @param {Map<string, string>} names of random ids
   */
  constructor(isRecovering, names) {
    this.#isRecovering = isRecovering;
    this.#names = names;
  }

  /** Appends a line. */
  note(what, ...values) {
    if (!this.#isMute) this.log.push(`${what} ${values.map(shown).join(" ")}`.trimEnd());
  }

  /** Records the value of a promise: apart, since promises may take their time. */
  answer(id, value) {
    this.#answers.set(id, shown(value));
  }

  /** Returns a list in an order that does not depend on random ids. */
  unordered(values) {
    return values.map((value) => this.named([shown(value)])[0]).sort();
  }

  /**
   * Records packets that a listener was called with, for each listener and connection apart: the
   * order of a broadcast's recipients and of polls, and how packets are grouped when they are flushed,
   * are left to the server.
   */
  addPackets(name, ...packets) {
    this.#packets.set(name, [...(this.#packets.get(name) ?? []), ...packets]);
  }

  /** Begins a turn. */
  beginTurn(text) {
    this.log.push(text);
    this.#start = this.log.length;
  }

  /** Ends a turn, when nothing that it causes is under way. */
  endTurn() {
    if (this.isUnordered) this.log.push(...this.named(this.log.splice(this.#start)).sort());
    for (const name of [...this.#packets.keys()].sort()) {
      // It is left to the server whether packets still wait to be flushed when a listener is added.
      const isUnclear = this.areListenersChanged && /^(engine )?(flush|drain)/.test(name);
      if (!isUnclear) this.note(name, this.#packets.get(name));
    }
    this.#packets.clear();
    this.areListenersChanged = false;
  }

  /** Records nothing until the storm ends, and afterwards without order. */
  beginStorm() {
    this.#isMute = true;
    this.isUnordered = true;
  }

  endStorm() {
    this.#isMute = false;
    this.#packets.clear();
  }

  /** Returns lines with names in place of random ids. */
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
