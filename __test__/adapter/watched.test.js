"use strict";

/** Maps, Sets and properties that report their changes. */

const assert = require("node:assert/strict");
const { describe, test } = require("node:test");
const watched = require("../../lib/adapter/watched.js");

/** Methods that do not change a Map or a Set, of all versions of Node.js. */
const READING = [
  ...["constructor", "get", "has", "size", "entries", "keys", "values", "forEach"],
  ...["union", "intersection", "difference", "symmetricDifference"],
  ...["isSubsetOf", "isSupersetOf", "isDisjointFrom"],
];

/** Returns an observer that keeps the reports that it receives. */
function recorder() {
  const reports = [];
  const note =
    (name) =>
    (...args) =>
      reports.push([name, ...args]);
  const [handleSet, handleAdd, handleDelete] = ["set", "add", "delete"].map(note);
  return { reports, handleSet, handleAdd, handleDelete };
}

describe("a watched Map", () => {
  test("reports its changes, once they are done", () => {
    const map = new Map([["a", 1]]);
    const observer = recorder();
    watched.watchMap(map, observer);
    map.set("a", 1).set("a", 2).set("b", 3);
    assert.deepEqual([map.delete("a"), map.delete("a"), map.clear()], [true, false, undefined]);
    assert.deepEqual(observer.reports, [
      ["set", "a", 2, 1, false],
      ["set", "b", 3, undefined, true],
      ["delete", "a", 2],
      ["delete", "b", 3],
    ]);
  });

  test("reports to several observers, until each is removed", () => {
    const map = new Map();
    const [first, second] = [recorder(), recorder()];
    watched.watchMap(map, first);
    watched.watchMap(map, second);
    map.set("a", 1);
    watched.unwatchMap(map, first);
    map.set("b", 2);
    watched.unwatchMap(map, second);
    map.set("c", 3);
    assert.deepEqual([first.reports.length, second.reports.length], [1, 2]);
    assert.ok(watched.isWatchableMap(map));
  });

  test("returns whether changes of its size have been missed", () => {
    const map = new Map();
    watched.watchMap(map, recorder());
    map.set("a", 1);
    assert.equal(watched.isFullyReported(map), true);
    Map.prototype.set.call(map, "b", 2);
    assert.equal(watched.isFullyReported(map), false);
  });

  test("replaces every method that changes a Map", () => {
    const map = new Map();
    watched.watchMap(map, recorder());
    const changing = methodsOf(Map).filter((name) => !READING.includes(name));
    assert.deepEqual(
      changing.filter((name) => !Object.hasOwn(map, name)),
      [],
    );
  });
});

describe("a watched Set", () => {
  test("reports its changes, once they are done", () => {
    const set = new Set(["a"]);
    const observer = recorder();
    watched.watchSet(set, observer);
    assert.equal(set.add("a").add("b"), set);
    assert.deepEqual([set.delete("a"), set.delete("a"), set.clear()], [true, false, undefined]);
    assert.deepEqual(observer.reports, [
      ["add", "b"],
      ["delete", "a"],
      ["delete", "b"],
    ]);
    watched.unwatchSet(set);
    set.add("c");
    assert.equal(observer.reports.length, 3);
  });

  test("replaces every method that changes a Set", () => {
    const set = new Set();
    watched.watchSet(set, recorder());
    const changing = methodsOf(Set).filter((name) => !READING.includes(name));
    assert.deepEqual(
      changing.filter((name) => !Object.hasOwn(set, name)),
      [],
    );
  });

  test("can be unwatched although it was frozen meanwhile", () => {
    const set = Object.freeze(watchedSet());
    watched.unwatchSet(set);
    assert.equal(watched.isWatchableSet(set), false);
  });
});

test("an object with methods of its own cannot be watched", () => {
  const withOwn = Object.assign(new Set(), { add: Set.prototype.add });
  const sets = [
    new (class extends Set {})(),
    withOwn,
    Object.freeze(new Set()),
    new Map(),
    [],
    null,
  ];
  for (const set of sets) assert.equal(watched.isWatchableSet(set), false);
  const replaced = watchedSet();
  replaced.add = Set.prototype.add;
  assert.equal(watched.isWatchableSet(replaced), false);
  assert.equal(watched.isWatchableMap(new (class extends Map {})()), false);
  assert.deepEqual(
    [watched.isWatchableMap(new Map()), watched.isWatchableSet(new Set())],
    [true, true],
  );
});

test("a watched property reports its replacement, and is restored by unwatching", () => {
  const object = { value: 1 };
  let count = 0;
  const observer = () => count++;
  watched.watchProperty(object, "value", observer);
  object.value = 2;
  assert.deepEqual([object.value, count, Object.keys(object)], [2, 1, ["value"]]);
  watched.unwatchProperty(object, "value", observer);
  object.value = 3;
  assert.deepEqual([object, count], [{ value: 3 }, 1]);
});

function watchedSet() {
  const set = new Set();
  watched.watchSet(set, recorder());
  return set;
}

/** Returns the names of the methods of a class. */
function methodsOf({ prototype }) {
  return Object.getOwnPropertyNames(prototype);
}
