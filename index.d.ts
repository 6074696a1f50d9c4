import type {
  Server as HttpServer,
  ServerOptions as HttpServerOptions,
  IncomingMessage,
  RequestListener,
} from "node:http";
import type { Server as HttpsServer, ServerOptions as HttpsServerOptions } from "node:https";
import type { Duplex } from "node:stream";
import { Emitter } from "@socket.io/component-emitter";
import type { Namespace, Server, ServerOptions, Socket } from "socket.io";
import type { Adapter } from "socket.io-adapter";
import type { WebSocket, WebSocketServer as WsServer, ServerOptions as WsServerOptions } from "ws";

/** Thrown if an option of ours is invalid. Only a type, not a class: recognise it by its `code`. */
export interface InvalidOptionError extends TypeError {
  /** Identifies the error. */
  code: "TURBO_ERR_INVALID_OPTION";
  /**
   * The name of the option: `"options"` if the options are not an object, `"base"` for the argument of
   * `createAdapter()`, `"register"` and `"meterProvider"` for those of `metrics()` and
   * `openTelemetryMetrics()`, `"target"` and `"key"` for those of `latest()`, `"rateLimit.messages"` and
   * the like for parts of `rateLimit`, `"the environment variable TURBO_NATIVE"` for that variable.
   */
  option: string;
}

/**
 * Passed to the callback of `send()` if the connection ended before the message was sent. Only a type,
 * not a class: recognise it by its `code`.
 */
export interface ConnectionEndedError extends Error {
  /** The operating system's code, such as `"ECONNRESET"`, or else `"TURBO_ERR_CONNECTION_ENDED"`. */
  code: string;
  /** How the connection ended. */
  reason: EndReason;
}

/** Options of our WebSocket engine. */
export interface EngineOptions {
  /**
   * The number of I/O threads for the server's connections: an integer from 1 to 64. All servers of a
   * JavaScript thread share them.
   * @default 1 for up to 4 cores, else a quarter of the cores, at most 4
   */
  ioThreads?: number;
  /**
   * Bytes that may wait for the network while a client counts as writable: an integer of at least 0. Up
   * to this mark, `send()` calls back at the end of the turn, as with ws if the kernel accepts
   * everything at once; beyond it, when the kernel has accepted the message.
   * @default 65536 (64 KiB)
   */
  highWaterMark?: number;
  /**
   * Bytes that may wait for a slow client, its last message not counted: an integer of at least 1, or
   * `Infinity`. If more than that waits for `backpressureTimeout` without a break, the client is
   * disconnected. Its WebSocket emits an error of code `"TURBO_ERR_MAX_BACKPRESSURE"`; Socket.IO's
   * `disconnect` event has the reason `"transport error"` and, in its description, the error's text.
   * @default 67108864 (64 MiB)
   */
  maxBackpressure?: number;
  /**
   * Milliseconds that a client has to get below `maxBackpressure` again: an integer from 0 to
   * 2147483647. With 0, it is disconnected at once.
   * @default 5000
   */
  backpressureTimeout?: number;
  /**
   * Milliseconds without a sign of life of JavaScript, after which the I/O threads send no more
   * heartbeats, so that the clients of a process that hangs leave it: an integer from 1 to 2147483647, or
   * `Infinity`. Until then, clients stay while JavaScript is busy. A pause of JavaScript is noticed up to
   * a second late, and heartbeats go on when it has ended.
   * @default Socket.IO's `pingInterval + pingTimeout`, 45000
   */
  maxLoopLag?: number;
  /**
   * Limits what each client sends. The I/O thread counts, and decides before JavaScript wakes. With
   * `turbo()`, JavaScript limits clients that poll and those of WebTransport; connections that are left to ws
   * are always limited.
   *
   * `io.engine` emits `rate_limit` with a {@link RateLimitReport} once for each client and window, a
   * `WebSocketServer` with `{ websocket, action }`.
   * @default no limit
   */
  rateLimit?: RateLimit;
}

/** The limits of a client in each window, and the action taken on more. */
export type RateLimit = RateLimitSettings &
  (Required<Pick<RateLimitSettings, "messages">> | Required<Pick<RateLimitSettings, "bytes">>);

/** The parts of `rateLimit`; `messages`, `bytes` or both are required. */
export interface RateLimitSettings {
  /**
   * Messages in each window: an integer of at least 1, or `Infinity`. Heartbeats and control frames are
   * none; an attachment of an event is one.
   * @default Infinity
   */
  messages?: number;
  /**
   * Bytes in each window, as they are on the wire, or those of the data where JavaScript limits: an integer
   * of at least 1, or `Infinity`.
   * @default Infinity
   */
  bytes?: number;
  /**
   * The length of a window in milliseconds: an integer from 1 to 2147483647. The next window begins with
   * the first input after its end.
   * @default 1000
   */
  per?: number;
  /**
   * The action taken on more.
   *
   * - `"pause"` stops reading until the next window, so that TCP slows the client down. What a client that
   *   polls sends waits in memory instead, up to `maxHttpBufferSize` and 1 MiB; with more it is disconnected.
   * - `"drop"` drops events that expect no acknowledgement, with their attachments; `stats()` counts them. It
   *   needs the packets of Socket.IO's own parser, and throws on a `WebSocketServer`.
   * - `"disconnect"` closes the connection, a WebSocket by code 1008. Its WebSocket emits an error of code
   *   `"TURBO_ERR_RATE_LIMIT"`; Socket.IO's `disconnect` event has the reason `"transport error"`.
   */
  action: "pause" | "drop" | "disconnect";
}

