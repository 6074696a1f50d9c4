"use strict";

/**
 * The `tls.TLSSocket` of an ordinary HTTPS connection, whose TLS an I/O thread does: a `net.Socket` on one end of
 * a pair of sockets, through which the plaintext goes. Streams, HTTP and timeouts are Node.js's own; the I/O thread
 * reports the parameters that TLS has negotiated.
 */

const { X509Certificate } = require("node:crypto");
const net = require("node:net");
const tls = require("node:tls");
const { NotPossibleError } = require("../errors.js");
const { cipherOf } = require("./tls-ciphers.js");

const NOT_POSSIBLE =
  "an I/O thread does the TLS of this connection: %s is not possible. " +
  "https.createServer() makes a server whose connections can do that";

/** The names of versions by their numbers in the protocol. */
const VERSIONS = { 771: "TLSv1.2", 772: "TLSv1.3" };

/** The key of a socket's `TlsDetails`. */
const DETAILS = Symbol("details");

/**
 * @typedef {object} TlsDetails as `tlsDetails()` of `Workers` returns them
 * @property {number} version
 * @property {number} cipherSuite
 * @property {boolean} isResumed
 * @property {boolean} isAuthorized
 * @property {string | null} authorizationError
 * @property {string | null} serverName
 * @property {string | null} alpnProtocol
 * @property {string[]} certificates those of the client, in base64, its own first
 * @property {Address} remote
 * @property {Address} local
 *
 * @typedef {{ address: string, family: "IPv4" | "IPv6", port: number }} Address
 */

/** Its constructor is never called: a `net.Socket` gets its prototype by `openSocket()` or `beginTls()`. */
class CarriedTlsSocket extends tls.TLSSocket {
  getProtocol() {
    return ifOpen(this, ({ version }) => VERSIONS[version]);
  }

  getCipher() {
    return ifOpen(this, ({ cipherSuite }) => {
      const { name, standardName, version } = cipherOf(cipherSuite);
      return { name, standardName, version };
    });
  }

  isSessionReused() {
    return ifOpen(this, ({ isResumed }) => isResumed);
  }

  getPeerCertificate(isDetailed) {
    return ifOpen(this, (details) => {
      const chain = chainOf(details);
      if (chain.length === 0) return {};
      return isDetailed ? detailed(chain, this.server) : chain[0].toLegacyObject();
    });
  }

  getPeerX509Certificate() {
    return ifOpen(this, (details) => chainOf(details)[0]) ?? undefined;
  }

  getCertificate() {
    return ifOpen(this, () => this.getX509Certificate()?.toLegacyObject() ?? {});
  }

  getX509Certificate() {
    return ifOpen(this, (details) => this[DETAILS].ownCertificate(details)) ?? undefined;
  }

  /** As on other sockets of a server. */
  getEphemeralKeyInfo() {
    return null;
  }

  /** As on other sockets of a server. */
  getTLSTicket() {
    return undefined;
  }

  getSession() {
    return refuse("getSession()");
  }

  getFinished() {
    return refuse("getFinished()");
  }

  getPeerFinished() {
    return refuse("getPeerFinished()");
  }

  getSharedSigalgs() {
    return refuse("getSharedSigalgs()");
  }

  exportKeyingMaterial() {
    return refuse("exportKeyingMaterial()");
  }

  renegotiate() {
    return refuse("renegotiate()");
  }

  enableTrace() {
    return refuse("enableTrace()");
  }

  setKeyCert() {
    return refuse("setKeyCert()");
  }

  /** Records are as large as they can be. */
  setMaxSendFragment() {
    return false;
  }

  /** There never is one. */
  disableRenegotiation() {}
}

// For programs that show or compare the name of the class.
CarriedTlsSocket.prototype.constructor = tls.TLSSocket;

/** The properties that `beginTls()` gives a socket, but for the symbols. */
const TLS_FIELDS = [
  "_tlsOptions",
  "_secureEstablished",
  "_securePending",
  "_newSessionPending",
  "_controlReleased",
  "secureConnecting",
  "_SNICallback",
  "servername",
  "alpnProtocol",
  "authorized",
  "authorizationError",
  "encrypted",
  "ssl",
  "_requestCert",
  "_rejectUnauthorized",
];

/** As Node.js's own, which return `null` without a handle. */
function ifOpen(socket, read) {
  return socket._handle ? read(socket[DETAILS]) : null;
}

function refuse(what) {
  throw new NotPossibleError(NOT_POSSIBLE.replace("%s", what));
}

function chainOf({ certificates }) {
  return certificates.map((base64) => new X509Certificate(Buffer.from(base64, "base64")));
}

