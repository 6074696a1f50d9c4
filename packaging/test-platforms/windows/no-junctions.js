"use strict";

/**
 * Wine 8.0 makes no junctions. Those of the tests lead to `node_modules`: an empty folder stands in for
 * it, and the packages are found in the one beside the folders for temporary files.
 */

const fs = require("node:fs");

const { symlinkSync } = fs;

fs.symlinkSync = (target, path, type) => {
  if (type === "junction") fs.mkdirSync(path);
  else symlinkSync(target, path, type);
};
