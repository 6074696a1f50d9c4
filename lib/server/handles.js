"use strict";

/**
 * Handles of listening sockets, by what they can do. That of Node.js has the descriptor and takes connections by
 * `onconnection()`. That of Deno has a duplicate of the descriptor, meant for other processes, and accepts in
 * `onconnection()` by a method of its own.
 */

/** The kind of a `TCP` handle for a connection, `constants.SOCKET` of Node.js's binding. */
const SOCKET = 0;

/** Thrown where the runtime accepts, if the connection cannot be opened. */
const NOT_OPENED = new Error("the connection cannot be opened");

/** Returns whether a handle is that of a TCP socket, not of a pipe. */
function isTcp(handle) {
  return typeof handle.bind6 === "function";
}

/** Returns whether I/O threads can get the descriptor of a handle. */
function hasDescriptor(handle) {
  return handle.fd >= 0 || typeof handle.fdForIpc === "function";
}

/**
 * Returns whether a handle is bound. With Deno it may not be although `bind()` has succeeded: `listen()` then
 * returns the error.
 */
function isBound(handle) {
  const name = {};
  return handle.getsockname(name) !== 0 || name.port !== 0;
}

/**
 * Calls a function with the descriptor of a handle, which it must not keep.
 *
 * @template T
 * @param {object} handle
 * @param {object} native the `Workers` of the addon
 * @param {(fd: number) => T} use
 * @returns {T}
 */
function withDescriptor(handle, native, use) {
  if (handle.fd >= 0) return use(handle.fd);
  const duplicate = handle.fdForIpc();
  try {
    return use(duplicate);
  } finally {
    native.closeDescriptor(duplicate);
  }
}

/**
 * Gives a connection to the server of a handle, as if the handle had accepted it.
 *
 * @param {object} handle of the server
 * @param {() => object} newClient returns a new handle of the same class, for a connection
 * @param {() => number} claim returns the descriptor, which belongs to the handle of the connection from then on.
 *   It is opened at once: in between, a worker thread cannot be terminated
 * @returns {object | null} the handle of the connection; `null` if it cannot be opened
 */
function deliver(handle, newClient, claim) {
  if (typeof handle.accept === "function") return acceptAs(handle, claim);
  const client = newClient();
  if (client.open(claim()) !== 0) return null;
  handle.onconnection(0, client);
  return client;
}

/** Has a handle accept a connection that it has not. */
function acceptAs(handle, claim) {
  let client = null;
  handle.accept = (accepted) => {
    if (accepted.open(claim()) !== 0) throw NOT_OPENED;
    client = accepted;
    return 0;
  };
  try {
    handle.onconnection(0);
  } catch (error) {
    if (error !== NOT_OPENED) throw error;
  } finally {
    delete handle.accept;
  }
  return client;
}

/** Returns the socket that a runtime has made for the handle of a connection. */
function socketOf(client) {
  const owner = Object.getOwnPropertySymbols(client).find(({ description }) =>
    /^owner_?symbol$/i.test(description),
  );
  return client[owner];
}

module.exports = { SOCKET, deliver, hasDescriptor, isBound, isTcp, socketOf, withDescriptor };