/**
 * Returns a certificate with its issuers, `issuerCertificate` of each: of those that the client has sent, and of
 * the authorities of the server. One that has issued itself refers to itself.
 */
function detailed([own, ...sent], server) {
  const authorities = [server.ca ?? []].flat(2).map((pem) => new X509Certificate(pem));
  const candidates = [...sent, ...authorities];
  const result = own.toLegacyObject();
  let [last, object] = [own, result];
  while (!last.checkIssued(last)) {
    const index = candidates.findIndex((other) => last.checkIssued(other));
    if (index < 0) return result;
    [last] = candidates.splice(index, 1);
    object.issuerCertificate = last.toLegacyObject();
    object = object.issuerCertificate;
  }
  object.issuerCertificate = object;
  return result;
}

/**
 * Returns OpenSSL's name for the error of a client's certificate. The name for an unknown issuer depends on whether
 * the client has sent it, which I/O threads do not check.
 */
function authorizationErrorOf(details) {
  const { authorizationError: error } = details;
  if (error === null || !error.startsWith("UNABLE_TO_")) return error;
  const chain = chainOf(details);
  const last = chain.at(-1);
  if (last === undefined || !last.checkIssued(last)) return error;
  return chain.length === 1 ? "DEPTH_ZERO_SELF_SIGNED_CERT" : "SELF_SIGNED_CERT_IN_CHAIN";
}

/** The prototypes of sockets with TLS, by those of the sockets that become such. */
const prototypes = new WeakMap([[net.Socket.prototype, CarriedTlsSocket.prototype]]);
prototypes.set(CarriedTlsSocket.prototype, CarriedTlsSocket.prototype);

/** Returns a prototype with the members of another one in front of those of sockets with TLS. */
function prototypeWith(prototype) {
  if (!prototypes.has(prototype)) {
    const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(prototype);
    prototypes.set(prototype, Object.create(CarriedTlsSocket.prototype, members));
  }
  return prototypes.get(prototype);
}

/**
 * Makes a socket that is open a `tls.TLSSocket`, as it is after a handshake.
 *
 * @param {net.Socket} socket
 * @param {import("node:https").Server} server
 * @param {TlsDetails & { ownCertificate: (details: TlsDetails) => X509Certificate | undefined }} details
 */
function beginTls(socket, server, details) {
  Object.setPrototypeOf(socket, prototypeWith(Object.getPrototypeOf(socket)));
  const { requestCert, rejectUnauthorized } = server;
  Object.assign(socket, {
    [DETAILS]: details,
    _tlsOptions: { isServer: true, server, requestCert, rejectUnauthorized },
    _secureEstablished: true,
    _securePending: false,
    _newSessionPending: false,
    _controlReleased: true,
    secureConnecting: false,
    _SNICallback: null,
    servername: details.serverName ?? false,
    alpnProtocol: details.alpnProtocol ?? false,
    authorized: details.isAuthorized,
    authorizationError: authorizationErrorOf(details),
    encrypted: true,
    ssl: null,
    server,
    _requestCert: requestCert,
    _rejectUnauthorized: rejectUnauthorized,
  });
}

/**
 * Returns a socket on a descriptor, with the addresses of the connection behind it.
 *
 * @param {number} fd of a stream socket; the socket closes it
 * @param {import("node:https").Server} server
 * @param {TlsDetails} details
 * @param {(name: string, ...args: unknown[]) => void} command calls a method of `Workers` for the connection
 * @returns {net.Socket}
 */
function openSocket(fd, server, { local, remote }, command) {
  const { allowHalfOpen, highWaterMark, pauseOnConnect: pauseOnCreate } = server;
  const options = {
    ...{ fd, allowHalfOpen, pauseOnCreate, readable: true, writable: true },
    readableHighWaterMark: highWaterMark,
    writableHighWaterMark: highWaterMark,
  };
  // With its prototype from the beginning: one that is changed later gives each socket a hidden class of its
  // own, and all that Node.js does with sockets becomes megamorphic (14 instead of 9 µs for a small request).
  const socket = Reflect.construct(net.Socket, [options], CarriedTlsSocket);
  Object.assign(socket._handle, {
    getpeername: (out) => fill(out, remote),
    getsockname: (out) => fill(out, local),
    setNoDelay: (isEnabled) => command("setNoDelay", isEnabled),
    setKeepAlive: (isEnabled, delay) => command("setKeepAlive", isEnabled, delay, 0, 0),
  });
  return socket;
}

/** Fills an object in as the methods of a TCP handle do. */
function fill(out, address) {
  Object.assign(out, address);
  return 0;
}

module.exports = { CarriedTlsSocket, TLS_FIELDS, beginTls, openSocket };
