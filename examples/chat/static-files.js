const { readdirSync } = require("node:fs");
const { readFile } = require("node:fs/promises");
const path = require("node:path");

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy":
    "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * Serves the files that a directory contains at the start, and no others: a path is looked up, never
 * joined.
 *
 * @param {string} directory
 * @param {object} [more]
 * @param {Record<string, string>} [more.files] files of other directories, by URL path
 * @param {string[]} [more.connectTo] other servers to which the page connects, as sources of its
 *   content security policy
 * @returns {import("node:http").RequestListener}
 */
function staticFiles(directory, { files: others = {}, connectTo = [] } = {}) {
  const own = readdirSync(directory).map((name) => [`/${name}`, path.join(directory, name)]);
  const files = new Map([...own, ...Object.entries(others)]);
  files.set("/", path.join(directory, "index.html"));
  const headers = { ...HEADERS };
  if (connectTo.length > 0) {
    headers["content-security-policy"] += `; connect-src 'self' ${connectTo.join(" ")}`;
  }

  return async (request, response) => {
    const file = files.get(request.url.split("?", 1)[0]);
    if (request.method !== "GET" && request.method !== "HEAD") return fail(response, 405);
    if (!file) return fail(response, 404);
    try {
      const content = await readFile(file);
      response.writeHead(200, { ...headers, "content-type": TYPES[path.extname(file)] });
      response.end(request.method === "HEAD" ? undefined : content);
    } catch (error) {
      console.error(error);
      fail(response, 500);
    }
  };
}

/**
 * @param {import("node:http").ServerResponse} response
 * @param {number} status
 */
function fail(response, status) {
  response.writeHead(status, { "content-type": "text/plain" });
  response.end(`${status}\n`);
}

module.exports = { HEADERS, TYPES, staticFiles };
