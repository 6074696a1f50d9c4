"use strict";

const { spawnSync } = require("node:child_process");

/** A key as most certificates on the web have it, and one that it signs itself. */
const ARGUMENTS = [
  "req",
  "-x509",
  "-newkey",
  "ec",
  "-pkeyopt",
  "ec_paramgen_curve:prime256v1",
].concat(["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", "-", "-out", "-"]);

/** @returns {string | undefined} what has to be done before there can be a certificate */
function missingOpenssl() {
  return spawnSync("openssl", ["version"]).status === 0 ? undefined : "install openssl";
}

/**
 * @returns {{ key: string, cert: string }} both as PEM
 * @throws {Error} if openssl fails
 */
function createCertificate() {
  const { status, stdout: pem, stderr } = spawnSync("openssl", ARGUMENTS, { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl: ${stderr}`);
  // Both stand in it; each reader finds its own.
  return { key: pem, cert: pem };
}

module.exports = { createCertificate, missingOpenssl };
