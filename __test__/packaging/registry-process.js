"use strict";

/**
 * A registry of npm packages on a free port, which is sent to the parent process. It has what is
 * published to it; everything else comes from the registry that npm is configured with.
 */

const { readFileSync } = require("node:fs");
const path = require("node:path");
const { runServer } = require("verdaccio");

const [storage, outerUrl, caFile] = process.argv.slice(2);

const config = {
  self_path: path.join(storage, "config.yaml"),
  storage,
  web: { enable: false },
  max_body_size: "100mb",
  uplinks: {
    outer: { url: outerUrl, timeout: "60s", ...(caFile && { ca: readFileSync(caFile, "utf8") }) },
  },
  packages: {
    "socket.io-turbo": { access: "$all", publish: "$all" },
    "socket.io-turbo-*": { access: "$all", publish: "$all" },
    "**": { access: "$all", proxy: "outer" },
  },
  log: { type: "stdout", format: "pretty", level: "fatal" },
};

async function main() {
  const server = await runServer(config);
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
  process.on("disconnect", () => process.exit());
}

main();