/** The argument of `rate_limit`, an event of `io.engine`: a client sends more than `rateLimit` allows. */
export interface RateLimitReport {
  /** The client's Engine.IO socket, the `conn` of its Socket.IO sockets. */
  socket: Socket["conn"];
  /** The action that is taken. */
  action: RateLimit["action"];
}

/** Options of `turbo()` that Socket.IO does not have. */
export interface TurboOptions extends EngineOptions {
  /**
   * The most binary attachments in one packet: an integer of at least 1. A client that sends more is
   * disconnected. Not allowed together with `parser`, which has its own limit.
   * @default 10
   */
  maxAttachments?: number;
}

/**
 * Returns Socket.IO server options with our `adapter`, `parser` and `wsEngine`. Those that the caller
 * names are kept, and every other option is passed on. An option whose name is nearly one of ours
 * prints a process warning of code `TURBO_UNKNOWN_OPTION`.
 *
 * @param options for `new Server()`, together with ours; they are not changed
 * @returns a new object for `new Server()`. If it is given to `attach()` or `listen()` only, a process
 *   warning of code `TURBO_NOT_IN_USE` is printed: Socket.IO accepts the adapter and the parser in its
 *   constructor only
 * @throws {InvalidOptionError} if an option of ours is invalid or has no effect: `maxAttachments`
 *   together with a `parser`, {@link EngineOptions} together with a `wsEngine`
 *
 * @example
 * const io = new Server(httpServer, turbo({ cors: { origin: "*" } }));
 *
 * @example
 * // With typed events, as without turbo().
 * const io = new Server<ClientEvents, ServerEvents>(httpServer, turbo());
 */
export declare function turbo(
  options?: Partial<ServerOptions> & TurboOptions,
): Partial<ServerOptions> & { adapter: unknown; parser: unknown; wsEngine: unknown };

/** The named exports are also properties of `turbo`. */
export declare namespace turbo {
  /** With `parser` and `wsEngine`, makes `new Server(http, turbo)` the same as with `turbo()`. */
  export const adapter: unknown;
  /** See `adapter`. */
  export const wsEngine: unknown;

  export {
    createAdapter,
    createEngine,
    createRedisAdapter,
    createSecureServer,
    createServer,
    drain,
    latest,
    metrics,
    native,
    nativeError,
    openTelemetryMetrics,
    parser,
    stats,
    version,
    WebSocketServer,
  };
}

export default turbo;

/**
 * Returns a factory for Socket.IO's option `adapter`, or for `io.adapter()`. `turbo()` uses it by
 * default. With our `wsEngine`, a broadcast is one call into Rust for any number of recipients; with
 * another engine, packets are sent to one socket after the other, as by the official adapter.
 *
 * Without `base`, the adapters have the methods, events and properties of socket.io-adapter 2.5, and
 * are session-aware if `connectionStateRecovery` is on. With `base`, they are the adapters that it
 * makes; broadcasts, including those from other processes, reach the sockets of this process in one
 * call. Only broadcasts with acknowledgement are sent to one socket after the other.
 *
 * Socket.IO calls the factory for each namespace, with `new` or without. It is not a class: extending it
 * throws a `TypeError` at the first namespace.
 *
 * @param base a factory or a class of adapters that extend the Adapter of socket.io-adapter 2.5, such
 *   as those of `@socket.io/redis-adapter`. They must override none of `_encode`, `apply` and
 *   `computeExceptSids`
 * @returns the factory. Without the addon, it makes the official adapters, or those of `base`
 * @throws {InvalidOptionError} if `base` is not a function. The factory throws it if `base` makes other
 *   adapters
 *
 * @example
 * const io = new Server(httpServer, { wsEngine: createEngine(), adapter: createAdapter() });
 *
 * @example
 * import { createAdapter as createRedisAdapter } from "@socket.io/redis-adapter";
 *
 * const adapter = createAdapter(createRedisAdapter(publisher, subscriber));
 * const io = new Server(httpServer, turbo({ adapter }));
 */
export declare function createAdapter<Base extends Adapter = Adapter>(
  base?: ((nsp: never) => Base) | (new (nsp: never) => Base),
): (nsp: Namespace) => Base;

/** Encodes and decodes the messages between nodes, instead of notepack.io. */
export interface MessageParser {
  /** Returns a value as a message. */
  encode(value: unknown): Buffer;
  /** Returns the value of a message; throws if the message is malformed. */
  decode(message: Buffer): unknown;
}

