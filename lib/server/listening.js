"use strict";

const { fallbackReason, reportFallback } = require("./fallback.js");

/** The handle of a server that listens; as `_handle` of `net.Server`. */
const HANDLE = Symbol("handle");

/**
 * Returns a subclass of a server whose connections I/O threads accept.
 *
 * Node.js makes and binds the handle in all forms of `listen()`, and sets it as `_handle`, which is an
 * accessor here. From then on, the handle's `listen()` is ours.
 *
 * @template {typeof import("node:http").Server | typeof import("node:https").Server} Base
 * @param {Base} Base
 * @returns {Base}
 */
function withListener(Base) {
  return class Server extends Base {
    get _handle() {
      return this[HANDLE];
    }
    set _handle(handle) {
      this[HANDLE] = handle;
      if (handle !== null) observe(handle);
    }
  };
}

/** Counts a handle that Node.js listens on. */
function observe(handle) {
  const reason = fallbackReason(handle);
  if (reason !== null) reportFallback(reason);
}

module.exports = { withListener };
