"use strict";

/**
 * Maps, Sets and properties of others whose changes are reported to an observer. They stay the
 * objects that they are, with the prototypes that they have: only their methods that change
 * something are shadowed, by properties of their own that are not enumerable. So nothing differs in
 * `instanceof`, in comparisons, in copies and in what `console.log()` shows.
 */

/** On a Map or a Set: who observes it. */
const kWatch = Symbol("watch");

/** The methods that change a Map, and a Set, as the engine has them. */
const ofMap = methodsOf(Map, ["set", "delete", "clear", "getOrInsert", "getOrInsertComputed"]);
const ofSet = methodsOf(Set, ["add", "delete", "clear"]);
const NAMES_OF_MAP = Object.keys(ofMap);
const NAMES_OF_SET = Object.keys(ofSet);

/** In the place of those of a Map. */
const mapMethods = {
  set(key, value) {
    const watch = this[kWatch];
    if (watch === undefined) return ofMap.set.call(this, key, value);
    const isNew = !this.has(key);
    const previous = this.get(key);
    ofMap.set.call(this, key, value);
    if (isNew || previous !== value) watch.handleSet(key, value, previous, isNew);
    return this;
  },
  delete(key) {
    const previous = this.get(key);
    const isDeleted = ofMap.delete.call(this, key);
    if (isDeleted) this[kWatch]?.handleDelete(key, previous);
    return isDeleted;
  },
  clear() {
    const entries = [...this];
    ofMap.clear.call(this);
    for (const [key, value] of entries) this[kWatch]?.handleDelete(key, value);
  },
  getOrInsert(key, value) {
    if (!this.has(key)) mapMethods.set.call(this, key, value);
    return this.get(key);
  },
  getOrInsertComputed(key, callback) {
    if (this.has(key)) return this.get(key);
    // That of the engine checks what it is given.
    const value = ofMap.getOrInsertComputed.call(new Map(), key, callback);
    mapMethods.set.call(this, key, value);
    return value;
  },
};

/** In the place of those of a Set. */
const setMethods = {
  add(value) {
    const { size } = this;
    ofSet.add.call(this, value);
    if (this.size > size) this[kWatch]?.handleAdd(value);
    return this;
  },
  delete(value) {
    const isDeleted = ofSet.delete.call(this, value);
    if (isDeleted) this[kWatch]?.handleDelete(value);
    return isDeleted;
  },
  clear() {
    const values = [...this];
    ofSet.clear.call(this);
    for (const value of values) this[kWatch]?.handleDelete(value);
  },
};

/** The methods of these names, where this version of the engine has them. */
function methodsOf({ prototype }, names) {
  const present = names.filter((name) => Object.hasOwn(prototype, name));
  return Object.fromEntries(present.map((name) => [name, prototype[name]]));
}

/** Tells all observers of a Map, and counts its entries. */
class MapWatch {
  constructor(size) {
    this.size = size;
    this.observers = [];
  }

  handleSet(key, value, previous, isNew) {
    if (isNew) this.size++;
    for (const observer of this.observers) observer.handleSet(key, value, previous, isNew);
  }

  handleDelete(key, previous) {
    this.size--;
    for (const observer of this.observers) observer.handleDelete(key, previous);
  }
}

/**
 * @param {unknown} value
 * @returns {boolean} whether its changes can be reported: a Map with the methods of the engine, or
 *   one that is watched already
 */
function isWatchableMap(value) {
  return isWatchable(value, Map, NAMES_OF_MAP, mapMethods);
}

/**
 * @param {unknown} value
 * @returns {boolean} whether its changes can be reported: a Set with the methods of the engine, or
 *   one that is, or was, watched
 */
function isWatchableSet(value) {
  return isWatchable(value, Set, NAMES_OF_SET, setMethods);
}

