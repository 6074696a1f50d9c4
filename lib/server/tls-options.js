"use strict";

/** Reads the TLS options of a server, as Node.js spells them. OpenSSL has accepted them already. */

const { X509Certificate, createPrivateKey } = require("node:crypto");
const tls = require("node:tls");
const { InvalidOptionError } = require("../errors.js");
const { readCiphers } = require("./tls-ciphers.js");

/** The numbers of versions in the protocol. */
const VERSIONS = { "TLSv1.2": 0x0303, "TLSv1.3": 0x0304 };

/** Node.js's defaults: `handshakeTimeout` in milliseconds, `sessionTimeout` in seconds. */
const HANDSHAKE_TIMEOUT = 120_000;
const SESSION_TIMEOUT = 300;

/** Options with which Node.js's own TLS serves all connections: OpenSSL alone can do what they ask for. */
const OF_OPENSSL = [
  "ALPNCallback",
  "SNICallback",
  "clientCertEngine",
  "crl",
  "dhparam",
  "enableTrace",
  "privateKeyEngine",
  "privateKeyIdentifier",
  "pskCallback",
  "requestOCSP",
  "secureOptions",
  "secureProtocol",
  "sigalgs",
];

/** Options that are refused, with what is accepted instead. */
const REFUSED = {
  pfx: "left out: give its key and certificate as key and cert, in PEM",
  ticketKeys: "left out: each server makes keys of its own and changes them every six hours",
};

/** Options of `addContext()` that one context can have for itself. */
const OF_CONTEXT = new Set(["key", "cert", "passphrase"]);

/** Certificates in PEM. */
const PEM =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/**
 * Throws if an option is one that cannot be honoured.
 *
 * @param {Record<string, unknown>} options of `createSecureServer()` or `setSecureContext()`
 * @throws {InvalidOptionError}
 */
function refuseOptions(options) {
  for (const [name, accepted] of Object.entries(REFUSED)) {
    if (options[name]) throw new InvalidOptionError(name, accepted, options[name]);
  }
  for (const name of ["minVersion", "maxVersion"]) {
    if (options[name] && !Object.hasOwn(VERSIONS, options[name])) {
      throw new InvalidOptionError(name, '"TLSv1.2" or "TLSv1.3"', options[name]);
    }
  }
  readCiphers(options.ciphers || undefined);
}

/**
 * Returns whether OpenSSL alone can do what some options ask for.
 *
 * @param {Record<string, unknown>} options of `createSecureServer()` or `setSecureContext()`
 */
function needsOpenssl(options) {
  // Node.js has been started with `--tls-min-v1.0` or the like.
  const { minVersion = tls.DEFAULT_MIN_VERSION } = options;
  if (!Object.hasOwn(VERSIONS, minVersion)) return true;
  if (OF_OPENSSL.some((name) => options[name])) return true;
  return Boolean(options.ecdhCurve) && options.ecdhCurve !== tls.DEFAULT_ECDH_CURVE;
}

/**
 * Returns whether a context of `addContext()` can be given to I/O threads.
 *
 * @param {unknown} context a `SecureContext`, which cannot be read, or its options
 */
function isPlainContext(context) {
  if (Object.hasOwn(context, "context")) return false;
  return Object.keys(context).every((name) => OF_CONTEXT.has(name) || !context[name]);
}

/**
 * Returns the options of a server's TLS sessions.
 *
 * @param {import("node:https").Server} server which has the options of its secure context as properties
 * @param {{ handshakeTimeout?: number, contexts: [string, object][] }} given what it does not have
 * @returns {object} as `NativeTlsOptions` in binding.d.ts
 */
function nativeTlsOptions(server, { handshakeTimeout, contexts }) {
  const authorities = certificatesOf(server.ca);
  const named = contexts.map(([pattern, context]) => ({
    pattern,
    identities: identitiesOf(context, authorities),
  }));
  const clientCertificates = server.requestCert && {
    authorities: server.ca ? authorities : certificatesOf(tls.rootCertificates),
    isRequired: server.rejectUnauthorized,
  };
  return {
    contexts: [{ identities: identitiesOf(server, authorities) }, ...named],
    clientCertificates: clientCertificates || undefined,
    minVersion: VERSIONS[server.minVersion ?? tls.DEFAULT_MIN_VERSION],
    maxVersion: VERSIONS[server.maxVersion ?? tls.DEFAULT_MAX_VERSION],
    cipherSuites: readCiphers(server.ciphers),
    prefersOwnCiphers: server.honorCipherOrder,
    alpnProtocols: protocolsOf(server.ALPNProtocols),
    sessionTimeout: (server.sessionTimeout || SESSION_TIMEOUT) * 1000,
    handshakeTimeout: handshakeTimeout || HANDSHAKE_TIMEOUT,
  };
}

/** Reads the list of protocols, each with its length in front, as `convertALPNProtocols()` makes it. */
function protocolsOf(list) {
  const protocols = [];
  for (let i = 0; list !== undefined && i < list.length; i += 1 + list[i]) {
    protocols.push(Buffer.from(list.subarray(i + 1, i + 1 + list[i])));
  }
  return protocols;
}

/** Pairs certificates with their keys, which Node.js takes in any order. */
function identitiesOf({ key, cert, passphrase }, authorities) {
  const keys = listOf(key).map((each) => privateKey(each, passphrase));
  return listOf(cert).flatMap((each) => {
    const chain = certificatesOf(each);
    if (chain.length === 0) return [];
    const own = new X509Certificate(chain[0]);
    const its = keys.find((candidate) => own.checkPrivateKey(candidate));
    if (its === undefined) return [];
    const certificates = chain.length > 1 ? chain : [...chain, ...issuersOf(own, authorities)];
    return [{ certificates, key: its.export({ type: "pkcs8", format: "der" }) }];
  });
}

/** Returns the issuers of a certificate among some others: OpenSSL sends them along, too. */
function issuersOf(certificate, authorities) {
  const others = authorities.map((der) => new X509Certificate(der));
  const issuers = [];
  for (let last = certificate; issuers.length < others.length; last = issuers.at(-1)) {
    const issuer = others.find((other) => !issuers.includes(other) && last.checkIssued(other));
    if (issuer === undefined) break;
    issuers.push(issuer);
  }
  return issuers.map((issuer) => issuer.raw);
}

/** Reads a key in PEM, or an object with one and its passphrase. */
function privateKey(given, passphrase) {
  const isObject = given.pem !== undefined;
  const key = isObject ? given.pem : given;
  return createPrivateKey({
    key: toText(key),
    passphrase: (isObject ? given.passphrase : undefined) ?? passphrase,
  });
}

/** Returns all certificates of an option: PEM with one or more, or a list of these. */
function certificatesOf(given) {
  return listOf(given)
    .flatMap((pem) => toText(pem).match(PEM) ?? [])
    .map((pem) => new X509Certificate(pem).raw);
}

function toText(given) {
  if (typeof given === "string") return given;
  const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(given) ? given : Buffer.from(given);
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

function listOf(given) {
  if (given === undefined || given === null || given === false || given === "") return [];
  return Array.isArray(given) ? given.flat() : [given];
}

module.exports = { isPlainContext, nativeTlsOptions, needsOpenssl, refuseOptions };
