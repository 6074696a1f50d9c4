/**
 * The pages: `/` has a tile for each use, `/use/NAME` only one, `/source/NAME` shows its files,
 * and `/chat` is the whole chat. The other files are looked up, never joined from a path.
 */

const { createHash } = require("node:crypto");
const { readFileSync, readdirSync } = require("node:fs");
const path = require("node:path");
const { HEADERS, TYPES, staticFiles } = require("../chat/static-files.js");
const { USES } = require("./uses.js");

const CHAT = path.join(__dirname, "../chat/public");
const UPLOT = path.dirname(require.resolve("uplot"));
const YJS = path.dirname(require.resolve("yjs"));
const LIB0 = path.dirname(require.resolve("lib0/package.json", { paths: [YJS] }));

const TEMPLATE = readFileSync(path.join(__dirname, "public/index.html"), "utf8");
const MODULE_FILES = {
  "/modules/uplot.js": path.join(UPLOT, "uPlot.esm.js"),
  "/modules/uplot.css": path.join(UPLOT, "uPlot.min.css"),
  "/modules/yjs.js": path.join(YJS, "yjs.mjs"),
  ...filesOf(LIB0, "/modules/lib0/"),
};

/** @returns {Record<string, string>} the files of a folder and those below it, by URL path */
function filesOf(folder, prefix) {
  const all = readdirSync(folder, { recursive: true });
  const names = all.filter((name) => /\.(js|css)$/.test(name));
  const urlOf = (name) => prefix + name.replaceAll(path.sep, "/");
  return Object.fromEntries(names.map((name) => [urlOf(name), path.join(folder, name)]));
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
  return `<article class="tile" id="${name}" data-use="${name}" aria-label="${title}">
  <header><h2><a href="/use/${name}">${title}</a></h2><p class="feature">${feature}</p></header>
  <div class="stage"></div>
  <ul class="lesson">${lines.map((line) => `<li>${line}</li>`).join("")}</ul>
  <footer><a href="/source/${name}">Source</a><p class="status" role="status"></p></footer>
</article>`;
}

/** @returns {string} the page that has these tiles, or other contents */
function page(title, kind, contents, map) {
  const script = `<script type="importmap">${map}</script>`;
  const links = USES.map((use) => `<a href="/#${use.name}">${use.title}</a>`).join("");
  const values = { title, kind, contents, links, script };
  return TEMPLATE.replace(/<!-- (\w+) -->/g, (_match, key) => values[key]);
}

/** @returns {string} the HTML of a file of the gallery */
function source(file) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  const text = readFileSync(path.join(__dirname, file), "utf8");
  const code = text.replace(/[&<>]/g, (character) => entities[character]);
  return `<section><h2>${file}</h2><pre tabindex="0"><code>${code}</code></pre></section>`;
}

/** @returns {import("node:http").RequestListener} */
function pages() {
  const map = importMap();
  const documents = new Map();
  documents.set("/", page("Socket.IO gallery", "all", USES.map(tile).join(""), map));
  for (const use of USES) {
    const { name, title, files } = use;
    documents.set(`/use/${name}`, page(title, "alone", tile(use), map));
    documents.set(`/source/${name}`, page(title, "source", files.map(source).join(""), map));
  }
  const hash = createHash("sha256").update(map).digest("base64");
  const csp = `${HEADERS["content-security-policy"]}; script-src 'self' 'sha256-${hash}'`;
  const headers = { ...HEADERS, "content-security-policy": csp, "content-type": TYPES[".html"] };
  const files = {
    ...filesOf(path.join(__dirname, "public"), "/gallery/"),
    ...filesOf(path.join(__dirname, "uses"), "/uses/"),
    ...MODULE_FILES,
    "/chat": path.join(CHAT, "index.html"),
  };
  const serveFile = staticFiles(CHAT, { files });
  return (request, response) => {
    const html = documents.get(request.url.split("?", 1)[0]);
    if (html === undefined || request.method !== "GET") return serveFile(request, response);
    response.writeHead(200, headers).end(html);
  };
}

module.exports = { pages };
