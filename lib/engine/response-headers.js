"use strict";

/**
 * Keeps the requests of upgrades small. Before its middlewares run, engine.io sets a property of the request,
 * the headers for the response, and deletes it when the response is written. Since V8 12 (Node.js 22), an object
 * from which a property was deleted is a hash table: 1.6 KiB instead of 0.3 for a request, which stays for as
 * long as its connection.
 *
 * So a request that is upgraded has, until then, a prototype with an accessor of that name in front of its own.
 * Nothing is set on the request then, and nothing has to be deleted.
 */

const { IncomingMessage } = require("node:http");

/**
 * Before V8 13 (Node.js 24), objects do not share their layout after a change of their prototype, which costs
 * 0.8 KiB.
 */
const MIN_V8 = 13;
const isWorthwhile = Number.parseInt(process.versions.v8, 10) >= MIN_V8;

/** The description of engine.io's symbol. */
const DESCRIPTION = "responseHeaders";

/** engine.io's symbol for the property; `undefined` before the first upgrade. */
let key;

/** The values of the accessors, by request. */
const headers = new WeakMap();

/** The prototypes with an accessor, by the prototype behind each of them. */
const replacements = new WeakMap();

/** The prototypes behind those with an accessor. */
const originals = new WeakMap();

function replacementOf(prototype) {
  let replacement = replacements.get(prototype);
  if (replacement === undefined) {
    replacement = Object.create(prototype, {
      [key]: {
        get() {
          return headers.get(this);
        },
        set(value) {
          headers.set(this, value);
        },
      },
    });
    replacements.set(prototype, replacement);
    originals.set(replacement, prototype);
  }
  return replacement;
}

/**
 * Prepares a request for its upgrade. To be called before engine.io handles it.
 *
 * @param {import("node:http").IncomingMessage} request
 */
function beginUpgrade(request) {
  if (key === undefined || !(request instanceof IncomingMessage)) return;
  const prototype = Object.getPrototypeOf(request);
  if (originals.has(prototype) || Object.hasOwn(request, key)) return;
  Reflect.setPrototypeOf(request, replacementOf(prototype));
}

/**
 * Looks for engine.io's symbol on a request whose response is not written yet.
 *
 * @param {import("node:http").IncomingMessage} request
 */
function findKey(request) {
  if (!isWorthwhile || key !== undefined) return;
  key = Object.getOwnPropertySymbols(request).find((symbol) => symbol.description === DESCRIPTION);
}

/**
 * Gives a request its own prototype back. To be called when the response is written.
 *
 * @param {import("node:http").IncomingMessage} request
 */
function endUpgrade(request) {
  const original = originals.get(Object.getPrototypeOf(request));
  if (original === undefined) return;
  Reflect.setPrototypeOf(request, original);
  headers.delete(request);
}

module.exports = { beginUpgrade, endUpgrade, findKey };
