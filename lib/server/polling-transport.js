"use strict";

/**
 * The transport of a session whose client polls a worker, as programs and engine.io see it.
 *
 * The worker answers requests itself. This transport is for programs that look at it, for packets that
 * engine.io sends itself, and for requests that have come through Node.js because the worker leaves them to
 * it, such as a chunked payload.
 */

const BAD_REQUEST = 400;

/**
 * The property of transports that says whether a packet leaves at once. As with engine.io, it is true while a
 * poll is pending. What says whether packets are in flight is the connection's property of this name.
 */
const WRITABLE = {
  get() {
    const { connection } = this;
    if (this.isReady || connection.hasPoll) return connection.writable;
    // engine.io's `flush()` has asked, or will, when packets are not in flight any more.
    if (connection.writable && connection.engineSocket.writeBuffer.length > 0)
      connection.awaitPoll();
    return false;
  },
  set(isWritable) {
    this.connection.writable = isWritable;
  },
  enumerable: true,
  configurable: true,
};

/** Our classes by engine.io's class of long-polling. */
const classes = new WeakMap();

/**
 * Returns the transport of a session.
 *
 * @param {object} server of Engine.IO
 * @param {import("node:http").IncomingMessage} request the one that has opened the session
 * @param {import("./polling-connection.js").PollingConnection} connection
 */
function createPollingTransport(server, request, connection) {
  const { constructor: Polling } = server.createTransport("polling", request);
  if (!classes.has(Polling)) classes.set(Polling, pollingClass(Polling));
  const transport = new (classes.get(Polling))(request);
  transport.begin(connection);
  transport.maxHttpBufferSize = server.opts.maxHttpBufferSize;
  transport.httpCompression = server.opts.httpCompression;
  return transport;
}

/** Returns the class of our transports. @param {Function} Polling engine.io's */
function pollingClass(Polling) {
  return class PollingTransport extends Polling {
    /** @private for `createPollingTransport()` */
    begin(connection) {
      // A program that shows the transport has not asked for this.
      Object.defineProperty(this, "connection", { value: connection });
      // As transports of WebSockets have it: called when what was in flight before there was a transport is sent.
      Object.defineProperty(this, "_onSentLast", { value: (error) => this.handleSent(error) });
      Object.defineProperty(this, "writable", WRITABLE);
      // Set while the worker's report of a poll is handled.
      Object.defineProperty(this, "isReady", { value: false, writable: true });
      // Set while the packets of a payload are handled that came through Node.js.
      Object.defineProperty(this, "heldAnswer", { value: null, writable: true });
      super.on("headers", reportHeaders);
    }

    on(event, listener) {
      if (event === "headers") this.connection.passRequests();
      return super.on(event, listener);
    }

    addListener(event, listener) {
      if (event === "headers") this.connection.passRequests();
      return super.addListener(event, listener);
    }

    prependListener(event, listener) {
      if (event === "headers") this.connection.passRequests();
      return super.prependListener(event, listener);
    }

    /** The object whose property `writable` says whether packets are in flight. @private for `PacedSocket` */
    get flight() {
      return this.connection;
    }

    /** Gives packets of engine.io to the worker, which has them wait for a poll. */
    send(packets) {
      const { connection } = this;
      this.writable = false;
      packets.forEach(({ type, data, options }, index) => {
        const isLast = index === packets.length - 1;
        const callback = isLast ? (error) => this.handleSent(error) : undefined;
        const compress = options?.compress !== false;
        this.parser.encodePacket({ type, data }, true, (encoded) => {
          connection.send(encoded, { compress }, callback);
        });
      });
    }

    /** A poll has taken the packets; or, if the session has a WebSocket by now, the network. @private */
    handleSent(error) {
      const { connection } = this;
      if (error || connection.engineSocket.readyState === "closed") return;
      if (!connection.isPolling) {
        connection.engineSocket.transport.emit("drain");
        return;
      }
      this.emit("drain");
      this.writable = true;
      if (this.writable) this.emit("ready");
    }

    /** A poll is pending that takes nothing. */
    handlePoll() {
      if (!this.flight.writable) return;
      this.isReady = true;
      try {
        this.emit("ready");
      } finally {
        this.isReady = false;
      }
    }

    /** Receives a message of the client. */
    handleMessage(message) {
      this.onPacket(this.parser.decodePacket(message));
    }

    /** True while the client sends a payload to the worker; `dataReq` has one that came through Node.js. */
    get isReceiving() {
      return this.connection.isReceiving;
    }

    // --- Requests that have come through Node.js

    onPollRequest(req, res) {
      if (this.req) {
        super.onPollRequest(req, res);
        return;
      }
      const { connection } = this;
      const handleClose = () => {
        connection.command("poll", false);
        this.onError("poll connection closed prematurely");
      };
      this.req = req;
      this.res = res;
      req.cleanup = () => {
        req.removeListener("close", handleClose);
        this.req = this.res = null;
      };
      req.on("close", handleClose);
      connection.command("poll", true);
    }

    /** Answers a poll. @param {string} payload what the worker has for it */
    handlePolled(payload) {
      if (!this.req) return;
      this.doWrite(payload, { compress: true }, () => this.req.cleanup());
    }

    /** Ends a poll that the worker refuses. */
    refusePoll() {
      const { req, res } = this;
      if (!req) return;
      req.cleanup();
      res.writeHead(BAD_REQUEST);
      res.end();
    }

    onDataRequest(req, res) {
      if (this.isReceiving || this.heldAnswer !== null) {
        this.onError("data request overlap from client");
        res.writeHead(BAD_REQUEST).end();
        return;
      }
      super.onDataRequest(req, res);
    }

    /** Gives a payload to the worker. engine.io answers when this returns: the answer is held back. */
    onData(payload) {
      const { connection, dataRes } = this;
      if (connection.endError !== null) return;
      const { end } = dataRes;
      dataRes.end = (...args) => {
        dataRes.end = end;
        this.heldAnswer = () => dataRes.end(...args);
      };
      connection.command("handlePayload", Buffer.from(payload));
    }

    /** Answers the payload that `onData()` has got. Returns false if there is none. */
    answerPayload() {
      const { heldAnswer } = this;
      this.heldAnswer = null;
      heldAnswer?.();
      return heldAnswer !== null;
    }

    // --- The end

    close(fn) {
      // A session whose client has gone before it was closed.
      if (this.readyState === "closing" && this.connection.engineSocket.readyState === "closed")
        this.connection.terminate();
      super.close(fn);
    }

    onClose() {
      this.readyState = "closed";
      this.emit("close");
    }

    doClose(fn) {
      const { connection } = this;
      this.dataReq?.destroy();
      if (this.discarded || connection.engineSocket.readyState === "closed") {
        // The end of the session, or of its polling: a pending poll gets the close packet.
        if (connection.isPolling) connection.terminate();
        this.answerPayload();
        fn();
        this.onClose();
        return;
      }
      this.shouldClose = fn;
      connection.closeWhenPolled();
    }

    /** The worker has ended the session. */
    handleEnd() {
      this.refusePoll();
      this.answerPayload();
      const { shouldClose } = this;
      this.shouldClose = null;
      shouldClose?.();
    }
  };
}

/** Does what engine.io does with the headers of each response. */
function reportHeaders(headers, request) {
  this.connection.engineSocket.server.emit("headers", headers, request);
}

module.exports = { createPollingTransport };
