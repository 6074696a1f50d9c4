"use strict";

const { X509Certificate } = require("node:crypto");
const { binding } = require("../addon/index.js");
const { warnOnce } = require("../errors.js");
const {
  isPlainContext,
  nativeTlsOptions,
  needsOpenssl,
  refuseOptions,
} = require("./tls-options.js");

const HIDDEN_OPTIONS = "the runtime does not expose the TLS options of its servers";

/** The events by which OpenSSL shares sessions and secrets with a program. */
const OF_OPENSSL = ["keylog", "newSession", "resumeSession", "OCSPRequest"];

/**
 * The TLS of a server whose connections I/O threads accept: the settings that they have, and the reason why they
 * leave all of it to Node.js instead.
 */
class TlsState {
  #server;
  #onChange;
  #handshakeTimeout;
  #secureConnectionListeners;
  /** Contexts of `addContext()`, with their patterns. */
  #contexts = [];
  #isOfOpenssl = false;
  /** The settings; `null` if rustls cannot do what the options say. */
  #settings = null;
  #options;

  /**
   * @param {import("node:https").Server} server which is constructed
   * @param {Record<string, unknown>} options of its constructor
   * @param {() => void} onChange called when settings or reason have changed
   * @throws {InvalidOptionError}
   */
  constructor(server, options, onChange) {
    refuseOptions(options);
    this.#server = server;
    this.#onChange = onChange;
    this.#handshakeTimeout = options.handshakeTimeout;
    this.#secureConnectionListeners = server.listenerCount("secureConnection");
    this.handleSecureContext(options);
  }

  /** Adopts the settings of the server's new secure context. */
  handleSecureContext(options) {
    this.#isOfOpenssl = needsOpenssl(options);
    this.#update();
  }

  /** @param {string} pattern of server names */
  addContext(pattern, context) {
    if (isPlainContext(context)) this.#contexts.push([pattern, context]);
    else this.#isOfOpenssl = true;
    this.#update();
  }

  #update() {
    this.#settings = this.#isOfOpenssl ? null : this.#makeSettings();
    this.#onChange();
  }

  #makeSettings() {
    if (!binding?.TlsSettings) return null;
    const given = { handshakeTimeout: this.#handshakeTimeout, contexts: this.#contexts };
    try {
      // Node.js always has a value here.
      if (this.#server.honorCipherOrder === undefined) throw new Error(HIDDEN_OPTIONS);
      this.#options = nativeTlsOptions(this.#server, given);
      return new binding.TlsSettings(this.#options);
    } catch (error) {
      const text = `Node.js does the TLS of a server: ${error.message}`;
      warnOnce("TURBO_FALLBACK", text);
      return null;
    }
  }

  /** @returns {object | null} for `secureListener()` of `Workers` */
  get settings() {
    return this.#settings;
  }

  /** @returns {"tlsOptions" | "tlsListeners" | null} why Node.js does the TLS of all connections */
  get passReason() {
    if (this.#settings === null) return "tlsOptions";
    const server = this.#server;
    const isObserved =
      server.listenerCount("secureConnection") !== this.#secureConnectionListeners ||
      OF_OPENSSL.some((event) => server.listenerCount(event) > 0);
    return isObserved ? "tlsListeners" : null;
  }

  /** @returns {X509Certificate | undefined} the server's certificate for the name that a client has given */
  certificateFor(serverName) {
    const { contexts } = this.#options;
    const named = contexts.slice(1).reverse();
    const { identities } = named.find(({ pattern }) => matches(pattern, serverName)) ?? contexts[0];
    return identities.length > 0 ? new X509Certificate(identities[0].certificates[0]) : undefined;
  }
}

/** Compares as `addContext()` of Node.js does. */
function matches(pattern, serverName) {
  if (!serverName) return false;
  const escaped = pattern.replace(/([.^$+?\-\\[\]{}])/g, "\\$1").replaceAll("*", "[^.]*");
  return new RegExp(`^${escaped}$`).test(serverName);
}

module.exports = { OF_OPENSSL, TlsState };
