"use strict";

/** Pieces of text with a meaning in Socket.IO packets, or nearly. */
module.exports = [
  ...'-/,[]{}:"\\ \n\t\0.e01 59+é',
  "\u00a0",
  "\u2028",
  "\ufeff",
  "\ud800",
  "0x1",
  "null",
  "true",
  '{"_placeholder":true,"num":0}',
  '"__proto__":',
];
