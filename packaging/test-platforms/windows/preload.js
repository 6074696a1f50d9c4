"use strict";

/** Stand-ins for what Wine 8.0 lacks, preloaded by each process of the tests. */

const fs = require("node:fs");
const http = require("node:http");

const { symlinkSync } = fs;

/**
 * Wine makes no junctions. Those of the tests lead to `node_modules`: an empty folder stands in for it,
 * and the packages are found in the one beside the folders for temporary files.
 */
fs.symlinkSync = (target, path, type) => {
  if (type === "junction") fs.mkdirSync(path);
  else symlinkSync(target, path, type);
};

/** That of Node.js does not connect. */
globalThis.fetch = (url, { method = "GET", headers = {} } = {}) =>
  new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers }, async (response) => {
      const body = Buffer.concat(await response.toArray());
      resolve(new Response(body, { status: response.statusCode, headers: response.headers }));
    });
    request.on("error", reject).end();
  });
