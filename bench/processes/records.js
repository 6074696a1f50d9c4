"use strict";

/**
 * JSON records, which compress as real ones do; the same ones in each process. Clients have rows of
 * their own, in `load/src/records.rs`.
 *
 * - `quotes`: similar messages. All hold the same instruments, of which a third has other numbers than
 *   in the message before.
 * - `rows`: different messages. Their records are drawn anew, and have little in common but their keys.
 */

/** How many messages are made; then the first comes again. No window of 32 KiB reaches back to it. */
const MESSAGES = 64;

const FIRST_NAMES =
  "Ada Bela Chloe Dario Elif Femi Greta Hugo Ines Jonas Kira Luca Mina Noah Olga Pavel".split(" ");
const LAST_NAMES =
  "Adams Bianchi Costa Dubois Evans Fischer Garcia Horvat Ito Jensen Kowalski Lopez Moreau".split(
    " ",
  );
const CITIES = "Athens Berlin Cairo Dublin Geneva Lagos Lima Oslo Osaka Quito Riga Seoul".split(
  " ",
);
const STATES = ["new", "open", "paid", "sent", "returned", "cancelled"];

/** A time of the records, in milliseconds since 1970. */
const EPOCH = 1_760_000_000_000;

/** A generator of numbers by a seed (mulberry32). */
class Dice {
  #state;

  constructor(seed) {
    this.#state = seed;
  }

  /** @returns {number} an integer, at least 0 and below `limit` */
  below(limit) {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) % limit;
  }

  /** @returns {T} one of `values` @template T @param {T[]} values */
  of(values) {
    return values[this.below(values.length)];
  }

  /** @returns {string} `length` letters */
  letters(length) {
    return Array.from({ length }, () => String.fromCharCode(65 + this.below(26))).join("");
  }

  /** @returns {string} an identifier of eight hexadecimal digits */
  id() {
    return this.below(2 ** 32)
      .toString(16)
      .padStart(8, "0");
  }
}

/** Yields quotes of the same instruments for each message. */
class Quotes {
  #dice = new Dice(1);
  #quotes = [];

  /** @returns {object} the record at `index` of the next message */
  at(index) {
    const quote = this.#quotes[index];
    if (quote === undefined) this.#quotes[index] = this.#draw();
    else if (this.#dice.below(3) === 0) this.#quotes[index] = this.#move(quote);
    return this.#quotes[index];
  }

  #draw() {
    const price = 1_000 + this.#dice.below(90_000);
    const name = `${this.#dice.of(LAST_NAMES)} ${this.#dice.of(CITIES)}`;
    const [id, symbol] = [this.#dice.id(), this.#dice.letters(4)];
    return this.#move({ id, symbol, name, bid: price / 100, volume: 0, at: EPOCH });
  }

  #move({ id, symbol, name, bid, volume, at }) {
    const cents = Math.round(bid * 100) + this.#dice.below(41) - 20;
    return {
      id,
      symbol,
      name,
      bid: cents / 100,
      ask: (cents + 1 + this.#dice.below(9)) / 100,
      volume: volume + this.#dice.below(10_000),
      at: at + this.#dice.below(5_000),
    };
  }
}

/** Yields rows of a table. */
class Rows {
  #dice = new Dice(2);

  /** @returns {object} the next record */
  at() {
    const dice = this.#dice;
    return {
      id: dice.id(),
      name: `${dice.of(FIRST_NAMES)} ${dice.of(LAST_NAMES)}`,
      city: dice.of(CITIES),
      state: dice.of(STATES),
      amount: dice.below(1_000_000) / 100,
      items: 1 + dice.below(30),
      created: new Date(EPOCH + dice.below(2 ** 32) * 4).toISOString(),
    };
  }
}

/**
 * @param {"quotes" | "rows"} kind
 * @param {number} length that of an array as JSON, at most, in bytes
 * @returns {object[][]} as many records as fit, for each message
 */
function recordsOf(kind, length) {
  const source = kind === "quotes" ? new Quotes() : new Rows();
  return Array.from({ length: MESSAGES }, () => fill(source, length));
}

function fill(source, length) {
  const records = [];
  let used = "[]".length;
  for (;;) {
    const record = source.at(records.length);
    used += JSON.stringify(record).length + (records.length > 0);
    if (used > length) return records;
    records.push(record);
  }
}

module.exports = { recordsOf };
