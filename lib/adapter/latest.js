"use strict";

/**
 * `turbo.latest()`: broadcasts with a key, of which a slow client gets the latest only.
 *
 * The key is a flag of the broadcast, so it reaches the adapter of each node with the other flags;
 * adapters that do not know it send all packets.
 */

const { InvalidOptionError, NotPossibleError } = require("../errors.js");

/** The most characters of a key, as JavaScript counts them. `src/proto/cluster/flags.rs` has it, too. */
const MAX_KEY = 256;

const ACCEPTED_KEYS = `a well-formed string of 1 to ${MAX_KEY} characters`;
const ACCEPTED_TARGETS = "a server, a namespace, a socket, or what their to() and except() return";
const NO_ACKNOWLEDGEMENT =
  "a packet that a newer one replaces is never acknowledged: emit without a callback, or without turbo.latest()";

function isKey(key) {
  return typeof key === "string" && key !== "" && key.length <= MAX_KEY && key.isWellFormed();
}

/** The classes of operators with a key, by the class of Socket.IO that they extend. */
const classes = new WeakMap();

/** Returns the class of operators with a key that extends a class of operators, or is it. */
function classOf(BroadcastOperator) {
  if (classes.get(BroadcastOperator) === undefined) {
    const Class = operatorClass(BroadcastOperator);
    classes.set(BroadcastOperator, Class);
    // An operator with a key may get another key.
    classes.set(Class, Class);
  }
  return classes.get(BroadcastOperator);
}

/** Returns the same operator with the methods of operators with a key, and other flags if given. */
function withKey(operator, flags = operator.flags) {
  const { adapter, rooms, exceptRooms } = operator;
  return new (classOf(operator.constructor))(adapter, rooms, exceptRooms, flags);
}

/**
 * Returns a class of broadcast operators that refuse acknowledgements. The methods of the official
 * class return operators of that class, not of a subclass, so each of them is overridden.
 */
function operatorClass(BroadcastOperator) {
  return class extends BroadcastOperator {
    to(room) {
      return withKey(super.to(room));
    }

    except(room) {
      return withKey(super.except(room));
    }

    compress(compress) {
      return withKey(super.compress(compress));
    }

    timeout(timeout) {
      return withKey(super.timeout(timeout));
    }

    get volatile() {
      return withKey(super.volatile);
    }

    get local() {
      return withKey(super.local);
    }

    /** @throws {NotPossibleError} if the last argument is a callback */
    emit(event, ...args) {
      if (typeof args.at(-1) === "function") throw new NotPossibleError(NO_ACKNOWLEDGEMENT);
      return super.emit(event, ...args);
    }
  };
}

/** Returns the official operator that reaches a target; `null` if it is none. */
function operatorOf(target) {
  if (target?.exceptRooms instanceof Set) return target;
  if (typeof target?.join === "function") return operatorOfSocket(target);
  const namespace = typeof target?.of === "function" ? target.sockets : target;
  return isNamespace(namespace) ? namespace.except([]) : null;
}

function operatorOfSocket(socket) {
  const { nsp, id, flags } = socket;
  if (!isNamespace(nsp)) return null;
  // As `socket.to()` does.
  socket.flags = {};
  const operator = nsp.except([]);
  operator.flags = { ...flags, local: true };
  return operator.to(id);
}

function isNamespace(value) {
  return value?.adapter !== undefined && typeof value.except === "function";
}

/**
 * Returns an operator whose packets replace older ones of the same key: for a client for which one
 * still waits, the new packet takes its place. A client that keeps up gets all of them.
 *
 * @param {import("socket.io").Server | import("socket.io").Namespace | import("socket.io").Socket |
 *   import("socket.io").BroadcastOperator} target stays as it is, except that a socket's `volatile` and
 *   `compress()` count for this operator, as with `socket.to()`
 * @param {string} key of 1 to 256 characters; each namespace has keys of its own
 * @returns {import("socket.io").BroadcastOperator}
 * @throws {InvalidOptionError} if the target or the key is invalid
 */
function latest(target, key) {
  if (!isKey(key)) throw new InvalidOptionError("key", ACCEPTED_KEYS, key);
  const operator = operatorOf(target);
  if (operator === null) throw new InvalidOptionError("target", ACCEPTED_TARGETS, target);
  return withKey(operator, { ...operator.flags, latest: key });
}

/** Returns the key of a packet that is sent with these options; `null` if it replaces no other. */
function latestKeyOf(nsp, { flags }) {
  const key = flags?.latest;
  if (key === undefined || !isKey(key)) return null;
  // A client reports the last packet that it got, and a session is restored from there: packets must
  // arrive in the order in which they are stored. Those with `volatile` are not.
  const isStored = nsp.server.opts?.connectionStateRecovery && flags.volatile === undefined;
  return isStored ? null : key;
}

module.exports = { latest, latestKeyOf };
