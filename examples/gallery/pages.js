"use strict";

/**
 * The pages: `/` has a tile for each use, `/use/NAME` only one, `/source/NAME` shows its two files,
 * and `/chat` is the whole chat. The other files are looked up, never joined from a path.
 */

const { createHash } = require("node:crypto");
const { readFileSync, readdirSync } = require("node:fs");
const path = require("node:path");
const { HEADERS, staticFiles } = require("../chat/static-files.js");
const { USES } = require("./uses.js");

const CHAT = path.join(__dirname, "../chat/public");
const UPLOT = path.dirname(require.resolve("uplot"));
const YJS = path.dirname(require.resolve("yjs"));
const LIB0 = path.join(YJS, "../../lib0");

const TEMPLATE = readFileSync(path.join(__dirname, "public/index.html"), "utf8");
const SOURCE = readFileSync(path.join(__dirname, "public/source.html"), "utf8");
const MODULE_FILES = {
  "/modules/uplot.js": path.join(UPLOT, "uPlot.esm.js"),
  "/modules/uplot.css": path.join(UPLOT, "uPlot.min.css"),
  "/modules/yjs.js": path.join(YJS, "yjs.mjs"),
  ...filesOf(LIB0, "/modules/lib0/"),
};

/** @returns {Record<string, string>} the files of a folder and those below it, by URL path */
function filesOf(folder, prefix) {
  const names = readdirSync(folder, { recursive: true }).filter((name) =>
    /\.(js|css|svg)$/.test(name),
  );
  return Object.fromEntries(names.map((name) => [prefix + name, path.join(folder, name)]));
}

/** @returns {string} an import map, which lets modules be imported by the names of their packages */
function importMap() {
  const lib0 = Object.keys(MODULE_FILES).filter((url) => url.startsWith("/modules/lib0/"));
  const imports = {
    "socket.io-client": "/socket.io/socket.io.esm.min.js",
    uplot: "/modules/uplot.js",
    yjs: "/modules/yjs.js",
    ...Object.fromEntries(lib0.map((url) => [url.slice("/modules/".length, -".js".length), url])),
  };
  return JSON.stringify({ imports });
}

/** @returns {string} the HTML of a tile; `client.js` of the use fills its stage */
function tile({ name, title, feature, lines }) {
  return `<article class="tile" id="${name}" data-use="${name}" aria-labelledby="${name}-title">
  <header><h2 id="${name}-title"><a href="/use/${name}">${title}</a></h2><p class="feature">${feature}</p></header>
  <div class="stage" role="group" aria-label="${title}"></div>
  <ul class="lesson">${lines.map((line) => `<li>${line}</li>`).join("")}</ul>
  <footer><a href="/source/${name}">Source</a><p class="status" role="status"></p></footer>
</article>`;
}

/** @returns {string} the page of these uses */
function page(uses, map) {
  const only = uses.length === 1 ? uses[0].title : "";
  const script = `<script type="importmap">${map}</script>`;
  return fill(TEMPLATE.replace("<!-- The import map is put here. -->", script), {
    title: only ? `${only} · Socket.IO gallery` : "Socket.IO gallery",
    kind: only ? "alone" : "all",
    links: USES.map(({ name, title }) => `<a href="/#${name}">${title}</a>`).join(""),
    tiles: uses.map(tile).join("\n"),
  });
}

/** @returns {string} the page that shows the files of a use */
function source({ name, title, files }) {
  const shown = files.map((file) => {
    const code = readFileSync(path.join(__dirname, file), "utf8");
    return `<section><h2>${file}</h2><pre tabindex="0"><code>${escapeHtml(code)}</code></pre></section>`;
  });
  return fill(SOURCE, { name, title, files: shown.join("\n") });
}

function fill(template, values) {
  return template.replace(/\{\{(\w+)\}\}/g, (_match, key) => values[key]);
}

function escapeHtml(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => entities[character]);
}

/** @returns {import("node:http").RequestListener} */
function pages() {
  const map = importMap();
  const documents = new Map([["/", page(USES, map)]]);
  for (const use of USES) {
    documents.set(`/use/${use.name}`, page([use], map));
    documents.set(`/source/${use.name}`, source(use));
  }
  const hash = createHash("sha256").update(map).digest("base64");
  const csp = `${HEADERS["content-security-policy"]}; script-src 'self' 'sha256-${hash}'`;
  const files = {
    ...filesOf(path.join(__dirname, "public"), "/gallery/"),
    ...MODULE_FILES,
    "/chat": path.join(CHAT, "index.html"),
  };
  for (const { name } of USES) {
    Object.assign(files, filesOf(path.join(__dirname, "uses", name), `/uses/${name}/`));
    delete files[`/uses/${name}/server.js`];
  }
  const serveFile = staticFiles(CHAT, { files });

  return (request, response) => {
    const html = documents.get(request.url.split("?", 1)[0]);
    if (html === undefined || request.method !== "GET") return serveFile(request, response);
    const headers = { ...HEADERS, "content-security-policy": csp };
    response.writeHead(200, { ...headers, "content-type": "text/html; charset=utf-8" });
    response.end(html);
  };
}

module.exports = { pages };
