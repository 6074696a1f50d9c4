"use strict";

/** A certification authority for one test, with certificates of a server on 127.0.0.1 and a client. */

const { spawnSync } = require("node:child_process");
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");

/**
 * The reason to skip the tests that need certificates. With `CI=true` they are never skipped.
 *
 * @type {string | false}
 */
const skipWithoutOpenssl =
  process.env.CI !== "true" &&
  spawnSync("openssl", ["version"], { stdio: "ignore" }).status !== 0 &&
  "no openssl";

/** RFC 5280 §4.2.1.9: only the certificate of an authority has CA:TRUE. */
const CONFIGURATION = `
[req]
distinguished_name = name
prompt = no
[name]
CN = socket.io-turbo test
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[leaf]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1, DNS:localhost
extendedKeyUsage = serverAuth, clientAuth
`;

/**
 * @typedef {object} Certificates
 * @property {{ ca: string, cert: string, key: string }} forClient PEM
 * @property {{ cert: string, key: string }} forServer PEM
 * @property {string[]} redisSettings lines of redis.conf
 */

/**
 * @param {(end: () => void) => void} after takes the function that removes the files
 * @returns {Certificates}
 */
function createCertificates(after) {
  const directory = mkdtempSync(path.join(tmpdir(), "socket-io-turbo-certificates-"));
  after(() => rmSync(directory, { recursive: true }));
  const file = (name) => path.join(directory, name);
  writeFileSync(file("openssl.cnf"), CONFIGURATION);
  const make = (name, extensions, signer) => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const files = ["-keyout", file(`${name}.key`), "-out", file(`${name}.crt`)];
    const settings = ["-config", file("openssl.cnf"), "-extensions", extensions, "-days", "2"];
    const args = ["req", "-x509", ...key, ...files, ...settings, ...signer];
    const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl: ${stderr}`);
  };
  const signer = ["-CA", file("authority.crt"), "-CAkey", file("authority.key")];
  make("authority", "authority", []);
  make("server", "leaf", signer);
  make("client", "leaf", signer);
  const pem = (name) => readFileSync(file(name), "utf8");
  return {
    forClient: { ca: pem("authority.crt"), cert: pem("client.crt"), key: pem("client.key") },
    forServer: { cert: pem("server.crt"), key: pem("server.key") },
    redisSettings: [
      `tls-ca-cert-file ${file("authority.crt")}`,
      `tls-cert-file ${file("server.crt")}`,
      `tls-key-file ${file("server.key")}`,
    ],
  };
}

module.exports = { createCertificates, skipWithoutOpenssl };
