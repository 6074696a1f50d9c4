"use strict";

const { binding, hasEngine } = require("../addon/index.js");
const { warn } = require("../errors.js");
const { stats } = require("../stats.js");
const { hasDescriptor, isTcp } = require("./handles.js");

/**
 * The reasons to leave listening to Node.js: names as counted in `stats()`, and the words of the warning.
 * Tests compare the names with index.d.ts and with the guides.
 */
const REASONS = {
  addon: "the native addon is not loaded",
  platform: "the addon accepts connections on Linux and macOS only",
  cluster:
    "the primary of the cluster listens; `reusePort: true` of listen(), in Node.js 22.12, lets each process do so",
  notTcp: "it listens on a Unix domain socket or a pipe",
  noDescriptor: "the runtime does not expose the file descriptor of the listening socket",
  resources: "file descriptors or threads have run out",
};

/** Reasons for which a warning has been printed. */
const warned = new Set();

/**
 * Returns why I/O threads cannot accept the connections of a listening handle.
 *
 * @param {object} handle of a server: bound, but not listening yet
 * @returns {keyof REASONS | null} null if they can
 */
function fallbackReason(handle) {
  if (binding === null) return "addon";
  if (!hasEngine) return "platform";
  if (isOfCluster(handle)) return "cluster";
  if (!hasDescriptor(handle)) return "noDescriptor";
  return isTcp(handle) ? null : "notTcp";
}

/**
 * Returns whether the primary of a cluster has the socket: its stand-ins in workers are plain objects, and
 * handles that it shares have a `close()` of their own.
 */
function isOfCluster(handle) {
  return Object.getPrototypeOf(handle) === Object.prototype || Object.hasOwn(handle, "close");
}

/** Counts a server whose listening is left to Node.js, and prints a warning of the first for each reason. */
function reportFallback(reason) {
  stats.countServerFallback(reason);
  // Without the addon a warning has been printed, unless it was switched off on purpose.
  if (reason === "addon" || warned.has(reason)) return;
  warned.add(reason);
  warn("TURBO_FALLBACK", `Node.js accepts the connections of a server: ${REASONS[reason]}`);
}

module.exports = { REASONS, fallbackReason, reportFallback };
