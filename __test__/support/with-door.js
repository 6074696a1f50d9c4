"use strict";

/**
 * Preloaded (`node --require`), it has programs that call `http.createServer()` get the server of
 * `turbo.createServer()`: suites that know nothing of it are its critics then.
 */

const http = require("node:http");
const { createServer } = require("../..");

http.createServer = createServer;
