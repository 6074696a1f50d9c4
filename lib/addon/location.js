"use strict";

const path = require("node:path");

/**
 * The file that has this code: in a bundle the bundle's, which may be an ES module. Those have no
 * `__filename`; then it is the file that Node.js was started with.
 *
 * @type {string}
 */
const ownFile = typeof __filename === "string" ? __filename : (process.argv[1] ?? process.execPath);

/** Whether this code has been bundled with that of others. */
const isBundled = path.basename(ownFile) !== "location.js";

module.exports = { isBundled, ownFile };
