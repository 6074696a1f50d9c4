"use strict";

/**
 * Reports changes of Maps, Sets and properties of other code to observers. The objects keep their
 * identity and their prototypes: only the methods that change something are shadowed, by own
 * properties that are not enumerable. So `instanceof`, comparisons, copies and the output of
 * `console.log()` do not change.
 */

/** On a Map or a Set: its observer. */
const kWatch = Symbol("watch");

/** The engine's methods that change a Map, and a Set. */
const ofMap = methodsOf(Map, ["set", "delete", "clear", "getOrInsert", "getOrInsertComputed"]);
const ofSet = methodsOf(Set, ["add", "delete", "clear"]);
const NAMES_OF_MAP = Object.keys(ofMap);
const NAMES_OF_SET = Object.keys(ofSet);

/** The methods that shadow those of a Map. */
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
    // The engine's method checks the arguments.
    const value = ofMap.getOrInsertComputed.call(new Map(), key, callback);
    mapMethods.set.call(this, key, value);
    return value;
  },
};

/** The methods that shadow those of a Set. */
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

/** Returns the methods of these names that this version of the engine has, by their names. */
function methodsOf({ prototype }, names) {
  const present = names.filter((name) => Object.hasOwn(prototype, name));
  return Object.fromEntries(present.map((name) => [name, prototype[name]]));
}

/** Reports the changes of a Map to all its observers, and counts its entries. */
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
 * Returns whether the changes of a Map can be reported: it has the engine's methods, or is watched
 * already.
 *
 * @param {unknown} value
 * @returns {boolean} false for anything but a Map
 */
function isWatchableMap(value) {
  return isWatchable(value, Map, NAMES_OF_MAP, mapMethods);
}

/**
 * Returns whether the changes of a Set can be reported: it has the engine's methods, or is or was
 * watched already.
 *
 * @param {unknown} value
 * @returns {boolean} false for anything but a Set
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

/** Sets the observer of a Map or a Set, whose methods are shadowed at the first call. */
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
 * Reports the changes of a Map from now on. A Map may have several observers.
 *
 * @param {Map} map for which `isWatchableMap()` holds
 * @param {{ handleSet: (key: unknown, value: unknown, previous: unknown, isNew: boolean) => void,
 *   handleDelete: (key: unknown, previous: unknown) => void }} observer called after each change
 */
function watchMap(map, observer) {
  if (map[kWatch] === undefined) shadow(map, new MapWatch(map.size), NAMES_OF_MAP, mapMethods);
  map[kWatch].observers = [...map[kWatch].observers, observer];
}

/** Ends the reports to an observer of `watchMap()`. */
function unwatchMap(map, observer) {
  const watch = map[kWatch];
  watch.observers = watch.observers.filter((other) => other !== observer);
  if (watch.observers.length === 0) forget(map);
}

/**
 * Returns whether all changes of a watched Map have been reported, as far as its size shows. A change
 * by `Map.prototype.set.call(map, …)` is not reported, and not found if the size stays the same.
 *
 * @param {Map} map
 * @returns {boolean} false if the Map is not watched
 */
function isFullyReported(map) {
  return map[kWatch] !== undefined && map[kWatch].size === map.size;
}

/**
 * Reports the changes of a Set from now on. A Set has one observer.
 *
 * @param {Set} set for which `isWatchableSet()` holds
 * @param {{ handleAdd: (value: unknown) => void, handleDelete: (value: unknown) => void }} observer
 *   called after each change
 */
function watchSet(set, observer) {
  shadow(set, observer, NAMES_OF_SET, setMethods);
}

/** Ends the reports of `watchSet()`. A Set that has been frozen meanwhile keeps its observer. */
function unwatchSet(set) {
  forget(set);
}

function forget(target) {
  if (Object.isExtensible(target)) target[kWatch] = undefined;
}

/** Returns the observer of a Set; `undefined` if it has none, or is anything else. */
function observerOf(set) {
  return set?.[kWatch];
}

/** The values and observers of watched properties, by object and then by name. */
const properties = new WeakMap();

/**
 * Reports from now on that a property is given another value. The property becomes an accessor.
 *
 * @param {object} object
 * @param {string} name of an own property
 * @param {() => void} observer called after each change
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

/** Ends the reports to an observer of `watchProperty()`. */
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
