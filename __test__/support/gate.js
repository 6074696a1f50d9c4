"use strict";

/** A gate that holds back new connections, without refusing them, while it is closed. */
function createGate() {
  let opened = Promise.resolve();
  const gate = {
    open: () => {},
    close() {
      opened = new Promise((resolve) => {
        gate.open = resolve;
      });
    },
    allowRequest: (_request, allow) => opened.then(() => allow(null, true)),
  };
  return gate;
}

module.exports = { createGate };