/** Options of `createRedisAdapter()`. Either `url` or both `pubClient` and `subClient` are required. */
export interface RedisAdapterOptions {
  /**
   * The address of Redis: `redis://[[user]:password@]host[:port][/db]`, `rediss://` for TLS, or
   * `redis+unix:///path`. A list for `sentinel` and `cluster`. Redis 6 or later is required, as the
   * connection uses RESP3.
   */
  url?: string | readonly string[];
  /**
   * A connected client of `redis` 4 or 5 or of `ioredis` 5, instead of `url`. Messages then pass
   * through JavaScript on their way to Rust. The application closes the client.
   */
  pubClient?: object;
  /** A second client, which is used for subscriptions only. */
  subClient?: object;
  /**
   * True if `url` lists servers of a Redis Cluster; not all are required. User and password are taken
   * from the first URL.
   * @default false
   */
  cluster?: boolean;
  /**
   * Makes `url` a list of Sentinels, which are asked for the master of this name. `username` and
   * `password` are for the Redis servers, those in the URLs for the Sentinels.
   */
  sentinel?: { name: string; username?: string; password?: string };
  /**
   * For `rediss://`, as PEM: the trusted certificate authorities, by default Mozilla's list; the
   * certificate of this client, and its key.
   */
  tls?: { ca?: string | Buffer; cert?: string | Buffer; key?: string | Buffer };
  /**
   * The prefix of all channel names.
   * @default "socket.io"
   */
  key?: string;
  /**
   * Milliseconds until a request to other nodes fails: an integer of at least 1. Not with `sharded`.
   * @default 5000
   */
  requestsTimeout?: number;
  /**
   * True to send responses only to the node that made the request. All nodes must use the same value.
   * Not with `sharded`.
   * @default false
   */
  publishOnSpecificResponseChannel?: boolean;
  /**
   * Replaces the encoding of messages. JavaScript then handles all of them. All nodes must use the same
   * one. Not with `sharded`.
   */
  parser?: MessageParser;
  /**
   * True to use the protocol of the official `createShardedAdapter()`, for Redis 7: in a Redis Cluster,
   * a message then goes only to the servers of its channel. All nodes must use the same value.
   * @default false
   */
  sharded?: boolean;
  /**
   * The channels to which a node subscribes.
   *
   * With `"pattern"`, Redis sends each broadcast to each node, as with the official adapter. With
   * `"dynamic"`, a node subscribes to the rooms that have members on it, including each socket's own
   * room; this is for clusters where most broadcasts concern few nodes. A broadcast to a room does not
   * reach a node where the first member joined less than a round trip to Redis before. A cluster may
   * have nodes of both modes.
   *
   * With `sharded`: `"dynamic"`, `"static"` or `"dynamic-private"`, as in the official adapter. All
   * nodes must use the same mode.
   * @default "pattern"; with `sharded` "dynamic"
   */
  subscriptionMode?: "pattern" | "dynamic" | "static" | "dynamic-private";
  /**
   * Bytes that may wait to be published: an integer of at least 1, or `Infinity`. Messages beyond that
   * are dropped, and counted as `publishDropped` in {@link RedisStats}. Not with `pubClient`.
   * @default 67108864 (64 MiB)
   */
  maxPublishQueue?: number;
}

/** An error of Redis or of the connection to it. Only a type: recognise it by its `code`. */
export interface RedisError extends Error {
  /** Identifies the error. */
  code: "TURBO_ERR_REDIS";
}

/** Returned by `createRedisAdapter()`: a factory of adapters, with the events of their connection. */
export interface RedisAdapterFactory {
  /** Called by Socket.IO, with `new` or without, for each namespace. */
  (nsp: Namespace): Adapter;
  /** The connection to Redis is open and all subscriptions are active. */
  on(event: "ready", listener: () => void): this;
  /** The connection was lost; a new one is being opened. */
  on(event: "reconnecting", listener: () => void): this;
  /**
   * The connection was lost or could not be opened, or Redis refused a command. Without a listener, the
   * first error of each outage is printed as a process warning.
   */
  on(event: "error", listener: (error: RedisError) => void): this;
  /** The last adapter and the connection have been closed. */
  on(event: "end", listener: () => void): this;
  /** As `on()`, for one event. */
  once: RedisAdapterFactory["on"];
  /** Removes a listener. */
  off(event: string, listener: (...args: never[]) => void): this;
}

