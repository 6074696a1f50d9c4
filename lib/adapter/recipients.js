"use strict";

const { RecipientLists } = require("../addon/codes.js");

/** The lengths of the lists stand in front of them. */
const { COUNT: LISTS, ROOMS, MEMBERS, EXCEPT_ROOMS, EXCEPT_MEMBERS } = RecipientLists;

/** Whom a broadcast reaches, as `Recipients::decode` reads it. Used again and again. */
class Recipients {
  constructor() {
    this.numbers = new Uint32Array(64);
    this.end = LISTS;
  }

  clear() {
    this.numbers.fill(0, 0, LISTS);
    this.end = LISTS;
  }

  /** Whether nothing has been added. */
  get isEmpty() {
    return this.end === LISTS;
  }

  /** The lists are filled one after the other, in their order. */
  add(list, number) {
    if (this.end === this.numbers.length) this.grow();
    this.numbers[list]++;
    this.numbers[this.end++] = number;
  }

  grow() {
    const { numbers } = this;
    this.numbers = new Uint32Array(2 * numbers.length);
    this.numbers.set(numbers);
  }
}

module.exports = { EXCEPT_MEMBERS, EXCEPT_ROOMS, MEMBERS, ROOMS, Recipients };
