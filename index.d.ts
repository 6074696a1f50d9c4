import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { Emitter } from "@socket.io/component-emitter";
import type { Namespace, ServerOptions } from "socket.io";
import type { Adapter } from "socket.io-adapter";
import type { WebSocket, WebSocketServer as WsServer, ServerOptions as WsServerOptions } from "ws";

/**
 * Thrown where an option of ours is wrong, before anything else happens. Only a type: tell it
 * by its `code`.
 */
export interface InvalidOptionError extends TypeError {
  /** What tells it from other errors. */
  code: "TURBO_ERR_INVALID_OPTION";
  /**
   * The option's name; `"options"` where the whole is no object, `"base"` for that of
   * `createAdapter()`, `"the environment variable TURBO_NATIVE"` for that.
   */
  option: string;
}

/**
 * Given to the callback of a `send()` whose bytes did not go out, as the connection has ended.
 * Only a type: tell it by its `code`.
 */
export interface ConnectionEndedError extends Error {
  /**
   * The operating system's, such as `"ECONNRESET"`, or else `"TURBO_ERR_CONNECTION_ENDED"`.
   */
  code: string;
  /** How the connection ended. */
  reason: EndReason;
}

/** Options of our WebSocket engine. */
export interface EngineOptions {
  /**
   * I/O threads that the server's connections are spread over: an integer from 1 to 64.
   * Servers of one process share them.
   * @default 1 for up to 4 cores, then a quarter of them, at most 4
   */
  ioThreads?: number;
  /**
   * Bytes. While at most so many wait in front of the network, a `send()` calls back at the
   * end of the turn, as with ws where the kernel takes all at once, and the client counts as
   * writable; else when the kernel has its bytes. 0: always then. An integer of at least 0.
   * @default 65536 (64 KiB)
   */
  highWaterMark?: number;
  /**
   * Bytes. A client for which more than this waits for `backpressureTimeout` without a break, its
   * last message not counted, is cut off with an error of code `"TURBO_ERR_MAX_BACKPRESSURE"`;
   * Socket.IO's `disconnect` reason is then `"transport error"`, and its description has the
   * error's text. An integer of at least 1, or `Infinity`.
   * @default 67108864 (64 MiB)
   */
  maxBackpressure?: number;
  /**
   * Milliseconds in which a client for which more than `maxBackpressure` waits must catch up; 0: it
   * is cut off at once. An integer from 0 to 2147483647.
   * @default 5000
   */
  backpressureTimeout?: number;
}

/** Options of `turbo()` that Socket.IO does not have. */
export interface TurboOptions extends EngineOptions {
  /**
   * Binary attachments that one packet may have: an integer of at least 1. Not
   * together with a `parser` of one's own, which has a limit of its own.
   * @default 10
   */
  maxAttachments?: number;
}

/**
 * Socket.IO server options with our parts filled in. A part named by the caller
 * is kept; every other option goes through. A name that is nearly one of ours prints a process
 * warning of code `TURBO_UNKNOWN_OPTION`.
 *
 * @param options what `new Server()` takes, and ours; it is left as it is
 * @returns a new object, for `new Server()`; it has `adapter`, `parser` and `wsEngine`. Given to
 *   `attach()` or `listen()` alone it prints a process warning of code `TURBO_NOT_IN_USE`, as
 *   Socket.IO takes the adapter and the parser in its constructor only
 * @throws {InvalidOptionError} where an option of ours is wrong, or beside a part that it does
 *   not concern: `maxAttachments` beside a `parser`, those of the engine beside a `wsEngine`
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

/** The named exports are properties of `turbo` too. */
export declare namespace turbo {
  /** With `wsEngine` and `parser`, what `turbo()` returns: `new Server(http, turbo)` works, too. */
  export const adapter: unknown;
  /** See `adapter`. */
  export const wsEngine: unknown;

  export {
    createAdapter,
    createEngine,
    createRedisAdapter,
    native,
    nativeError,
    parser,
    stats,
    version,
    WebSocketServer,
  };
}

export default turbo;