/**
 * Returns a factory for Socket.IO's option `adapter` that connects servers by Redis. It is compatible
 * with `@socket.io/redis-adapter` 8, also in the same cluster, and with `@socket.io/redis-emitter` 5. A
 * thread of its own holds the connection. Broadcasts of other nodes go from there directly to the I/O
 * threads, unless JavaScript serves one of the recipients, such as a client that engine.io serves by
 * long-polling.
 *
 * The connection is opened for the first adapter and closed with the last: `await io.close()`.
 *
 * @param options either `url` or clients, and how to use them
 * @throws {InvalidOptionError} if an option is invalid. `new Server()` throws it if
 *   `connectionStateRecovery` is on: published messages are not stored
 *
 * @example
 * const adapter = createRedisAdapter({ url: "redis://localhost:6379" });
 * adapter.on("error", (error) => console.error(error.message));
 * const io = new Server(httpServer, turbo({ adapter }));
 */
export declare function createRedisAdapter(options: RedisAdapterOptions): RedisAdapterFactory;

/**
 * Returns a broadcast operator with a key, for state of which only the newest value matters. For a
 * client for which an older packet of the same key still waits, the new packet takes its place; a
 * packet that has begun to leave is left alone. So a client that does not keep up gets the newest
 * state instead of a backlog, and one that does gets everything. Other nodes with this package
 * do the same; nodes without it send all packets.
 *
 * The operator can be chained: `latest(io.to("a"), "key").volatile.except("b").emit(…)`.
 * Acknowledgements are not possible: `emit()` with a callback throws an error of code
 * `"TURBO_ERR_NOT_POSSIBLE"`, and `emitWithAck()` rejects with it.
 *
 * All packets are sent without the addon, with another `adapter` than ours, and with
 * `connectionStateRecovery` unless they are volatile.
 *
 * @param target a server, a namespace, or what their `to()` and `except()` return; it is not changed.
 *   Or a socket, which is then the only recipient; its `volatile` and `compress()` are used up, as by
 *   `socket.to()`
 * @param key what the packet is about: a well-formed string of 1 to 256 characters. Each namespace has
 *   keys of its own
 * @throws {InvalidOptionError} if the target or the key is invalid
 *
 * @example
 * turbo.latest(io.to("match-7"), "position-12").emit("moved", x, y);
 */
export declare function latest<Operator>(
  target: { to(room: string): Operator },
  key: string,
): Operator;

/**
 * Returns a constructor for the option `wsEngine` of Socket.IO and engine.io. `turbo()` uses it by
 * default; it is for servers that want the engine only. Text messages are strings.
 *
 * @param options our options; engine.io adds its own when it constructs the server
 * @throws {InvalidOptionError} if an option is invalid
 *
 * @example
 * const io = new Server(httpServer, { wsEngine: createEngine({ maxBackpressure: 1e6 }) });
 */
export declare function createEngine(options?: EngineOptions): typeof WebSocketServer;

/** Options of {@link createServer} that `http.createServer()` does not have. */
export interface ListenerOptions {
  /**
   * Connections that are accepted in each second: an integer from 1 to 2147483647, or `Infinity`. More wait in
   * the queue of the operating system, so that the clients that are in are served. Without effect where Node.js
   * accepts.
   * @default Infinity
   */
  maxHandshakesPerSecond?: number;
}

/** Options of {@link createServer}. */
export type CreateServerOptions = HttpServerOptions & ListenerOptions;

/**
 * Returns an `http.Server` as `http.createServer()` does. Its connections are accepted by I/O threads, which
 * serve the clients of the Socket.IO servers that are attached with {@link turbo}; every other connection is
 * passed to Node.js, with nothing read of it.
 *
 * Where I/O threads cannot accept, Node.js does: `stats().server.fallback` counts such servers, and a process
 * warning of code `TURBO_FALLBACK` gives the reason.
 *
 * @param listener called with each request that Socket.IO does not answer
 *
 * @example
 * const server = turbo.createServer(app);
 * const io = new Server(server, turbo());
 * server.listen(3000);
 */
export declare function createServer(listener?: RequestListener): HttpServer;
/**
 * As above, with options.
 *
 * @param options as for `http.createServer()`, and ours
 * @param listener called with each request that Socket.IO does not answer
 */
export declare function createServer(
  options: CreateServerOptions,
  listener?: RequestListener,
): HttpServer;

/** Options of {@link createSecureServer}. */
export type CreateSecureServerOptions = HttpsServerOptions & ListenerOptions;

/**
 * Returns an `https.Server` as `https.createServer()` does. I/O threads accept and decrypt its connections: they
 * serve the clients of the Socket.IO servers that are attached with {@link turbo}, and go on with TLS for all other
 * requests, whose plaintext Node.js reads and writes. Certificates are renewed by `setSecureContext()`.
 *
 * Where only OpenSSL can do what the options ask for, Node.js does the TLS of all connections: `stats().server.passed`
 * counts them as `tlsOptions`.
 *
 * @param listener called with each request that Socket.IO does not answer
 * @throws `TypeError` with `code` `TURBO_ERR_INVALID_OPTION` for `pfx`, `ticketKeys`, versions below TLS 1.2, and
 *   `ciphers` that I/O threads do not have
 *
 * @example
 * const server = turbo.createSecureServer({ key, cert }, app);
 * const io = new Server(server, turbo());
 * server.listen(3000);
 */
