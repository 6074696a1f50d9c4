"use strict";

/** What the tests of the guides read in Markdown: links, headings, blocks of code. */

const { readdirSync, readFileSync } = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "../..");

/** The folders that have some: each folder of `examples/`, but for what is installed there. */
function folders() {
  const examples = readdirSync(path.join(root, "examples"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "node_modules")
    .map(({ name }) => path.join("examples", name));
  return [".", "docs", ...examples];
}

/** @returns {string[]} the documents of the repository, relative to its root */
function documents() {
  return folders().flatMap((folder) =>
    readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => path.join(folder, name)),
  );
}

/**
 * @param {string} file relative to the root
 * @returns {{ prose: string, blocks: Array<{ language: string, source?: string, code: string }> }}
 *   the text without its blocks of code, and these: with the file that a block quotes, as in
 *   "```js file=examples/koa/server.js"
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

/** @returns {string[]} where the links of a text lead */
function links(prose) {
  return [...withoutCode(prose).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
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

/** Punctuation goes, but for hyphens and underscores; spaces become hyphens. */
function slugOf(heading) {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\-_ ]/gu, "")
    .replaceAll(" ", "-");
}

/** Code within a line may look like a link. */
function withoutCode(prose) {
  return prose.replaceAll(/`[^`\n]*`/g, "``");
}

module.exports = { anchors, documents, links, readDocument };
