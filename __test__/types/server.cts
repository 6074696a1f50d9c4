/** A typed server with typed events compiles; misuse does not. */

import { createServer, type Server as HttpServer } from "node:http";
import { createAdapter as createRedisAdapter } from "@socket.io/redis-adapter";
import { Server } from "socket.io";
import { Adapter } from "socket.io-adapter";
import { io } from "socket.io-client";
import {
  type ConnectionEndedError,
  createAdapter,
  createEngine,
  createServer as createTurboServer,
  drain,
  type InvalidOptionError,
  latest,
  metrics,
  native,
  nativeError,
  openTelemetryMetrics,
  parser,
  type RateLimitReport,
  stats,
  type TurboOptions,
  turbo,
  version,
  WebSocketServer,
} from "socket.io-turbo";

interface ClientEvents {
  message: (text: string, delivered: (id: number) => void) => void;
}

interface ServerEvents {
  message: (text: string) => void;
}

const server = new Server<ClientEvents, ServerEvents>(
  createServer(),
  turbo({ cors: { origin: "*" }, maxAttachments: 3 }),
);
server.on("connection", (socket) => {
  socket.on("message", (text, delivered) => {
    socket.emit("message", text.toUpperCase());
    delivered(1);
    // @ts-expect-error: an ack id is a number
    delivered("1");
  });
  // @ts-expect-error: no such event
  socket.emit("massage", "hello");
});

// @ts-expect-error: the events are still typed
server.emit("massage", "hello");
// @ts-expect-error: so are their arguments
server.emit("message", 1);
server.to("room").except("other").volatile.emit("message", "hello");

for (const target of [server, server.of("/"), server.to("room").except("other")]) {
  latest(target, "key").to("another").volatile.emit("message", "hello");
}
server.on("connection", (socket) => latest(socket, "key").emit("message", "hello"));
turbo.latest(server.to("room"), "key").emit("message", "hello");
// @ts-expect-error: the events are still typed
latest(server, "key").emit("massage", "hello");
// @ts-expect-error: a key is wanted
latest(server);
// @ts-expect-error: it is text
latest(server, 1);
// @ts-expect-error: no target
latest({}, "key");

new Server(turbo());
new Server(turbo({ adapter: createAdapter(), parser, wsEngine: createEngine() }));
new Server(turbo({ connectionStateRecovery: {}, maxBackpressure: Number.POSITIVE_INFINITY }));
new Server({ parser: turbo.parser });
io("http://localhost", { parser });

new Server({ wsEngine: turbo.createEngine() });
new Server({ adapter: createAdapter() }).adapter(turbo.createAdapter());
// @ts-expect-error: it has no options
createAdapter({ ioThreads: 1 });

const options: TurboOptions = {
  maxAttachments: 1,
  ioThreads: 2,
  maxBackpressure: 1e6,
  maxLoopLag: 1,
  rateLimit: { messages: 100, bytes: Number.POSITIVE_INFINITY, per: 1_000, action: "drop" },
};
turbo(options);
turbo({ rateLimit: { bytes: 1, action: "pause" } });
// @ts-expect-error: messages or bytes are wanted
turbo({ rateLimit: { action: "pause" } });
// @ts-expect-error: no such action
turbo({ rateLimit: { bytes: 1, action: "ban" } });
server.engine.on("rate_limit", ({ socket, action }: RateLimitReport) => {
  if (action === "pause") socket.close();
  // @ts-expect-error: no such action
  if (action === "ban") socket.close();
});
// @ts-expect-error: a number is wanted
turbo({ maxAttachments: "3" });
// @ts-expect-error: no such option
turbo({ maxAttachment: 3 });
// @ts-expect-error: a number of bytes is wanted
turbo({ maxBackpressure: "64mb" });
// @ts-expect-error: a number is wanted
turbo({ highWaterMark: null });
// @ts-expect-error: this belongs to a WebSocketServer
turbo({ textType: "string" });
// @ts-expect-error: an option of Socket.IO keeps its type
turbo({ pingInterval: "25s" });
// @ts-expect-error: options are an object
turbo(3000);

try {
  turbo({ ioThreads: 65 });
} catch (error) {
  const { code, option } = error as InvalidOptionError;
  const known: "TURBO_ERR_INVALID_OPTION" = code;
  void [known, option.length];
}