export declare function createSecureServer(listener?: RequestListener): HttpsServer;
/**
 * As above, with options.
 *
 * @param options as for `https.createServer()`, and ours
 * @param listener called with each request that Socket.IO does not answer
 */
export declare function createSecureServer(
  options: CreateSecureServerOptions,
  listener?: RequestListener,
): HttpsServer;

/**
 * Options of a {@link WebSocketServer}: ours and those of ws. `perMessageDeflate` has no context takeover. With
 * `skipUTF8Validation`, `allowSynchronousEvents: false` or `WebSocket`, connections are left to ws; see
 * {@link FallbackReason}.
 */
export interface WebSocketServerOptions extends WsServerOptions, EngineOptions {
  /**
   * The type of text messages in the `message` event: `"buffer"` as with ws, or `"string"`, which is
   * faster. Applies to connections that are left to ws, too.
   * @default "buffer"
   */
  textType?: "buffer" | "string";
}

/**
 * The `WebSocketServer` of ws 8.23 with its connections on I/O threads, which read and write the sockets
 * and decode, check and encode the frames. Connections for which that is not possible are left to ws:
 * `stats()` counts them, and a process warning of code `TURBO_FALLBACK` gives the reason.
 *
 * The server and its `WebSocket`s have the events, methods and properties of ws. The `error` event of a
 * WebSocket has the codes of ws (`WS_ERR_…`), `TURBO_ERR_NON_MINIMAL_LENGTH`,
 * `TURBO_ERR_RATE_LIMIT` or `TURBO_ERR_MAX_BACKPRESSURE`.
 */
export declare class WebSocketServer extends WsServer {
  /**
   * @param options exactly one of `port`, `server` and `noServer` is required
   * @param callback called when the server listens on `port`
   * @throws {InvalidOptionError} if an option of ours is invalid
   * @throws {TypeError} if an option of ws is invalid
   */
  constructor(options?: WebSocketServerOptions, callback?: () => void);
  /**
   * Answers an upgrade request, as in ws.
   *
   * @param request the HTTP request
   * @param socket its connection
   * @param head what has been read of the connection behind the request
   * @param callback called with the WebSocket after the handshake
   * @throws {Error} if it has been called with the same socket before
   */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    callback: (client: WebSocket, request: IncomingMessage) => void,
  ): void;
}

/** Why a connection is left to ws. */
export type FallbackReason =
  /** The addon is not loaded. */
  | "addon"
  /** The operating system is neither Linux nor macOS. */
  | "platform"
  /** The runtime replaces the package ws with its own implementation, as Bun does. */
  | "otherWs"
  /** TLS is terminated in Node.js. */
  | "tls"
  /** The connection is a Unix domain socket, a named pipe or another stream. */
  | "notTcp"
  /** The socket is closed or belongs to another process. */
  | "noDescriptor"
  /** The runtime, such as Deno, does not expose the file descriptors of its sockets. */
  | "hiddenDescriptor"
  /** The response to the upgrade could not be written at once. */
  | "pendingWrite"
  /** `perMessageDeflate` asks for context takeover or a dictionary, and the client compresses. */
  | "contextTakeover"
  /** ws's option `skipUTF8Validation` is set. */
  | "skipUTF8Validation"
  /** ws's option `allowSynchronousEvents` is `false`. */
  | "allowSynchronousEvents"
  /** ws's option `WebSocket` names another class. */
  | "customClass"
  /** File descriptors or threads have run out. */
  | "resources";

/** Why Node.js accepts the connections of a server of {@link createServer}. */
export type ServerFallbackReason =
  /** The addon is not loaded. */
  | "addon"
  /** The operating system is neither Linux nor macOS. */
  | "platform"
  /** The primary of a cluster has the listening socket. */
  | "cluster"
  /** The server listens on a Unix domain socket or a named pipe. */
  | "notTcp"
  /** The runtime does not expose the file descriptor of the listening socket. */
  | "noDescriptor"
  /** The runtime replaces the package ws, and the files of the package are not found. */
  | "otherWs"
  /** File descriptors or threads have run out. */
  | "resources";

/** Why a connection that an I/O thread accepted for a server of {@link createServer} was passed to Node.js. */
export type PassReason =
  /** Its request is not one of Engine.IO that I/O threads serve. */
  | "request"
  /**
   * A session would begin with long-polling, with or without TLS, and the program may see its requests, or they
   * need JavaScript.
   */
  | "polling"
  /** No Socket.IO server of {@link turbo} is attached. */
  | "noEngine"
  /** The server has listeners of `connection` or `timeout`. */
  | "connectionListeners"
  /** The server has listeners of `upgrade` beside those of Socket.IO. */
  | "upgradeListeners"
  /** Listeners of `request` were added after Socket.IO was attached, so that they get its requests, too. */
  | "requestListeners"
  /** The path of one Socket.IO server begins with that of another. */
  | "overlappingPaths"
  /** The server's method `emit()` has been replaced, as by tracing. */
  | "tracing"
  /** A channel of `node:diagnostics_channel` on connections or HTTP requests has subscribers. */
  | "diagnostics"
  /** The server's property `timeout` is set. */
  | "timeout"
  /** The server's property `maxConnections` is set. */
  | "maxConnections"
  /** Another option or property of the server is set that concerns each request or connection. */
  | "serverOptions"
  /** The WebSocket server of Engine.IO has options by which its connections would be left to ws, too. */
  | "webSocketOptions"
  /** Options of TLS that only OpenSSL can honour, or a key that I/O threads cannot use. */
  | "tlsOptions"
  /** The server has listeners of `secureConnection`, `keylog`, `newSession`, `resumeSession` or `OCSPRequest`. */
  | "tlsListeners";

