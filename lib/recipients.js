"use strict";

/** Lengths stand in front of the lists. */
const LISTS = 4;

/** Which list: as the fields of `Recipients` in src/adapter. */
const ROOMS = 0;
const MEMBERS = 1;
const EXCEPT_ROOMS = 2;
const EXCEPT_MEMBERS = 3;

/** Whom a broadcast reaches, as `Recipients::decode` reads it. Used again and again. */
class Recipients {
  constructor() {
    this.numbers = new Uint32Array(LISTS + 60);
    this.end = LISTS;
  }

  /** @param {number} count how many numbers will be added at most */
  begin(count) {
    const length = LISTS + count;
    if (this.numbers.length < length) this.numbers = new Uint32Array(2 * length);
    else this.numbers.fill(0, 0, LISTS);
    this.end = LISTS;
  }

  /** Whether nothing has been added. */
  get isEmpty() {
    return this.end === LISTS;
  }

  /** The lists are filled one after the other, in their order. */
  add(list, number) {
    this.numbers[list]++;
    this.numbers[this.end++] = number;
  }
}

module.exports = { EXCEPT_MEMBERS, EXCEPT_ROOMS, MEMBERS, ROOMS, Recipients };