/**
 * A factory for Socket.IO's option `adapter`, or for `io.adapter()`; `turbo()` fills it in.
 * With our `wsEngine` a broadcast is one call into Rust, whatever the number of recipients; with
 * another it is what it always was.
 *
 * Without `base`, the adapter is that of socket.io-adapter 2.5, session-aware where
 * `connectionStateRecovery` is on, with its methods, events and properties. With `base`, it is
 * what that makes, with another way from a broadcast to the sockets of this process; whatever comes
 * from other processes is fanned out so, too. Packets to be acknowledged go to each socket by itself
 * then.
 *
 * What it returns is called by Socket.IO, with `new` or without, for each namespace. It is no
 * class to extend: doing so throws a `TypeError` at the first namespace.
 *
 * @param base a factory or a class of adapters that extend socket.io-adapter's 2.5, such as those of
 *   `@socket.io/redis-adapter`, and override none of `_encode`, `apply` and `computeExceptSids`
 * @returns a factory; without the addon, of the official adapters, or `base`'s
 * @throws {InvalidOptionError} where `base` is no function; and from what is returned, where it
 *   makes no such adapter
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

/** A parser of messages between nodes, in the place of notepack.io. */
export interface MessageParser {
  /** A message of a value. */
  encode(value: unknown): Buffer;
  /** The value of a message; throws where it is none. */
  decode(message: Buffer): unknown;
}

/** Options of `createRedisAdapter()`: either `url`, or `pubClient` and `subClient`. */
export interface RedisAdapterOptions {
  /**
   * Where Redis is: `redis://[[user]:password@]host[:port][/db]`, `rediss://` for TLS, or
   * `redis+unix:///path`. Several where they are those of Sentinels or of a Redis Cluster. Redis 6
   * or later: the connection speaks RESP3.
   */
  url?: string | readonly string[];
  /**
   * A connected client of `redis` 4 or 5 or of `ioredis` 5, in the place of `url`. JavaScript then
   * passes on what comes, and Rust does the rest. You close it.
   */
  pubClient?: object;
  /** Another, which is used for nothing else. */
  subClient?: object;
  /**
   * Whether the URLs are those of some servers of a Redis Cluster. User and password are the first's.
   *
   * @default false
   */
  cluster?: boolean;
  /**
   * The URLs are those of Sentinels, which know the master of this name. User and password here are
   * those of the Redis servers, and those in the URLs are the Sentinels'.
   */
  sentinel?: { name: string; username?: string; password?: string };
  /**
   * For `rediss://`, as PEM: who may have signed the server's certificate, by default those on
   * Mozilla's list; our own certificate and its key.
   */
  tls?: { ca?: string | Buffer; cert?: string | Buffer; key?: string | Buffer };
  /**
   * What the names of all channels begin with.
   *
   * @default "socket.io"
   */
  key?: string;
  /**
   * Milliseconds until a request to other nodes fails.
   *
   * @default 5000
   */
  requestsTimeout?: number;
  /**
   * Whether responses go to the node that has asked alone. All nodes of a cluster have to agree.
   *
   * @default false
   */
  publishOnSpecificResponseChannel?: boolean;
  /** A parser of messages of one's own; then JavaScript reads them all. All nodes have to agree. */
  parser?: MessageParser;
  /**
   * Whether to speak the protocol of the official `createShardedAdapter()`, for Redis 7: in a Redis
   * Cluster, messages then stay on the servers that they concern. All nodes have to agree.
   *
   * @default false
   */
  sharded?: boolean;
  /**
   * With `"pattern"`, the default, Redis sends each broadcast to each node, as with the official
   * adapter. With `"dynamic"` a node subscribes to the rooms in which it has somebody, each socket's
   * own among them: for clusters where most broadcasts concern few nodes. Nodes of both kinds
   * understand each other. What is sent to a room before Redis has subscribed for its first member
   * on a node, a round trip after it joined, does not come there.
   *
   * With `sharded`, as the official adapter has them: `"dynamic"`, the default, `"static"` and
   * `"dynamic-private"`. All nodes have to agree.
   */
  subscriptionMode?: "pattern" | "dynamic" | "static" | "dynamic-private";
  /**
   * Bytes that may wait to be published. What does not fit is dropped, and counted by
   * `stats().redis`.
   *
   * @default 67108864
   */
  maxPublishQueue?: number;
}

/**
 * What has gone wrong with Redis. Only a type: tell it by its `code`.
 */
export interface RedisError extends Error {
  /** What tells it from other errors. */
  code: "TURBO_ERR_REDIS";
}

