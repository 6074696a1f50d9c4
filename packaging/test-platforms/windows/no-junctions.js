"use strict";

/**
 * Wine 8.0 makes no junctions. Those of the tests lead to `node_modules`, which lies beside the folders
 * for temporary files here.
 */

const fs = require("node:fs");

const { symlinkSync } = fs;

fs.symlinkSync = (target, path, type) => {
  if (type !== "junction") symlinkSync(target, path, type);
};
