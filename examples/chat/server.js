/** The chat's server: Socket.IO with `turbo()` options, and the files of the page. */

const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const { createServer } = require("node:http");
const path = require("node:path");
const { parseArgs } = require("node:util");
const { Server } = require("socket.io");
const { createRedisAdapter, turbo } = require("../..");
const { serveConversation } = require("./conversation.js");
const { IMAGE_LIMIT } = require("./input.js");
const { serveStaff } = require("./staff.js");
const { staticFiles } = require("./static-files.js");

/** Time in which other nodes must answer, in milliseconds. Then the chat goes on without them. */
const REQUESTS_TIMEOUT = 2000;

/**
 * Starts a chat.
 *
 * @param {object} [options] Socket.IO server options, and:
 * @param {number} [options.port=0] the port to listen on; 0 takes a free one
 * @param {string} [options.host="127.0.0.1"] the address to listen on
 * @param {string} [options.passphrase] gives access to the staff's namespace; random if left out
 * @param {string} [options.redis] the URL of the Redis that connects it with other nodes
 * @param {number} [options.deliveryTimeout=10000] time in which the recipient's page must
 *   acknowledge a private message, in milliseconds
 * @returns {Promise<{ url: string, passphrase: string, io: Server, close: () => Promise<void> }>}
 */
async function createChat(options = {}) {
  const {
    port = 0,
    host = "127.0.0.1",
    passphrase = randomBytes(4).toString("hex"),
    redis,
    deliveryTimeout = 10_000,
    ...socketIoOptions
  } = options;

  const adapter =
    redis === undefined
      ? undefined
      : createRedisAdapter({ url: redis, requestsTimeout: REQUESTS_TIMEOUT });

  const httpServer = createServer(staticFiles(path.join(__dirname, "public")));
  // Twice the limit: long-polling sends attachments as Base64, and an image that is a little too
  // large should get an answer instead of a closed connection.
  const io = new Server(
    httpServer,
    turbo({ maxHttpBufferSize: 2 * IMAGE_LIMIT, adapter, ...socketIoOptions }),
  );
  const cluster = serveConversation(io.of("/"), { isAlone: !adapter, deliveryTimeout });
  serveStaff(io.of("/staff"), io.of("/"), passphrase);
  if (adapter) await joinCluster(adapter, cluster);

  httpServer.listen(port, host);
  await once(httpServer, "listening");

  return {
    url: `http://${host}:${httpServer.address().port}`,
    passphrase,
    io,
    async close() {
      cluster.close();
      await new Promise((resolve) => io.close(() => resolve()));
    },
  };
}

/**
 * Prints errors of Redis, and catches up with the other nodes whenever Redis is back.
 *
 * @param {import("../..").RedisAdapterFactory} adapter
 * @param {import("./cluster.js").Cluster} cluster
 * @returns {Promise<void>} resolved when this node has caught up, or Redis cannot be reached
 */
function joinCluster(adapter, cluster) {
  let problem = "";
  return new Promise((resolve) => {
    adapter.on("ready", () => {
      if (problem) console.error("Redis:       connected again");
      problem = "";
      cluster.catchUp().then(resolve);
    });
    adapter.on("error", ({ message }) => {
      // Each attempt to connect emits an error. Print it once.
      if (message !== problem) console.error(`Redis:       ${message}`);
      problem = message;
      resolve();
    });
  });
}

/**
 * @returns {{ port?: string, redis?: string }} the options of the command line
 * @throws {TypeError} for any other argument
 */
function parseCommandLine() {
  return parseArgs({ options: { port: { type: "string" }, redis: { type: "string" } } }).values;
}

/** @returns {string} the native parts on this platform */
function nativeParts() {
  if (!turbo.native) return `no (${turbo.nativeError?.message})`;
  return process.platform === "win32" ? "the parser; connections are left to ws on Windows" : "yes";
}

/** Runs the chat until it is interrupted. */
async function main() {
  const { PORT = "3000", HOST, PASSPHRASE } = process.env;
  const { port = PORT, redis } = parseCommandLine();
  const chat = await createChat({
    port: Number(port),
    host: HOST,
    passphrase: PASSPHRASE || undefined,
    redis,
  });
  console.log(`Chat:        ${chat.url}`);
  console.log(`Pass phrase: ${chat.passphrase} (staff)`);
  console.log(`Native:      ${nativeParts()}`);
  if (redis !== undefined) {
    console.log(`Cluster:     for another node, --port ${Number(port) + 1} and the same --redis`);
  }
  process.once("SIGINT", () => chat.close());
  process.once("SIGTERM", () => chat.close());
}

if (require.main === module) {
  main().catch(({ message }) => {
    console.error(message);
    process.exit(1);
  });
}

module.exports = { createChat };
