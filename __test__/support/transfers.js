"use strict";

/** Which messages of a server were compressed, as clients of ws see it. */

/**
 * Records the messages that a WebSocket of ws receives from now on.
 *
 * @param {import("ws").WebSocket} webSocket
 * @returns {Array<{ length: number, isCompressed: boolean }>} `length` in bytes, decompressed
 */
function recordTransfers(webSocket) {
  const transfers = [];
  webSocket.on("message", (data) => {
    // The state of ws's receiver is of the message that it emits.
    transfers.push({ length: data.byteLength, isCompressed: webSocket._receiver._compressed });
  });
  return transfers;
}

/**
 * Records the messages that a client of socket.io-client 4 receives, by the WebSocket that it has now.
 *
 * @param {{ client: object }} entrance
 */
const transfersOf = ({ client }) => recordTransfers(client.io.engine.transport.ws);

module.exports = { recordTransfers, transfersOf };