const facts: [boolean, Error | null, string] = [native, nativeError, version];
const same: [boolean, Error | null, string] = [turbo.native, turbo.nativeError, turbo.version];
void [facts, same];

const decoder = new parser.Decoder({ maxAttachments: 1, reviver: (_key, value) => value });
decoder.on("decoded", (packet) => {
  const type: parser.PacketType = packet.type;
  const id: number | undefined = packet.id;
  void [type === parser.PacketType.EVENT, id];
});
// @ts-expect-error: no such event
decoder.on("encoded", () => {});
new parser.Decoder((_key, value) => value);
decoder.add("2");
decoder.destroy();
for (const message of new parser.Encoder().encode({ type: parser.PacketType.EVENT, nsp: "/" })) {
  void message;
}
// @ts-expect-error: a packet has a namespace
new parser.Encoder().encode({ type: 2 });
const valid: boolean = parser.isPacketValid({ type: 0, nsp: "/" });
const protocol: number = parser.protocol;
void [valid, protocol];

const websockets = new WebSocketServer({ port: 0, highWaterMark: 1, textType: "string" });
websockets.on("connection", (websocket, request) => {
  websocket.on("message", (message, isBinary) => {
    websocket.send(message, { binary: isBinary }, (error) => void error?.message);
  });
  websocket.send("last words", (error) => {
    const { code, reason } = error as ConnectionEndedError;
    // @ts-expect-error: no such reason
    void (reason === "bored");
    void [code.length, reason === "peerEnded"];
  });
  websocket.close(1000, request.url);
});
// @ts-expect-error: no such text
new WebSocketServer({ port: 0, textType: "text" });
createEngine({ ioThreads: 1 });
const base: Adapter = createAdapter(Adapter)(server.of("/"));
const uid: string = createAdapter(createRedisAdapter(null, null))(server.of("/")).uid;
// @ts-expect-error: a factory or a class is wanted
createAdapter(base);
void uid;
// @ts-expect-error: this belongs to the parser
createEngine({ maxAttachments: 1 });
const counted: number =
  stats().queuedBytes + stats().broadcasts + (stats().connections.fallback.tls ?? 0);
const ended: number | undefined = stats().workers[0]?.ended.ioError;
// @ts-expect-error: no such reason
stats().connections.ended.bored;
void [counted, ended];

const httpServer: HttpServer = createTurboServer((_request, response) => response.end());
new Server(turbo.createSecureServer({ key: "key", cert: "cert", maxHandshakesPerSecond: 1 }));
new Server(turbo.createServer({ keepAliveTimeout: 1 }, (_request, response) => response.end()));
createTurboServer({ maxHandshakesPerSecond: Number.POSITIVE_INFINITY });
// @ts-expect-error: a number is wanted
createTurboServer({ maxHandshakesPerSecond: "100" });
// @ts-expect-error: an option of Node.js keeps its type
createTurboServer({ keepAliveTimeout: "1" });
const left: number = stats().server.fallback.cluster ?? 0;
void [httpServer, left];

const leaving: Promise<{ closed: number; left: number }> = drain(server, { within: 1000 });
void [leaving, turbo.drain(new Server(), { within: 0, signal: AbortSignal.timeout(1) })];
// @ts-expect-error: the time is required
drain(server, {});
// @ts-expect-error: this is a namespace
drain(server.of("/"), { within: 1000 });

// The shapes of prom-client's Registry and of a MeterProvider of @opentelemetry/api.
declare class Registry {
  registerMetric<Label extends string>(metric: { name: string; label: Label }): void;
  getSingleMetric(name: string): { name: string } | undefined;
}
interface MeterProvider {
  getMeter(name: string, version?: string, options?: { schemaUrl?: string }): { name: string };
}
declare const meterProvider: MeterProvider;
metrics(new Registry());
turbo.metrics(new Registry());
// @ts-expect-error: a register is wanted
metrics([new Registry()]);
const end: () => void = openTelemetryMetrics(meterProvider);
turbo.openTelemetryMetrics(meterProvider);
// @ts-expect-error: a provider is wanted
openTelemetryMetrics(new Registry());
const { bounds, counts, count, sum } = stats().workers[0]?.delivery ?? stats().loopLag;
const waiting: number = stats().slowClients + stats().connections.handshakes;
void [end, bounds.length, counts.length, count + sum + waiting];
