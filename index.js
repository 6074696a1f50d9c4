"use strict";

const turbo = require("./lib/turbo.js");

const { parser, native, nativeError, version } = turbo;

module.exports = { default: turbo, native, nativeError, parser, turbo, version };
