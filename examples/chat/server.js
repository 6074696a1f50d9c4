/** The chat's server: a stock Socket.IO server with `turbo()` options, and the page's files. */

const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const { createServer } = require("node:http");
const path = require("node:path");
const { Server } = require("socket.io");
const { turbo } = require("../..");
const { serveConversation } = require("./conversation.js");
const { IMAGE_LIMIT } = require("./input.js");
const { serveStaff } = require("./staff.js");
const { staticFiles } = require("./static-files.js");

/**
 * Starts a chat.
 *
 * @param {object} [options] Socket.IO server options, and:
 * @param {number} [options.port=0] the port to listen on; 0 takes a free one
 * @param {string} [options.host="127.0.0.1"] the address to listen on
 * @param {string} [options.passphrase] what opens the staff's namespace; random if left out
 * @returns {Promise<{ url: string, passphrase: string, io: Server, close: () => Promise<void> }>}
 */
async function createChat(options = {}) {
  const {
    port = 0,
    host = "127.0.0.1",
    passphrase = randomBytes(4).toString("hex"),
    ...socketIoOptions
  } = options;

  const httpServer = createServer(staticFiles(path.join(__dirname, "public")));
  // Twice the limit: in long-polling an attachment travels as Base64, and an image that is a little
  // too large shall get an answer, not a closed connection.
  const io = new Server(
    httpServer,
    turbo({ maxHttpBufferSize: 2 * IMAGE_LIMIT, ...socketIoOptions }),
  );
  serveConversation(io.of("/"));
  serveStaff(io.of("/staff"), io.of("/"), passphrase);

  httpServer.listen(port, host);
  await once(httpServer, "listening");

  return {
    url: `http://${host}:${httpServer.address().port}`,
    passphrase,
    io,
    close: () => new Promise((resolve) => io.close(() => resolve())),
  };
}

/** Runs the chat until it is interrupted. */
async function main() {
  const { PORT = "3000", HOST, PASSPHRASE } = process.env;
  const chat = await createChat({
    port: Number(PORT),
    host: HOST,
    passphrase: PASSPHRASE || undefined,
  });
  console.log(`Chat:        ${chat.url}`);
  console.log(`Pass phrase: ${chat.passphrase} (staff)`);
  console.log(`Native:      ${turbo.native ? "yes" : `no (${turbo.nativeError?.message})`}`);
  process.once("SIGINT", () => chat.close());
  process.once("SIGTERM", () => chat.close());
}

if (require.main === module) main();

module.exports = { createChat };