/** How a connection ended. */
export type EndReason =
  /** After the closing handshake. */
  | "closed"
  /** The peer ended its side without a close frame. */
  | "peerEnded"
  /** The peer violated the protocol or a limit such as `maxPayload`. */
  | "protocolError"
  /** The peer did not answer the close frame in time. */
  | "closeTimeout"
  /** The peer read too slowly; see `maxBackpressure`. */
  | "maxBackpressure"
  /** The peer sent pings and did not read the pongs; see ws's `maxPendingAutoPongs`. */
  | "tooManyPings"
  /** `terminate()` was called, or the socket was destroyed. */
  | "terminated"
  /** The operating system reported an error, such as a reset by the peer. */
  | "ioError"
  /** The peer sent more than `rateLimit` allows, with the action `"disconnect"`. */
  | "rateLimit";

/**
 * A histogram of times. It only grows.
 */
export interface Histogram {
  /** The inclusive upper bounds of the buckets in milliseconds. The last bucket has none. */
  bounds: number[];
  /** How many times are in each bucket: one number more than there are bounds. */
  counts: number[];
  /** How many times there are. */
  count: number;
  /** The sum of all times in milliseconds. */
  sum: number;
}

/**
 * Counters of one I/O thread, or of all. All but `queuedBytes` and `slowClients` only grow, from the first connection on.
 * Connections that are left to ws are not counted.
 */
export interface Counters {
  /** Messages received. */
  messagesIn: number;
  /** Frames queued for the network, except close frames and automatic pongs. */
  framesOut: number;
  /** Bytes received after the upgrade. */
  bytesIn: number;
  /** Bytes that the operating system has accepted. */
  bytesOut: number;
  /** Bytes that wait to be sent now. */
  queuedBytes: number;
  /** Connections for which more than their `highWaterMark` waits now. */
  slowClients: number;
  /** System calls that read data or the end of a connection. */
  reads: number;
  /** System calls that wrote data. */
  writes: number;
  /** Broadcasts, counted once for each I/O thread that received it. */
  broadcasts: number;
  /** Volatile packets that were dropped because data waited, counted once for each connection. */
  volatileDropped: number;
  /** Packets of {@link latest} that a newer one replaced before they were sent, likewise. */
  replaced: number;
  /** Batches of commands received from JavaScript. */
  wakes: number;
  /** Notifications of JavaScript about new events. */
  notifications: number;
  /** Pauses in reading because JavaScript had 4 MiB of events to handle. */
  stalls: number;
  /**
   * Pauses in reading from one client because of `rateLimit`. The totals of {@link Stats} include clients that
   * no I/O thread serves.
   */
  rateLimitPauses: number;
  /** Events that were dropped because of `rateLimit`, likewise; on I/O threads they are among `messagesIn`, too. */
  rateLimitDropped: number;
  /**
   * For each frame, the time from the end of the turn that sent it until the operating system had
   * accepted all of it, to 0.1 ms. For broadcasts of other nodes it begins when Redis has been read; for
   * heartbeats and automatic pongs when the I/O thread sends them.
   */
  delivery: Histogram;
}

/** Counters of one I/O thread. */
export interface WorkerStats extends Counters {
  /** Connections of the thread now. */
  connections: number;
  /** Connections that the thread has had. */
  opened: number;
  /** Connections of {@link createServer} that the thread has accepted, for all threads. */
  accepted: number;
  /** Open ones on this thread that have neither become a session's nor been passed. */
  httpConnections: number;
  /** Connections that have ended, by reason. Reasons that have not occurred are left out. */
  ended: Partial<Record<EndReason, number>>;
}

/** Counters of all I/O threads; see {@link stats}. */
export interface Stats extends Counters {
  /** Connections on I/O threads and those left to ws. */
  connections: {
    /** Connections on I/O threads now. */
    native: number;
    /**
     * Upgrade requests that reached our WebSocket servers. Those that are neither in `opened` nor in
     * `fallback` were refused or broke off.
     */
    handshakes: number;
    /** Connections that I/O threads have had. */
    opened: number;
    /** Connections left to ws, by reason. Reasons that have not occurred are left out. */
    fallback: Partial<Record<FallbackReason, number>>;
    /** Connections on I/O threads that have ended, by reason, likewise. */
    ended: Partial<Record<EndReason, number>>;
  };
  /**
   * The lag of JavaScript as the I/O threads see it: the times from each notification about new events
   * until JavaScript took them.
   */
  loopLag: Histogram;
  /** The servers of {@link createServer}. */
  server: ServerStats;
  /** The open connections of `createRedisAdapter()`. */
  redis: RedisStats[];
  /** Each I/O thread. */
  workers: WorkerStats[];
}