/** What `createRedisAdapter()` returns: a factory of adapters, and what tells of their connection. */
export interface RedisAdapterFactory {
  /** Called by Socket.IO, with `new` or without, for each namespace. */
  (nsp: Namespace): Adapter;
  /** There is a connection to Redis, and all that comes from other nodes is heard. */
  on(event: "ready", listener: () => void): this;
  /** The connection was lost, and another is being made. */
  on(event: "reconnecting", listener: () => void): this;
  /**
   * The connection was lost, could not be made, or Redis has refused something. Without a listener
   * the first error of each outage is printed as a process warning.
   */
  on(event: "error", listener: (error: RedisError) => void): this;
  /** The last adapter has been closed, and the connection, too. */
  on(event: "end", listener: () => void): this;
  /** As `on()`, for one event. */
  once: RedisAdapterFactory["on"];
  /** Ends what `on()` began. */
  off(event: string, listener: (...args: never[]) => void): this;
}

/**
 * A factory for Socket.IO's option `adapter`: a cluster of servers over Redis. It speaks the
 * protocol of `@socket.io/redis-adapter` 8, in whose clusters it takes part, and of
 * `@socket.io/redis-emitter` 5. A thread of its own keeps the connection. A broadcast of another node
 * goes from there to the I/O threads: JavaScript sees it only where a recipient is a client that
 * JavaScript serves, such as one by long-polling.
 *
 * The connection is made with the first adapter, and ends with the last: `await io.close()`.
 *
 * @param options where Redis is, and how to use it
 * @throws {InvalidOptionError} where an option is wrong; and from `new Server()`, where
 *   `connectionStateRecovery` is on: what is published is not kept
 *
 * @example
 * const adapter = createRedisAdapter({ url: "redis://localhost:6379" });
 * adapter.on("error", (error) => console.error(error.message));
 * const io = new Server(httpServer, turbo({ adapter }));
 */
export declare function createRedisAdapter(options: RedisAdapterOptions): RedisAdapterFactory;

/**
 * A constructor for Socket.IO's and engine.io's option `wsEngine`. `turbo()` fills it in;
 * this is for servers that want the engine without the rest. Text messages are strings.
 *
 * @param options those of ours; engine.io adds its own when it constructs the server
 * @throws {InvalidOptionError} where an option is wrong
 *
 * @example
 * const io = new Server(httpServer, { wsEngine: createEngine({ maxBackpressure: 1e6 }) });
 */
export declare function createEngine(options?: EngineOptions): typeof WebSocketServer;

/**
 * Options of a {@link WebSocketServer}: those of ws, and ours. `perMessageDeflate`,
 * `skipUTF8Validation`, `allowSynchronousEvents: false` and `WebSocket` leave connections to ws;
 * see {@link FallbackReason}.
 */
export interface WebSocketServerOptions extends WsServerOptions, EngineOptions {
  /**
   * What a text message is in the `message` event: a Buffer, as with ws, or a string, which
   * costs less. On connections that are left to ws too.
   * @default "buffer"
   */
  textType?: "buffer" | "string";
}

/**
 * The `WebSocketServer` of ws 8.23, whose connections live on I/O threads: sockets are
 * read and written, frames decoded, checked and encoded there. Connections for which that
 * is not possible are left to ws; `stats()` counts them, and a warning of code
 * `TURBO_FALLBACK` says why.
 *
 * Its events, methods and properties are those of ws, and so are those of the `WebSocket`s that
 * it gives. A WebSocket's `error` event has ws's codes (`WS_ERR_…`), and
 * `TURBO_ERR_NON_MINIMAL_LENGTH` and `TURBO_ERR_MAX_BACKPRESSURE`.
 */
