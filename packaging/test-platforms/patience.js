"use strict";

/** Preloaded where the tests are emulated: multiplies the time that each may take, and each wait in it. */

const runner = require("node:test");

const FACTOR = 15;

process.env.TURBO_TEST_PATIENCE = String(FACTOR);

const patient = (argument) => {
  const { timeout } = argument ?? {};
  return typeof timeout === "number" ? { ...argument, timeout: timeout * FACTOR } : argument;
};

for (const name of ["test", "it", "describe", "suite"]) {
  const official = runner[name];
  const define = (...args) => official(...args.map(patient));
  runner[name] = Object.assign(define, official);
}
