"use strict";

/**
 * Lean objects: instances of a class of Node.js by their prototype, made without its constructor. They keep a
 * few fields, and their prototype has accessors for all that the constructor would have made properties of the
 * object itself:
 *   - some are found out when they are read;
 *   - what is set becomes a property of the object itself, as with any object;
 *   - all else *expands* the object in place: it becomes an object as Node.js makes it, and nothing lean is
 *     left on it. The methods of streams and emitters do so, because they begin with reading properties that a
 *     lean object does not have.
 *
 * A lean object that is asked for its own keys has those only that a program has set. `in`, loops with `in`,
 * `hasOwnProperty()`, `util.inspect()` and `JSON.stringify()` answer as for an expanded one.
 */

const { inspect } = require("node:util");

/** Returns the descriptor of a property as an assignment makes it. */
const plain = (value) => ({ value, writable: true, enumerable: true, configurable: true });

/** Makes a property of an object, also where its prototype has an accessor. A frozen object stays as it is. */
function define(object, name, value) {
  Reflect.defineProperty(object, name, plain(value));
}

/** A kind of lean objects. */
class LeanKind {
  #fields;
  #expand;

  /**
   * @param {object} base the prototype of the class
   * @param {symbol[]} fields of each lean object, in the order in which they are made; the first is never
   *   undefined
   * @param {(object: object) => void} expandObject expands a lean object; it calls `strip()`
   */
  constructor(base, fields, expandObject) {
    this.prototype = Object.create(base);
    this.#fields = fields;
    this.#expand = expandObject;
    this.#answerExpanded();
  }

  /**
   * Adds an accessor.
   *
   * @param {string | symbol} name
   * @param {(object: object, name: string | symbol) => unknown} read called for each reading until it is set
   * @param {(object: object, name: string | symbol, value: unknown) => void} [write]
   * @param {boolean} [enumerable] false for what the class has as an accessor, too
   */
  add(name, read, write = define, enumerable = typeof name === "string") {
    const [mark] = this.#fields;
    const accessor = {
      get() {
        // Of the prototype itself, as when a debugger shows it.
        return this[mark] === undefined ? undefined : read(this, name);
      },
      set(value) {
        write(this, name, value);
      },
    };
    Object.defineProperty(this.prototype, name, { ...accessor, enumerable, configurable: true });
  }

  /** Adds accessors that expand the object, where there are none yet. */
  addExpanding(names, enumerable) {
    const read = (object, name) => {
      this.expand(object);
      return object[name];
    };
    const write = (object, name, value) => {
      this.expand(object);
      Reflect.set(object, name, value, object);
    };
    for (const name of names) {
      if (!Object.hasOwn(this.prototype, name)) this.add(name, read, write, enumerable);
    }
  }

  /** Adds a method that loops with `in` do not find. */
  addMethod(name, method) {
    const descriptor = { value: method, writable: true, configurable: true };
    Object.defineProperty(this.prototype, name, descriptor);
  }

  /**
   * Expands a lean object.
   *
   * @param {object} receiver the object, a proxy of it, or an object with it as prototype; nothing happens if it
   *   has been expanded
   */
  expand(receiver) {
    const [mark] = this.#fields;
    let object = receiver;
    while (object !== null && !Object.hasOwn(object, mark)) object = Object.getPrototypeOf(object);
    if (object !== null) this.#expand(object);
  }

  /**
   * Removes what makes an object lean.
   *
   * @param {object} object
   * @param {object} prototype takes the place of the lean one
   * @returns {PropertyDescriptorMap} the properties that a program has set, which are removed, too
   */
  strip(object, prototype) {
    const taken = Object.getOwnPropertyDescriptors(object);
    const fields = this.#fields.toReversed();
    for (const field of fields) delete taken[field];
    // V8 forgets a property that was added last, and makes other objects slow.
    for (const key of Reflect.ownKeys(taken).toReversed()) Reflect.deleteProperty(object, key);
    for (const field of fields) delete object[field];
    let heir = object;
    while (Object.getPrototypeOf(heir) !== this.prototype) heir = Object.getPrototypeOf(heir);
    Object.setPrototypeOf(heir, prototype);
    return taken;
  }

  #answerExpanded() {
    const kind = this;
    // `console.log()` and `JSON.stringify()` go on with the properties of what these return.
    function expanded() {
      kind.expand(this);
      return this;
    }
    this.addMethod(inspect.custom, expanded);
    this.addMethod("toJSON", expanded);
    for (const method of ["hasOwnProperty", "propertyIsEnumerable"]) {
      this.addMethod(method, function ask(name) {
        if (Object.hasOwn(kind.prototype, name)) kind.expand(this);
        return Object.prototype[method].call(this, name);
      });
    }
  }
}

module.exports = { LeanKind, define, plain };