export declare class WebSocketServer extends WsServer {
  /**
   * @param options exactly one of `port`, `server` and `noServer` has to be given
   * @param callback called when the server that listens on `port` does so
   * @throws {InvalidOptionError} where an option of ours is wrong
   * @throws {TypeError} what ws throws for its own
   */
  constructor(options?: WebSocketServerOptions, callback?: () => void);
  /**
   * As in ws: does the handshake for an upgrade request, or refuses it.
   *
   * @param request the HTTP request
   * @param socket the connection on which it came
   * @param head what has been read of the connection behind the request
   * @param callback gets the WebSocket when the handshake is done
   * @throws {Error} if it was called before with the same socket
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
  /** Neither Linux nor macOS. */
  | "platform"
  /** The runtime has a ws of its own in the place of the package, as Bun has. */
  | "otherWs"
  /** TLS is terminated in Node.js. */
  | "tls"
  /** A Unix domain socket or a named pipe, or a stream that is no socket. */
  | "notTcp"
  /** The socket has been closed, or lives in another process. */
  | "noDescriptor"
  /** The runtime does not give the descriptors of its sockets, as Deno does not. */
  | "hiddenDescriptor"
  /** The response to the upgrade could not be written at once. */
  | "pendingWrite"
  /** `perMessageDeflate` is enabled, and the client supports it. */
  | "compressed"
  /** ws's option `skipUTF8Validation` is set. */
  | "skipUTF8Validation"
  /** ws's option `allowSynchronousEvents` is off. */
  | "allowSynchronousEvents"
  /** ws's option `WebSocket` names a class of its own. */
  | "customClass"
  /** Descriptors or threads have run out. */
  | "resources";

/** How a connection ended. */
export type EndReason =
  /** By the closing handshake. */
  | "closed"
  /** The peer ended its side without a close frame. */
  | "peerEnded"
  /** The peer broke the protocol or a limit such as `maxPayload`. */
  | "protocolError"
  /** The peer did not answer the close frame in time. */
  | "closeTimeout"
  /** The peer did not read; see `maxBackpressure`. */
  | "maxBackpressure"
  /** The peer sent pings and did not read the pongs; see ws's `maxPendingAutoPongs`. */
  | "tooManyPings"
  /** `terminate()`, or its socket was destroyed. */
  | "terminated"
  /** The operating system reported an error, such as a reset by the peer. */
  | "ioError";

/**
 * What one I/O thread has done, or all of them: numbers that only grow, from the first connection
 * on, but for `queuedBytes`. Connections that are left to ws are not in them.
 */
export interface Counters {
  /** Messages received. */
  messagesIn: number;
  /** Frames given to the network's queues; close frames and automatic pongs not counted. */
  framesOut: number;
  /** Bytes read from connections after the upgrade. */
  bytesIn: number;
  /** Bytes that the operating system has taken. */
  bytesOut: number;
  /** Bytes that wait for their connections now. */
  queuedBytes: number;
  /** System calls that read something, the end of a connection included. */
  reads: number;
  /** System calls that wrote something. */
  writes: number;
  /** Broadcasts, one for each thread that took part. */
  broadcasts: number;
  /** Volatile packets that were dropped, as something waited: one for each connection. */
  volatileDropped: number;
  /** Batches of commands that came from JavaScript. */
  wakes: number;
  /** How often JavaScript was told that something has come. */
  notifications: number;
  /** How often reading stopped because JavaScript was behind by 4 MiB. */
  stalls: number;
}

/** What one I/O thread has done. */
export interface WorkerStats extends Counters {
  /** Connections that it owns now. */
  connections: number;
  /** Connections that it has owned. */
  opened: number;
  /** How many of them have ended, by reason; reasons that have not occurred are left out. */
  ended: Partial<Record<EndReason, number>>;
}

/** See {@link stats}. */
export interface Stats extends Counters {
  /** Connections, by who serves them and how they ended. */
  connections: {
    /** Connections on I/O threads now. */
    native: number;
    /** Connections that have been taken over by I/O threads. */
    opened: number;
    /** Connections that have been left to ws, by reason; others are left out. */
    fallback: Partial<Record<FallbackReason, number>>;
    /** Connections on I/O threads that have ended, by reason; others are left out. */
    ended: Partial<Record<EndReason, number>>;
  };
  /** The connections of `createRedisAdapter()` that have not ended. */
  redis: RedisStats[];
  /** Each I/O thread. */
  workers: WorkerStats[];
}

/** What a connection to Redis has done. */
export interface RedisStats {
  /** Whether it is there, is being made, or is over. */
  state: "connecting" | "ready" | "ended";
  /** Messages that have come. */
  received: number;
  /** Broadcasts for nobody on this node. */
  filtered: number;
  /** Broadcasts that this node has published itself. */
  own: number;
  /** Broadcasts that went to the I/O threads without JavaScript. */
  delivered: number;
  /** Messages that JavaScript served: requests, responses, broadcasts to clients that it serves. */
  served: number;
  /** Messages that are none, and were dropped. */
  malformed: number;
  /** Messages that Redis has taken. */
  published: number;
  /** Messages that were dropped, as too much waited: see `maxPublishQueue`. */
  publishDropped: number;
  /** Messages that Redis has refused, or of which it is not known, as the connection was lost. */
  publishFailed: number;
  /** Bytes that wait for Redis. */
  queuedBytes: number;
  /** How often the connection was made again. */
  reconnections: number;
}

/**
 * What the engine has done in this JavaScript environment (the main thread, or a worker
 * thread), over all its servers. Reads some counters: cheap enough for every scrape.
 */
export declare function stats(): Stats;

/**
 * Whether the addon is loaded. If not, the official JavaScript packages do the work, and a
 * process warning of code `TURBO_NOT_NATIVE` says why.
 *
 * The environment variable `TURBO_NATIVE` decides: `0` leaves the addon out, without a warning;
 * `require` makes loading this package throw instead of falling back.
 */
export declare const native: boolean;

/** Why the addon is not loaded, with the `code` `TURBO_ERR_NOT_NATIVE`; `null` if it is. */
export declare const nativeError: Error | null;

/** The version of this package. */
export declare const version: string;

/**
 * A drop-in for `socket.io-parser`, for servers (`new Server(http, { parser })`)
 * and for clients (`io(url, { parser })`).
 */
export declare namespace parser {
  /** The version of the Socket.IO protocol: 5. */
  const protocol: number;

