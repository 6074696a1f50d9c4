"use strict";

const { readFileSync, readdirSync } = require("node:fs");

/** @returns {number} the I/O threads of this process, which /proc lists */
function threadCount() {
  const names = readdirSync("/proc/self/task").map((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, "utf8");
    } catch {
      // A thread that has just ended.
      return "";
    }
  });
  return names.filter((name) => name === "socket.io-turbo\n").length;
}

module.exports = { threadCount };
