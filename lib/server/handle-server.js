"use strict";

const cluster = require("node:cluster");
const dns = require("node:dns");
const net = require("node:net");
const { constants } = require("node:os");
const { nextTick } = require("node:process");
const { getSystemErrorMap } = require("node:util");
const { binding, hasEngine } = require("../addon/index.js");
const { environmentWorkers } = require("../engine/workers.js");
const { AdoptedSockets } = require("./adopted-sockets.js");
const { isWsThePackage } = require("../ws-package.js");
const { BY_RUNTIME, BoundHandle, IPV6_ONLY, PORT_SHARED } = require("./bound-handle.js");
const { reportFallback } = require("./fallback.js");
const { readListenArguments } = require("./listen-arguments.js");

/** As in Node.js. */
const BACKLOG = 511;

/** Options of `http.createServer()` that make a server of Bun speak TLS. */
const TLS_OPTIONS = ["ca", "cert", "key", "pfx"];

/**
 * Returns a class whose servers listen by a handle, as those of Node.js do. A class of servers that are no `net.Server`s,
 * as in Bun, gets a subclass that listens on TCP by a `BoundHandle`, with the members of `net.Server` that concern it.
 * On anything else the runtime listens in its own way.
 *
 * @template {typeof import("node:http").Server} Base
 * @param {Base} Base
 * @returns {Base}
 */
function withHandle(Base) {
  if (Base.prototype instanceof net.Server) return Base;
  return class HandleServer extends Base {
    #adopted = new AdoptedSockets(this);
    /** Set from `listen()` until it listens, or cannot. */
    #isPending = false;
    #hasTls;

    constructor(options, listener) {
      super(options, listener);
      this.#hasTls = TLS_OPTIONS.some((name) => options?.[name]);
      this._handle = null;
      this._connections = 0;
    }

    get listening() {
      return Boolean(this._handle) || super.listening;
    }

    listen(...args) {
      const wanted = readListenArguments(args);
      const reason = this.#hasTls ? "noDescriptor" : listenReason(args, wanted);
      if (reason !== null) {
        reportFallback(reason);
        return super.listen(...args);
      }
      if (this.listening || this.#isPending) throw alreadyListens();
      if (wanted.callback !== null) this.once("listening", wanted.callback);
      observeSignal(this, wanted.signal);
      this.#isPending = true;
      resolve(wanted, (error, addresses) => {
        if (!this.#isPending) return;
        this.#isPending = false;
        if (error) nextTick(() => this.emit("error", error));
        else this.#open(addresses, wanted);
      });
      return this;
    }

    /** Listens on the first address that the system has. */
    #open(addresses, wanted) {
      const [address, ...others] = addresses;
      const { port, backlog = BACKLOG, ipv6Only, reusePort } = wanted;
      const handle = new BoundHandle(this.#adopted, environmentWorkers().native);
      const flags = (ipv6Only ? IPV6_ONLY : 0) | (reusePort ? PORT_SHARED : 0);
      let status = handle.bind6(address, port, flags);
      if (status === 0) {
        this._handle = handle;
        status = handle.listen(backlog);
      }
      if (status === 0) {
        if (this._unref) handle.unref();
        this.#emitLater(handle, "listening");
        return;
      }
      this._handle = null;
      handle.close();
      if (status === BY_RUNTIME) super.listen(port, wanted.host);
      else if (others.length > 0 && status !== -constants.errno.EADDRINUSE) {
        this.#open(others, wanted);
      } else this.#emitLater(null, "error", listenError(status, wanted.host ?? address, port));
    }

    /** Emits an event in the next tick, unless it is closed by then. */
    #emitLater(handle, ...event) {
      nextTick(() => {
        if (this._handle === handle) this.emit(...event);
      });
    }

    address() {
      if (!this._handle) return super.address();
      const name = {};
      this._handle.getsockname(name);
      return name;
    }

    ref() {
      this._handle?.ref();
      return super.ref();
    }

    unref() {
      this._handle?.unref();
      return super.unref();
    }

    close(callback) {
      this.#isPending = false;
      const handle = this._handle;
      if (!handle) return super.close(callback);
      if (typeof callback === "function") this.once("close", callback);
      this.closeIdleConnections();
      this._handle = null;
      handle.close();
      // Ends what the runtime does for a server that listens.
      super.close();
      this._emitCloseIfDrained();
      return this;
    }

    getConnections(callback) {
      return super.getConnections((error, count) => callback(error, count + this._connections));
    }

    _emitCloseIfDrained() {
      if (this._handle || this._connections > 0) return;
      nextTick(() => this.emit("close"));
    }
  };
}

/** Returns why the runtime listens by itself. */
function listenReason([first], wanted) {
  if (binding === null) return "addon";
  if (!hasEngine) return "platform";
  if (!isWsThePackage) return "otherWs";
  if (wanted === null) return typeof first === "string" || first?.path ? "notTcp" : "noDescriptor";
  const isShared = cluster.isWorker && !first?.exclusive && !wanted.reusePort;
  return isShared ? "cluster" : null;
}

function alreadyListens() {
  const error = new Error("Listen method has been called more than once without closing.");
  return Object.assign(error, { code: "ERR_SERVER_ALREADY_LISTEN" });
}

function observeSignal(server, signal) {
  if (!signal) return;
  if (signal.aborted) nextTick(() => server.close());
  else signal.addEventListener("abort", () => server.close(), { once: true });
}

/** Calls back with the addresses to try in turn. Without a host, in the same turn, as Node.js does. */
function resolve({ host }, callback) {
  if (host === undefined) callback(null, ["::", "0.0.0.0"]);
  else if (net.isIP(host)) callback(null, [host]);
  else dns.lookup(host, (error, address) => callback(error, [address]));
}

/** Returns the error of Node.js for the number of a system error. */
function listenError(errno, address, port) {
  const [code, text] = getSystemErrorMap().get(errno);
  const place = port > 0 ? `${address}:${port}` : address;
  const error = new Error(`listen ${code}: ${text} ${place}`);
  return Object.assign(error, { code, errno, syscall: "listen", address, port });
}

module.exports = { withHandle };
