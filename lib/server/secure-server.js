"use strict";

/** HTTPS servers whose connections I/O threads accept and decrypt. */

const https = require("node:https");
const { NotPossibleError } = require("../errors.js");
const { stateOf, withListener } = require("./listening.js");
const { refuseOptions } = require("./tls-options.js");

const NO_TICKET_KEYS =
  "I/O threads do the TLS of this server, with keys for tickets of their own. " +
  "https.createServer() makes a server whose keys can be set";

class SecureServer extends withListener(https.Server) {
  constructor(options, listener) {
    super(options, listener);
    stateOf(this).beginTls(typeof options === "object" && options !== null ? options : {});
  }

  /** Sets another certificate for connections that come later. The constructor of Node.js calls it, too. */
  setSecureContext(options) {
    const { tls } = stateOf(this);
    // OpenSSL's own checks come first, which the constructor has made.
    if (tls !== null && typeof options === "object" && options !== null) refuseOptions(options);
    super.setSecureContext(options);
    tls?.handleSecureContext(options);
  }

  addContext(serverName, context) {
    super.addContext(serverName, context);
    stateOf(this).tls.addContext(serverName, context);
  }

  getTicketKeys() {
    if (stateOf(this).tls.settings !== null) throw new NotPossibleError(NO_TICKET_KEYS);
    return super.getTicketKeys();
  }

  setTicketKeys(keys) {
    if (stateOf(this).tls.settings !== null) throw new NotPossibleError(NO_TICKET_KEYS);
    super.setTicketKeys(keys);
  }
}

Object.defineProperty(SecureServer, "name", { value: "Server" });

module.exports = { SecureServer };
