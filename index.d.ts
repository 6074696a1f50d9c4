import { Emitter } from "@socket.io/component-emitter";
import type { ServerOptions } from "socket.io";

/** Options of `turbo()` that Socket.IO does not have. */
export interface TurboOptions {
  /**
   * Binary attachments that one packet may have: an integer of at least 1. Not
   * together with a `parser` of one's own, which has a limit of its own.
   * @default 10
   */
  maxAttachments?: number;
}

/**
 * Socket.IO server options with our parts filled in. A part named by the caller
 * is kept; every other option goes through untouched.
 *
 * @throws {TypeError} with `code` `"TURBO_ERR_INVALID_OPTION"` and the name in
 *   `option`, where an option of ours is wrong
 *
 * @example
 * const io = new Server(httpServer, turbo({ cors: { origin: "*" } }));
 */
export declare function turbo(
  options?: Partial<ServerOptions> & TurboOptions,
): Partial<ServerOptions> & { parser: unknown };

export declare namespace turbo {
  export { native, nativeError, parser, version };
}

export default turbo;

/** Whether the addon is loaded. If not, the official JavaScript packages do the work. */
export declare const native: boolean;

/** Why the addon is not loaded; `null` if it is. */
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
    CONNECT = 0,
    DISCONNECT = 1,
    EVENT = 2,
    ACK = 3,
    CONNECT_ERROR = 4,
    BINARY_EVENT = 5,
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
     * @throws {TypeError} what `JSON.stringify` throws
     * @throws {RangeError} where `data` is cyclic or too deep
     */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    encode(packet: Packet): any[];
  }

  // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
  type Reviver = (this: any, key: string, value: any) => any;

  /** Options of a {@link Decoder}. */
  interface DecoderOptions {
    /** For `JSON.parse`. */
    reviver?: Reviver;
    /**
     * Binary attachments that one packet may have.
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
    constructor(options?: Reviver | DecoderOptions);
    /**
     * Takes one message: a string, or an attachment.
     * @throws {Error} where the peer broke the protocol
     */
    // biome-ignore lint/suspicious/noExplicitAny: as in socket.io-parser
    add(data: any): void;
    /** Forgets a packet whose attachments have not all come. */
    destroy(): void;
  }

  /** Whether a packet could have been decoded from the wire. */
  function isPacketValid(packet: Packet): boolean;
}
