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
   * Bytes. A client that does not read, and for which more than this waits, its last message
   * not counted, is cut off with an error of code `"TURBO_ERR_MAX_BACKPRESSURE"`; Socket.IO's
   * `disconnect` reason is then `"transport error"`, and its description has the error's text.
   * An integer of at least 1, or `Infinity`.
   * @default 67108864 (64 MiB)
   */
  maxBackpressure?: number;
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
 * is kept; every other option goes through, but for `cors`, which becomes a function with
 * the same result: that is where sockets that wait for their upgrade are guarded.
 *
 * @param options what `new Server()` takes, and ours; it is left as it is
 * @returns a new object, for `new Server()`; it has `adapter`, `parser` and `wsEngine`
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
  export {
    createAdapter,
    createEngine,
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
 *   `@socket.io/redis-adapter`, and override none of `addAll`, `del`, `_del`, `delAll`, `_encode`,
 *   `apply` and `computeExceptSids`
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
  /** TLS is terminated in Node.js. */
  | "tls"
  /** A Unix domain socket or a named pipe, or a stream that is no socket. */
  | "notTcp"
  /** The socket has been closed, or lives in another process. */
  | "noDescriptor"
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
  /** Each I/O thread. */
  workers: WorkerStats[];
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