  /** Socket.IO v5, "Packet types". */
  enum PacketType {
    /** A client joins a namespace, or is told that it has. */
    CONNECT = 0,
    /** A client or the server leaves a namespace. */
    DISCONNECT = 1,
    /** An event: its name and its arguments. */
    EVENT = 2,
    /** The answer to an event that has an ack id. */
    ACK = 3,
    /** A client may not join a namespace. */
    CONNECT_ERROR = 4,
    /** An event with attachments; only on the wire. */
    BINARY_EVENT = 5,
    /** An ack with attachments; only on the wire. */
    BINARY_ACK = 6,
  }

  /** What travels between a client and a server. */
  interface Packet {
    /** Decoded packets are of the types 0 to 4, whether binary or not. */
    type: PacketType;
    /** The namespace. */
    nsp: string;
    /** An event's name and arguments, an ack's arguments, or what CONNECT carries. */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    data?: any;
    /** The ack id. */
    id?: number;
    /** The number of attachments; only in a binary packet that is not decoded yet. */
    attachments?: number;
  }

  /** Encodes packets. Stateless; one instance serves a whole server. */
  class Encoder {
    /** @param replacer for `JSON.stringify` */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    constructor(replacer?: (this: any, key: string, value: any) => any);
    /**
     * The text of a packet, followed by its attachments. Leaves `packet` as it is.
     * @returns a string, then what was binary in `data`, as it is
     * @throws {TypeError} what `JSON.stringify` throws
     * @throws {RangeError} where `data` is cyclic or too deep
     */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    encode(packet: Packet): any[];
  }

  /** What `JSON.parse` takes as its second argument. */
  // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
  type Reviver = (this: any, key: string, value: any) => any;

  /** Options of a {@link Decoder}. */
  interface DecoderOptions {
    /** For `JSON.parse`. */
    reviver?: Reviver;
    /**
     * Binary attachments that one packet may have: a number. A packet that announces more is
     * refused with `too many attachments`.
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
    /** @param options or a function, which is the `reviver` */
    constructor(options?: Reviver | DecoderOptions);
    /**
     * Takes one message: a string, or an attachment.
     * @param data a string, a Buffer, an ArrayBuffer or a view of one
     * @throws {Error} where the peer broke the protocol, with the texts of socket.io-parser:
     *   `invalid payload`, `unknown packet type 9`, `too many attachments` and so on
     */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    add(data: any): void;
    /** Forgets a packet whose attachments have not all come. */
    destroy(): void;
  }

  /** Whether a packet could have been decoded from the wire. */
  function isPacketValid(packet: Packet): boolean;
}