/** Counters of the servers of {@link createServer}. */
export interface ServerStats {
  /** Connections that I/O threads have accepted. */
  accepted: number;
  /** Open ones among them that have neither become a session's nor been passed: their next request is awaited. */
  httpConnections: number;
  /** Sessions of Engine.IO that I/O threads have opened. */
  sessions: number;
  /** Requests for a session that were refused on I/O threads. */
  refused: number;
  /**
   * Connections that I/O threads accepted and passed to Node.js, by reason. Reasons that have not occurred are
   * left out.
   */
  passed: Partial<Record<PassReason, number>>;
  /** Clients of servers of {@link createSecureServer} that did not agree with an I/O thread about TLS. */
  tlsFailed: number;
  /** How often a server began to listen by Node.js, by reason. Reasons that have not occurred are left out. */
  fallback: Partial<Record<ServerFallbackReason, number>>;
}

/** Counters of a connection to Redis. */
export interface RedisStats {
  /** The state of the connection; `"connecting"` also after it was lost. */
  state: "connecting" | "ready" | "ended";
  /** Messages received. */
  received: number;
  /** Received broadcasts without recipients on this node. */
  filtered: number;
  /** Received broadcasts that this node has published itself. */
  own: number;
  /** Received broadcasts that went directly to the I/O threads. */
  delivered: number;
  /** Messages that JavaScript served: requests, responses, broadcasts to clients that it serves. */
  served: number;
  /** Messages dropped because they could not be decoded. */
  malformed: number;
  /** Messages that Redis has accepted. */
  published: number;
  /** Messages dropped because too much waited; see `maxPublishQueue`. */
  publishDropped: number;
  /** Messages that Redis refused, or may have missed because the connection was lost. */
  publishFailed: number;
  /** Bytes that wait to be published now. */
  queuedBytes: number;
  /** How often the connection was opened again. */
  reconnections: number;
}

/**
 * Returns the counters of this JavaScript environment (the main thread, or a worker thread), for all
 * its servers. Only reads them: cheap enough for every scrape.
 */
export declare function stats(): Stats;

/** Options of {@link drain}. */
export interface DrainOptions {
  /**
   * Milliseconds until all clients are closed: an integer from 0 to 2147483647. The last tenth, at most
   * a second, is left to the last clients for their answers. With 0, all are closed at once, and nothing
   * is waited for.
   */
  within: number;
  /**
   * Aborts the drain: no more clients are closed, handshakes are accepted again, and the promise is
   * rejected with the signal's reason.
   */
  signal?: AbortSignal;
}

/** The numbers of clients of a server that was drained. */
export interface DrainResult {
  /** Connections that have ended since the call, including those whose clients left on their own. */
  closed: number;
  /** Connections that were told to close, but had not ended in time. `io.close()` ends them. */
  left: number;
}

/**
 * Closes all clients of a server evenly over a time, in random order, and answers new handshakes with
 * 503 from the call on; for a deploy. Clients reconnect by themselves, to a process that accepts them.
 * Sessions are kept as `connectionStateRecovery` keeps them, packets that wait are sent first, and
 * until its turn comes, a client is served as always. Only clients of this process are closed. It works
 * on the official packages, too.
 *
 * Then call `io.close()`, which closes the HTTP server.
 *
 * @param io a server. If it is being drained or has been, its promise is returned again
 * @param options in which time
 * @returns resolved when all connections have ended, or after `within`; at once without clients
 * @throws {InvalidOptionError} if an option is invalid, or `io` not a server of Socket.IO
 *
 * @example
 * process.once("SIGTERM", async () => {
 *   const { closed, left } = await drain(io, { within: 20_000 });
 *   console.log(`${closed} clients closed, ${left} left`);
 *   await io.close();
 * });
 */
export declare function drain(
  io: Pick<Server, "engine">,
  options: DrainOptions,
): Promise<DrainResult>;

/** The methods of a `Registry` of prom-client, 14 or later, that {@link metrics} calls. */
export interface PrometheusRegister {
  /** Adds a metric. */
  // biome-ignore lint/suspicious/noExplicitAny: a type of prom-client
  registerMetric(metric: any): void;
  /** Returns a metric by its name. */
  getSingleMetric(name: string): unknown;
}

