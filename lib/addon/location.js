"use strict";

const path = require("node:path");

/**
 * The file that contains this code: in a bundle the bundle itself. If that is an ES module, there is no
 * `__filename`, and this is the file that Node.js was started with.
 *
 * @type {string}
 */
const ownFile = typeof __filename === "string" ? __filename : (process.argv[1] ?? process.execPath);

/** True if this code is part of a bundle. */
const isBundled = path.basename(ownFile) !== "location.js";

module.exports = { isBundled, ownFile };
