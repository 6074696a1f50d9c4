"use strict";

const { RecipientLists } = require("../addon/codes.js");

/** The lengths of the lists stand in front of them. */
const { COUNT: LISTS, ROOMS, MEMBERS, EXCEPT_ROOMS, EXCEPT_MEMBERS } = RecipientLists;

/**
 * The recipients of a broadcast as ids of the workers' rooms and connections, encoded as
 * `Recipients::decode` reads them. One object is reused for all broadcasts.
 */
class Recipients {
  encoded = new Uint32Array(64);
  #end = LISTS;

  clear() {
    this.encoded.fill(0, 0, LISTS);
    this.#end = LISTS;
  }

  /** True if nothing has been added. */
  get isEmpty() {
    return this.#end === LISTS;
  }

  /** Adds an id to a list. The lists have to be filled one after the other, in their order. */
  add(list, id) {
    if (this.#end === this.encoded.length) this.#grow();
    this.encoded[list]++;
    this.encoded[this.#end++] = id;
  }

  #grow() {
    const { encoded } = this;
    this.encoded = new Uint32Array(2 * encoded.length);
    this.encoded.set(encoded);
  }
}

module.exports = { EXCEPT_MEMBERS, EXCEPT_ROOMS, MEMBERS, ROOMS, Recipients };