function isWatchable(value, { prototype }, names, methods) {
  if (typeof value !== "object" || value === null) return false;
  if (Object.getPrototypeOf(value) !== prototype || !Object.isExtensible(value)) return false;
  const isShadowed = Object.hasOwn(value, kWatch);
  const isOurs = (name) => value[name] === methods[name];
  return names.every(isShadowed ? isOurs : (name) => !Object.hasOwn(value, name));
}

/** Shadows the methods of a Map or a Set, if that has not been done, and sets who observes it. */
function shadow(target, watch, names, methods) {
  if (Object.hasOwn(target, kWatch)) {
    target[kWatch] = watch;
    return;
  }
  define(target, kWatch, watch);
  for (const name of names) define(target, name, methods[name]);
}

function define(target, name, value) {
  Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

/**
 * Reports the changes of a Map from now on. Several observers may watch one.
 *
 * @param {Map} map for which `isWatchableMap()` holds
 * @param {{ handleSet: (key: unknown, value: unknown, previous: unknown, isNew: boolean) => void,
 *   handleDelete: (key: unknown, previous: unknown) => void }} observer called when it is done
 */
function watchMap(map, observer) {
  if (map[kWatch] === undefined) shadow(map, new MapWatch(map.size), NAMES_OF_MAP, mapMethods);
  map[kWatch].observers = [...map[kWatch].observers, observer];
}

/** Ends what `watchMap()` has begun. */
function unwatchMap(map, observer) {
  const watch = map[kWatch];
  watch.observers = watch.observers.filter((other) => other !== observer);
  if (watch.observers.length === 0) forget(map);
}

/**
 * @param {Map} map that is watched
 * @returns {boolean} whether all changes can have been reported: none is that is made by
 *   `Map.prototype.set.call(map, …)`. Such as leave the size as it was are not noticed
 */
function isFullyReported(map) {
  return map[kWatch] !== undefined && map[kWatch].size === map.size;
}

/**
 * Reports the changes of a Set from now on.
 *
 * @param {Set} set for which `isWatchableSet()` holds
 * @param {{ handleAdd: (value: unknown) => void, handleDelete: (value: unknown) => void }} observer
 *   called when it is done
 */
function watchSet(set, observer) {
  shadow(set, observer, NAMES_OF_SET, setMethods);
}

/** Ends what `watchSet()` has begun; where the Set was frozen meanwhile, its observer stays. */
function unwatchSet(set) {
  forget(set);
}

function forget(target) {
  if (Object.isExtensible(target)) target[kWatch] = undefined;
}

/** @returns {object | undefined} who watches this Set, if it is one, and somebody does */
function observerOf(set) {
  return set?.[kWatch];
}

/** By object and name: the property's value, and who is told when it is replaced. */
const properties = new WeakMap();

/**
 * Reports from now on that a property is given another value. It becomes an accessor.
 *
 * @param {object} object
 * @param {string} name of a property of its own
 * @param {() => void} observer
 */
function watchProperty(object, name, observer) {
  const watched = properties.get(object) ?? new Map();
  properties.set(object, watched);
  const state = watched.get(name) ?? { value: object[name], observers: new Set() };
  watched.set(name, state);
  state.observers.add(observer);
  const get = () => state.value;
  const set = (value) => {
    state.value = value;
    for (const handleReplaced of state.observers) handleReplaced();
  };
  Object.defineProperty(object, name, { get, set, configurable: true, enumerable: true });
}

/** Ends what `watchProperty()` has begun. */
function unwatchProperty(object, name, observer) {
  const watched = properties.get(object);
  const { value, observers } = watched.get(name);
  observers.delete(observer);
  if (observers.size > 0) return;
  watched.delete(name);
  const data = { value, writable: true, configurable: true, enumerable: true };
  Object.defineProperty(object, name, data);
}

module.exports = {
  isFullyReported,
  isWatchableMap,
  isWatchableSet,
  observerOf,
  unwatchMap,
  unwatchProperty,
  unwatchSet,
  watchMap,
  watchProperty,
  watchSet,
};
