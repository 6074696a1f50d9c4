"use strict";

/** Reads the Markdown of the repository: links, headings, paths, blocks of code. */

const { readdirSync, readFileSync } = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "../..");

/** Folders of files that are not in the repository. */
const FOREIGN = new Set([".git", ".venv", "dist", "node_modules", "target"]);

/** Extensions by which a word is recognised as the name of a file. */
const EXTENSIONS = "[cm]?[jt]s|css|dict|hbs|html|json|md|png|py|rs|svg|toml|txt|ya?ml";

/** One name, or several with slashes between them; `*` stands for any name. Not `./mine.js`. */
const FILE = new RegExp(`^(?!\\./)[\\w@.*-]+(/[\\w@.*-]+)*\\.(${EXTENSIONS})$`);

const FOLDER = /^[\w@.*-]+(\/[\w@.*-]+)*\/$/;

/** @returns {string[]} the files of the repository, relative to its root, with `/` between names */
function repositoryFiles(folder = "") {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = `${folder}${entry.name}`;
    if (!entry.isDirectory()) return [file];
    return FOREIGN.has(entry.name) ? [] : repositoryFiles(`${file}/`);
  });
}

/** @returns {string[]} the documents of the repository, relative to its root */
function documents() {
  return repositoryFiles().filter((file) => file.endsWith(".md"));
}

/**
 * @param {string} file relative to the root
 * @returns {{ prose: string, blocks: Array<{ language: string, source?: string, code: string }> }}
 *   the text without its blocks of code, and the blocks. `source` is the file that a block quotes,
 *   as in "```js file=examples/koa/server.js"
 */
function readDocument(file) {
  const blocks = [];
  const text = readFileSync(path.join(root, file), "utf8");
  const prose = text.replaceAll(/^```(.*)\n([\s\S]*?)^```$/gm, (_all, info, code) => {
    const [language, ...attributes] = info.trim().split(" ");
    const source = attributes.find((attribute) => attribute.startsWith("file="))?.slice(5);
    blocks.push({ language, source, code });
    return "";
  });
  return { prose, blocks };
}

/** @returns {string[]} the targets of the links of a text */
function links(prose) {
  return [...withoutCode(prose).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
}

/** @returns {string[]} the back-ticked words of a text that look like paths of files and folders */
function paths(prose) {
  const words = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, word]) => word);
  return words.filter((word) => FILE.test(word) || FOLDER.test(word));
}

/**
 * @param {string} code such as commands, or a list of files
 * @param {Iterable<string>} folders the top folders of the repository
 * @returns {string[]} the paths of files in it that begin with one of these
 */
function pathsInCode(code, folders) {
  const path = new RegExp(
    `(?<![\\w./-])(${[...folders].join("|")})/[\\w./*-]*\\.(${EXTENSIONS})\\b`,
    "g",
  );
  return code.match(path) ?? [];
}

/** @returns {Set<string>} the anchors that GitHub gives to the headings of a text */
function anchors(prose) {
  const seen = new Map();
  const found = new Set();
  for (const [, heading] of prose.matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = slugOf(heading);
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    found.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return found;
}

/** Removes punctuation except hyphens and underscores, and replaces spaces by hyphens. */
function slugOf(heading) {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\-_ ]/gu, "")
    .replaceAll(" ", "-");
}

/** Removes code within a line, which may look like a link. */
function withoutCode(prose) {
  return prose.replaceAll(/`[^`\n]*`/g, "``");
}

module.exports = {
  anchors,
  documents,
  links,
  paths,
  pathsInCode,
  readDocument,
  repositoryFiles,
};