/**
 * Registers the counters of {@link stats} as metrics of Prometheus; each scrape reads them.
 * `docs/monitoring.md` lists them. May be called with several registers, and with one of them again.
 *
 * @param register a `Registry` of prom-client, for example its `register`
 * @throws {InvalidOptionError} if it is something else
 * @throws {Error} what prom-client throws if another metric has one of the names
 *
 * @example
 * import { register } from "prom-client";
 * turbo.metrics(register);
 */
export declare function metrics(register: PrometheusRegister): void;

/** The method of a `MeterProvider` of `@opentelemetry/api` that {@link openTelemetryMetrics} calls. */
export interface OpenTelemetryMeterProvider {
  /** Returns a meter. */
  getMeter(name: string, version?: string): unknown;
}

/**
 * Observes the counters of {@link stats} as metrics of OpenTelemetry, at each collection.
 * `docs/monitoring.md` lists them. A second call with the same provider changes nothing.
 *
 * @param meterProvider a `MeterProvider` of `@opentelemetry/api`
 * @returns a function that ends it
 * @throws {InvalidOptionError} if it is something else
 *
 * @example
 * import { metrics } from "@opentelemetry/api";
 * turbo.openTelemetryMetrics(metrics.getMeterProvider());
 */
export declare function openTelemetryMetrics(meterProvider: OpenTelemetryMeterProvider): () => void;

/**
 * True if the addon is loaded. If it is not, the official JavaScript packages are used, and a process
 * warning of code `TURBO_NOT_NATIVE` gives the reason.
 *
 * With `TURBO_NATIVE=0` in the environment, the addon is not loaded, and no warning is printed. With
 * `TURBO_NATIVE=require`, loading this package throws if the addon cannot be loaded.
 */
export declare const native: boolean;

/** Why the addon is not loaded, an error of code `TURBO_ERR_NOT_NATIVE`; `null` if it is. */
export declare const nativeError: Error | null;

/** The version of this package. */
export declare const version: string;

/**
 * A drop-in replacement for `socket.io-parser`, for servers (`new Server(http, { parser })`) and clients
 * (`io(url, { parser })`).
 */
export declare namespace parser {
  /** The version of the Socket.IO protocol: 5. */
  const protocol: number;

  /** Socket.IO v5, "Packet types". */
  enum PacketType {
    /** A client joins a namespace; the server confirms it. */
    CONNECT = 0,
    /** A client or the server leaves a namespace. */
    DISCONNECT = 1,
    /** An event: its name and its arguments. */
    EVENT = 2,
    /** The answer to an event that has an ack id. */
    ACK = 3,
    /** The server refuses a client that joins a namespace. */
    CONNECT_ERROR = 4,
    /** An event with attachments; only on the wire. */
    BINARY_EVENT = 5,
    /** An ack with attachments; only on the wire. */
    BINARY_ACK = 6,
  }

  /** A Socket.IO packet. */
  interface Packet {
    /** Decoded packets have the types 0 to 4, binary or not. */
    type: PacketType;
    /** The namespace. */
    nsp: string;
    /** The name and arguments of an event, the arguments of an ack, or the payload of CONNECT. */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    data?: any;
    /** The ack id. */
    id?: number;
    /** The number of attachments, until a binary packet is complete. */
    attachments?: number;
  }

  /** Encodes packets. Stateless; one instance serves a whole server. */
  class Encoder {
    /** @param replacer for `JSON.stringify` */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    constructor(replacer?: (this: any, key: string, value: any) => any);
    /**
     * Encodes a packet, without changing it.
     * @returns the text of the packet, followed by the binary values of `data`, which are not copied
     * @throws {TypeError} what `JSON.stringify` throws
     * @throws {RangeError} if `data` is cyclic or too deep
     */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    encode(packet: Packet): any[];
  }

  /** The second argument of `JSON.parse`. */
  // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
  type Reviver = (this: any, key: string, value: any) => any;

  /** Options of a {@link Decoder}. */
  interface DecoderOptions {
    /** For `JSON.parse`. */
    reviver?: Reviver;
    /**
     * The most binary attachments in one packet. For a packet with more, `add()` throws `too many
     * attachments`.
     * @default 10
     */
    maxAttachments?: number;
  }

  /** The events of a {@link Decoder}. */
  interface DecoderEvents {
    /** A packet is complete. Emitted synchronously within `add()`. */
    decoded: (packet: Packet) => void;
  }

  /** Decodes the packets of one connection. */
  class Decoder extends Emitter<DecoderEvents, DecoderEvents> {
    /** @param options or the `reviver` alone */
    constructor(options?: Reviver | DecoderOptions);
    /**
     * Decodes one message.
     * @param data a string, or an attachment: a Buffer, an ArrayBuffer or a view of one
     * @throws {Error} if the peer violated the protocol, with the texts of socket.io-parser:
     *   `invalid payload`, `unknown packet type 9`, `too many attachments` and so on
     */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    add(data: any): void;
    /** Drops a packet whose attachments have not all been received. */
    destroy(): void;
  }

  /** Returns whether a packet has a valid type, namespace, ack id and data. */
  function isPacketValid(packet: Packet): boolean;
}
