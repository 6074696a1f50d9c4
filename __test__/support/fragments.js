"use strict";

/** Pieces of text that mean something to a decoder of Socket.IO packets, or nearly do. */
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
