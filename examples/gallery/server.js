/** The gallery's server: Socket.IO with `turbo()`, one namespace for each use, and the page. */

const { once } = require("node:events");
const { createServer } = require("node:http");
const { randomBytes } = require("node:crypto");
const { parseArgs } = require("node:util");
const { Server } = require("socket.io");
const { turbo } = require("../..");
const { IMAGE_LIMIT } = require("../chat/input.js");
const { serveConversation } = require("../chat/conversation.js");
const { serveStaff } = require("../chat/staff.js");
const { pages } = require("./pages.js");
const { identify } = require("./people.js");
const { USES } = require("./uses.js");

/** Starts the gallery. Options are those of Socket.IO, and `port` (0: a free one) and `host`. */
async function createGallery({ port = 0, host = "127.0.0.1", ...socketIoOptions } = {}) {
  const httpServer = createServer(pages());
  const io = new Server(
    httpServer,
    turbo({
      connectionStateRecovery: { maxDisconnectionDuration: 120_000 },
      // For the images of the chat; all other uses check shorter limits of their own.
      maxHttpBufferSize: 2 * IMAGE_LIMIT,
      cleanupEmptyChildNamespaces: true,
      ...socketIoOptions,
    }),
  );
  const stops = [];
  const cluster = serveConversation(io.of("/"), { isAlone: true, deliveryTimeout: 10_000 });
  serveStaff(io.of("/staff"), io.of("/"), randomBytes(8).toString("hex"));

  httpServer.listen(port, host);
  await once(httpServer, "listening");
  const url = `http://${host}:${httpServer.address().port}`;
  for (const { name } of USES) if (name !== "chat") serveUse(io, name, { url, stops });
  serveVisitors(io, stops);

  const close = async () => {
    for (const stop of stops) stop();
    cluster.close();
    await io.close();
  };
  return { url, io, close };
}

/** Gives a use its namespace, and what it needs to simulate others while somebody watches. */
function serveUse(io, name, { url, stops }) {
  const namespace = io.of(`/${name}`);
  namespace.use(identify);
  const every = (milliseconds, act) => {
    const timer = setInterval(() => namespace.sockets.size > 0 && act(), milliseconds);
    stops.push(() => clearInterval(timer));
  };
  require(`./uses/${name}/server.js`)(namespace, { io, url, every, onClose: (f) => stops.push(f) });
}

/** Sends the figures of the page's header: visitors, and what the I/O threads have sent. */
function serveVisitors(io, stops) {
  const visitors = io.of("/visitors").use(identify);
  visitors.on("connection", (socket) => socket.emit("you", socket.data.person));
  let before = 0;
  const timer = setInterval(() => {
    const people = new Set([...visitors.sockets.values()].map(({ data }) => data.person.key));
    const { framesOut } = turbo.stats();
    visitors.volatile.emit("figures", { people: people.size, packets: framesOut - before });
    before = framesOut;
  }, 1000);
  stops.push(() => clearInterval(timer));
}

/** Runs the gallery until it is interrupted. */
async function main() {
  const { PORT = "3000", HOST } = process.env;
  const { port = PORT } = parseArgs({ options: { port: { type: "string" } } }).values;
  const gallery = await createGallery({ port: Number(port), host: HOST });
  console.log(`Gallery: ${gallery.url}`);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => gallery.close());
}

if (require.main === module) {
  main().catch(({ message }) => {
    console.error(message);
    process.exit(1);
  });
}

module.exports = { createGallery };
