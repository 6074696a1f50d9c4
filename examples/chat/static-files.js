const { readdirSync } = require("node:fs");
const { readFile } = require("node:fs/promises");
const path = require("node:path");

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
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
 * Serves the files that a directory holds now, and no others: a path is looked up, never joined.
 *
 * @param {string} directory
 * @returns {import("node:http").RequestListener}
 */
function staticFiles(directory) {
  const files = new Map(readdirSync(directory).map((name) => [`/${name}`, name]));
  files.set("/", "index.html");

  return async (request, response) => {
    const name = files.get(request.url.split("?", 1)[0]);
    if (request.method !== "GET" && request.method !== "HEAD") return fail(response, 405);
    if (!name) return fail(response, 404);
    try {
      const content = await readFile(path.join(directory, name));
      response.writeHead(200, { ...HEADERS, "content-type": TYPES[path.extname(name)] });
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

module.exports = { staticFiles };
