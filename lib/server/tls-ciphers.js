"use strict";

/**
 * The cipher suites that I/O threads have: by OpenSSL's names, in the order of Node.js's own list.
 *
 * @typedef {object} Cipher
 * @property {number} id its number in the protocol
 * @property {string} name
 * @property {string} standardName
 * @property {string} version the lowest version of TLS that has it
 */

const { constants } = require("node:crypto");
const tls = require("node:tls");
const { InvalidOptionError } = require("../errors.js");

const [TLS12, TLS13] = ["TLSv1.2", "TLSv1.3"];

/** @returns {Cipher} */
function cipher(id, version, name, standardName = name) {
  return { id, name, standardName, version };
}

const CIPHERS = [
  cipher(0x1302, TLS13, "TLS_AES_256_GCM_SHA384"),
  cipher(0x1303, TLS13, "TLS_CHACHA20_POLY1305_SHA256"),
  cipher(0x1301, TLS13, "TLS_AES_128_GCM_SHA256"),
  cipher(0xc02f, TLS12, "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
  cipher(0xc02b, TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
  cipher(0xc030, TLS12, "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
  cipher(0xc02c, TLS12, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
  cipher(
    0xcca9,
    TLS12,
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  ),
  cipher(
    0xcca8,
    TLS12,
    "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
  ),
];

const BY_NAME = new Map(
  CIPHERS.flatMap((each) => [
    [each.name, each],
    [each.standardName, each],
  ]),
);

/** Families of which I/O threads have none, so that leaving them out changes nothing. */
const ABSENT =
  /^(aNULL|eNULL|NULL|COMPLEMENTOFALL|EXPORT|EXP|LOW|MEDIUM|DES|3DES|RC2|RC4|IDEA|SEED|CAMELLIA|ARIA|MD5|SHA1?|SHA256|SHA384|PSK|SRP|DSS|aDSS|kRSA|RSA|kDH|kDHE|DHE?|EDH|ADH|AECDH|kECDH|AESCCM8?|CBC|SSLv3|TLSv1)$/;

/** Node.js's own list, the default of the option. */
const DEFAULTS = new Set([tls.DEFAULT_CIPHERS, constants.defaultCoreCipherList]);

/**
 * Reads Node.js's option `ciphers`, in OpenSSL's format.
 *
 * @param {string | undefined} given
 * @returns {number[]} the numbers of the cipher suites, most preferred first
 * @throws {InvalidOptionError} for a cipher that I/O threads do not have
 */
function readCiphers(given) {
  if (given === undefined || DEFAULTS.has(given)) return CIPHERS.map(({ id }) => id);
  const names = given.split(/[:, ]+/).filter((name) => name !== "");
  const excluded = names.filter((name) => /^[!-]/.test(name)).map((name) => name.slice(1));
  const unknown = [
    ...names.filter((name) => !/^[!-]/.test(name) && !BY_NAME.has(name)),
    ...excluded.filter((name) => !BY_NAME.has(name) && !ABSENT.test(name)),
  ];
  if (unknown.length > 0) refuseCipher(unknown[0]);
  const without = new Set(excluded.map((name) => BY_NAME.get(name)));
  const chosen = names.map((name) => BY_NAME.get(name));
  const ciphers = chosen.filter((each) => each !== undefined && !without.has(each));
  // As OpenSSL: those of TLS 1.3 have a list of their own, which stays unless it is given.
  const hasTls13 = ciphers.some(({ version }) => version === TLS13);
  const ofTls13 = hasTls13 ? [] : CIPHERS.filter(({ version }) => version === TLS13);
  return [...new Set([...ofTls13, ...ciphers])].map(({ id }) => id);
}

/** @throws {InvalidOptionError} always */
function refuseCipher(name) {
  const accepted = `a list of ${CIPHERS.map((each) => each.name).join(", ")}`;
  const text = `ciphers must be ${accepted}, got ${JSON.stringify(name)}; https.createServer() has others`;
  throw new InvalidOptionError("ciphers", accepted, name, text);
}

/** @returns {Cipher | undefined} */
function cipherOf(number) {
  return CIPHERS.find(({ id }) => id === number);
}

module.exports = { cipherOf, readCiphers };
