"use strict";

/**
 * Adopts objects that the factories of other packages have made. The classes of some of them are not
 * exported, so they cannot be extended before; and the object has to stay the same, as its
 * constructor may have given it to others. So a finished object becomes an instance of a subclass of
 * its own class:
 *
 * 1. `mixin` makes the subclass, of a `Base` that stands for the object's class: it has the same
 *    prototype, but its constructor returns the object that it is given instead of making one.
 * 2. The object gets the subclass's prototype, so that constructors can call the methods.
 * 3. The subclass is constructed with the object. `super(instance)` returns it, which makes it `this`:
 *    JavaScript adds the fields of the subclass to it, `#private` ones as well.
 */

/** The subclasses, by the mixin and then by the prototype that they extend. */
const adopted = new WeakMap();

/**
 * Turns `instance` into an instance of the class that `mixin` makes of its class.
 *
 * @template {object} T
 * @param {T} instance
 * @param {(Base: Function) => Function} mixin returns a subclass of `Base`, which passes its first
 *   argument to `super()`; called once for each prototype
 * @param {...unknown} args further arguments for the subclass's constructor
 * @returns {T} `instance`
 */
function adopt(instance, mixin, ...args) {
  const Class = classOf(Object.getPrototypeOf(instance), mixin);
  Object.setPrototypeOf(instance, Class.prototype);
  return new Class(instance, ...args);
}

function classOf(prototype, mixin) {
  const classes = adopted.get(mixin) ?? new WeakMap();
  adopted.set(mixin, classes);
  const Class = classes.get(prototype) ?? extend(prototype, mixin);
  classes.set(prototype, Class);
  return Class;
}

function extend(prototype, mixin) {
  function Base(instance) {
    return instance;
  }
  Base.prototype = prototype;
  const Class = mixin(Base);
  // Methods may look for static members at `this.constructor`.
  const { constructor: value } = prototype;
  Object.defineProperty(Class.prototype, "constructor", { value });
  return Class;
}

module.exports = { adopt };
