"use strict";

/** HTTPS connections that reach Node.js: the same with `createSecureServer()` as with `https.createServer()`. */

const assert = require("node:assert/strict");
const { X509Certificate, createPrivateKey } = require("node:crypto");
const { once } = require("node:events");
const https = require("node:https");
const net = require("node:net");
const { after, describe, test } = require("node:test");
const tls = require("node:tls");
const { WebSocket, WebSocketServer } = require("ws");
const { createSecureServer, stats } = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { createCertificates, skipWithoutOpenssl } = require("../support/certificates.js");
const { addClient, connect, kinds, ours, request, start, stock } =
  require("../support/https-servers.js");

const skip = skipWithoutOpenssl;

/** More than buffers on the way hold. */
const MUCH = 8 * 1024 * 1024;

const { forClient, forServer } = skip ? {} : createCertificates(after);

const fingerprintOf = (pem) => new X509Certificate(pem).fingerprint256;

/** Starts a server of a kind with the certificate for servers. */
function startServer(t, kind, listener, options) {
  return start(t, kind, { ...forServer, ...options }, listener);
}

/** Answers with the body of the request. */
const echo = (request, response) => request.pipe(response);

/** Returns what a program sees of TLS, without what differs from connection to connection. */
function factsOf(socket) {
  const { encrypted, authorized, authorizationError, servername, alpnProtocol } = socket;
  return {
    encrypted,
    authorized,
    authorizationError,
    servername,
    alpnProtocol,
    isTlsSocket: socket instanceof tls.TLSSocket,
    secureConnecting: socket.secureConnecting,
    remote: [socket.remoteAddress, socket.remoteFamily, typeof socket.remotePort],
    local: [socket.localAddress, socket.localFamily],
    address: socket.address().address,
    protocol: socket.getProtocol(),
    cipher: socket.getCipher(),
    isSessionReused: socket.isSessionReused(),
    peer: socket.getPeerCertificate(),
    peerX509: socket.getPeerX509Certificate()?.fingerprint256,
    own: socket.getCertificate(),
    ownX509: socket.getX509Certificate().fingerprint256,
    ephemeral: socket.getEphemeralKeyInfo(),
    hasRead: socket.bytesRead > 0,
    isWritable: socket.writable,
    connecting: socket.connecting,
    readyState: socket.readyState,
  };
}

/** Connects to a server without TLS. */
function connectPlainly(server) {
  const socket = net.connect(server.address().port, "127.0.0.1");
  return addClient(server, socket).on("error", () => {});
}

/** Returns the facts that servers of a kind see of a client. */
async function factsFor(t, kind, serverOptions, clientOptions) {
  let facts;
  const listener = ({ socket }, response) => {
    facts = factsOf(socket);
    response.end();
  };
  const server = await startServer(t, kind, listener, serverOptions);
  await request(server, clientOptions);
  return facts;
}

for (const kind of kinds) {
  describe(`HTTPS by ${kind.name}`, { skip, timeout: 30_000 }, () => {
    test("carries bodies in both directions", async (t) => {
      const server = await startServer(t, kind, echo);
      assert.ok(server instanceof https.Server && server instanceof tls.Server);
      const body = Buffer.alloc(MUCH, "0123456789abcdef-").toString("latin1");
      const answer = await request(server, { method: "POST", body });
      assert.equal(answer.status, 200);
      assert.ok(answer.body === body);
    });

    test("serves several requests on a connection", async (t) => {
      const sockets = new Set();
      const server = await startServer(t, kind, (request, response) => {
        sockets.add(request.socket);
        response.end(request.url);
      });
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      t.after(() => agent.destroy());
      for (const path of ["/1", "/2", "/3"]) {
        assert.equal((await request(server, { agent, path })).body, path);
      }
      assert.equal(sockets.size, 1);
    });

    test("serves requests that are sent ahead of answers", async (t) => {
      const server = await startServer(t, kind, (request, response) =>
        response.end(`<${request.url}>`),
      );
      const client = await connect(server);
      const heads = ["/1", "/2", "/3"].map((url) => `GET ${url} HTTP/1.1\r\nHost: me\r\n\r\n`);
      client.write(heads.join(""));
      const received = await client.until((text) => text.includes("</3>"));
      assert.deepEqual(received.match(/<.*>/g), ["</1>", "</2>", "</3>"]);
    });

    test("does not read what the program does not", async (t) => {
      const server = await startServer(t, kind, (request) => request.pause());
      const client = await connect(server);
      client.write(`POST / HTTP/1.1\r\nHost: me\r\nContent-Length: ${16 * MUCH}\r\n\r\n`);
      const [{ socket }] = await once(server, "request");
      const chunk = "x".repeat(65_536);
      let sent = 0;
      // Buffers on the way are full when so much waits here.
      while (sent < 16 * MUCH && client.socket.writableLength < MUCH) {
        client.write(chunk);
        sent += chunk.length;
        await new Promise(setImmediate);
      }
      assert.ok(sent < 16 * MUCH);
      assert.ok(socket.bytesRead < sent);
    });

    test("ends a response when the connection does", async (t) => {
      const server = await startServer(t, kind, (request, response) => {
        request.socket.setTimeout(1, () => request.socket.destroy());
        response.write("begun");
      });
      const client = await connect(server);
      client.write("GET / HTTP/1.1\r\nHost: me\r\n\r\n");
      assert.match(await client.ended(), /begun/);
    });

    test("sends all of a response before the connection ends", async (t) => {
      const server = await startServer(t, kind, (_request, response) => {
        response.end(Buffer.alloc(MUCH, "x"));
      });
      const client = await connect(server);
      client.write("GET / HTTP/1.1\r\nHost: me\r\nConnection: close\r\n\r\n");
      const received = await client.ended();
      assert.equal(received.length - received.indexOf("\r\n\r\n") - 4, MUCH);
    });

    test("tells a request that its client has gone", async (t) => {
      const server = await startServer(t, kind);
      const client = await connect(server);
      client.write("POST / HTTP/1.1\r\nHost: me\r\nContent-Length: 9\r\n\r\nsome");
      const [incoming] = await once(server, "request");
      incoming.on("data", () => {});
      client.socket.destroy();
      const [error] = await once(incoming, "error");
      assert.equal(error.code, "ECONNRESET");
    });

    test("serves the WebSockets of another server", async (t) => {
      const server = await startServer(t, kind);
      const webSocketServer = new WebSocketServer({ noServer: true });
      server.on("upgrade", (request, socket, head) => {
        if (request.url !== "/other") return;
        webSocketServer.handleUpgrade(request, socket, head, (websocket) => {
          websocket.on("message", (data) => websocket.send(data));
        });
      });
      const url = `wss://127.0.0.1:${server.address().port}/other`;
      const client = new WebSocket(url, { rejectUnauthorized: false });
      await once(client, "open");
      const data = Buffer.alloc(MUCH, 7);
      client.send(data);
      const [received] = await once(client, "message");
      client.terminate();
      assert.ok(received.equals(data));
    });

    test("closes idle connections, then the server", async (t) => {
      const server = await startServer(t, kind, (_request, response) => response.end("answer"));
      const client = await connect(server);
      client.write("GET / HTTP/1.1\r\nHost: me\r\n\r\n");
      await client.until((text) => text.endsWith("answer"));
      await new Promise((resolve) => server.close(resolve));
      assert.match(await client.ended(), /answer$/);
    });

    test("closes all connections", async (t) => {
      const server = await startServer(t, kind);
      const client = await connect(server);
      client.write("GET / HTTP/1.1\r\nHost: me\r\n\r\n");
      await once(server, "request");
      server.closeAllConnections();
      await client.ended();
      await new Promise((resolve) => server.close(resolve));
    });

    test("chooses a certificate by name", async (t) => {
      const server = await startServer(t, kind);
      server.addContext("*.example", forClient);
      server.addContext("first.example", forServer);
      server.addContext("*.first.example", forClient);
      const certificates = {
        server: fingerprintOf(forServer.cert),
        client: fingerprintOf(forClient.cert),
      };
      for (const [servername, expected] of [
        ["first.example", "server"],
        ["other.example", "client"],
        ["a.b.example", "server"],
        ["a.first.example", "client"],
        ["", "server"],
      ]) {
        const { socket } = await connect(server, { servername });
        assert.equal(
          socket.getPeerX509Certificate().fingerprint256,
          certificates[expected],
          servername,
        );
      }
    });

    test("renews its certificate, and keeps connections", async (t) => {
      const server = await startServer(t, kind, (_request, response) => response.end("answer"));
      const before = await connect(server);
      server.setSecureContext(forClient);
      const certificate = async () => {
        const { socket } = await connect(server);
        return socket.getPeerX509Certificate().fingerprint256;
      };
      // I/O threads learn of it at the end of the turn, as of everything.
      while ((await certificate()) !== fingerprintOf(forClient.cert));
      before.write("GET / HTTP/1.1\r\nHost: me\r\n\r\n");
      assert.match(await before.until((text) => text.endsWith("answer")), /200 OK/);
    });

    for (const version of ["TLSv1.2", "TLSv1.3"]) {
      test(`resumes sessions of ${version}`, async (t) => {
        const reused = [];
        const server = await startServer(
          t,
          kind,
          ({ socket }, response) => {
            reused.push(socket.isSessionReused());
            response.end("answer");
          },
          { maxVersion: version },
        );
        const visit = async (session) => {
          const client = await connect(server, { session });
          const sessions = [];
          client.socket.on("session", (each) => sessions.push(each));
          client.write("GET / HTTP/1.1\r\nHost: me\r\n\r\n");
          await client.until((text) => text.endsWith("answer"));
          assert.equal(client.socket.getProtocol(), version);
          return sessions.at(-1) ?? client.socket.getSession();
        };
        await visit(await visit());
        assert.deepEqual(reused, [false, true]);
      });
    }

    test("reports clients that do not speak TLS", async (t) => {
      const server = await startServer(t, kind);
      const socket = connectPlainly(server);
      socket.write("this is not TLS at all\r\n");
      const [error, conn] = await once(server, "tlsClientError");
      assert.match(error.code, /^ERR_SSL_/);
      assert.ok(conn instanceof tls.TLSSocket);
      socket.resume();
      if (!socket.closed) await once(socket, "close");
    });

    test("reports clients that leave during the handshake", async (t) => {
      const server = await startServer(t, kind);
      const socket = connectPlainly(server);
      await once(socket, "connect");
      socket.end(Buffer.from([0x16, 3, 1]));
      const [error] = await once(server, "tlsClientError");
      assert.equal(error.code, "ECONNRESET");
    });

    test("ends connections whose handshake takes too long", async (t) => {
      const server = await startServer(t, kind, undefined, { handshakeTimeout: 50 });
      const socket = connectPlainly(server);
      const [error, conn] = await once(server, "clientError");
      assert.equal(error.code, "ERR_TLS_HANDSHAKE_TIMEOUT");
      conn.destroy();
      socket.resume();
      if (!socket.closed) await once(socket, "close");
    });

    test("accepts keys in all forms", async (t) => {
      const key = createPrivateKey(forServer.key);
      const passphrase = "secret";
      const form = (options) => key.export({ format: "pem", ...options });
      const encrypted = form({ type: "pkcs8", cipher: "aes-256-cbc", passphrase });
      for (const [name, options] of Object.entries({
        sec1: { key: form({ type: "sec1" }), cert: forServer.cert },
        encrypted: { key: encrypted, cert: forServer.cert, passphrase },
        buffers: { key: Buffer.from(forServer.key), cert: Buffer.from(forServer.cert) },
        lists: { key: [forServer.key], cert: [forServer.cert] },
        objects: { key: [{ pem: encrypted, passphrase }], cert: [forServer.cert] },
      })) {
        const server = await startServer(t, kind, (_request, response) => response.end(name), {
          passphrase: undefined,
          ...options,
        });
        assert.equal((await request(server)).body, name);
      }
    });

    test("has the errors of Node.js for keys and certificates", () => {
      const { createServer } = kind;
      assert.throws(() => createServer({ key: "no key", cert: forServer.cert }), /PEM|DECODER/);
      assert.throws(() => createServer({ key: forClient.key, cert: forServer.cert }), {
        code: "ERR_OSSL_X509_KEY_VALUES_MISMATCH",
      });
    });
  });
}

describe("a server of createSecureServer()", { skip: skip || !hasEngine, timeout: 30_000 }, () => {
  const cases = {
    "any client": [{}, {}],
    "a client with a name": [{}, { servername: "some.example" }],
    "a client of TLS 1.2": [{ maxVersion: "TLSv1.2" }, { servername: "localhost" }],
    "a client with ALPN": [{}, { ALPNProtocols: ["http/1.1"] }],
    "a client with a certificate": [{ requestCert: true, ca: forClient?.ca }, forClient],
    "a client without a certificate": [{ requestCert: true, rejectUnauthorized: false }, {}],
    "a client with a certificate of a stranger": [
      { requestCert: true, rejectUnauthorized: false },
      forClient,
    ],
    "a client with a certificate and TLS 1.2": [
      { requestCert: true, ca: forClient?.ca, maxVersion: "TLSv1.2" },
      forClient,
    ],
  };
  for (const [name, [serverOptions, clientOptions]] of Object.entries(cases)) {
    test(`tells of ${name} what https.createServer() tells`, async (t) => {
      const expected = await factsFor(t, stock, serverOptions, clientOptions);
      const facts = await factsFor(t, ours, serverOptions, clientOptions);
      assert.deepEqual(facts, expected);
    });
  }

  test("tells the issuers of a client's certificate", async (t) => {
    const details = [];
    for (const kind of [stock, ours]) {
      const listener = ({ socket }, response) => {
        details.push(socket.getPeerCertificate(true));
        response.end();
      };
      const server = await startServer(t, kind, listener, { requestCert: true, ca: forClient.ca });
      await request(server, forClient);
    }
    assert.deepEqual(details[1], details[0]);
    const { issuerCertificate } = details[1];
    assert.equal(issuerCertificate.issuerCertificate, issuerCertificate);
  });

  test("turns clients away whose certificate is not accepted", async (t) => {
    for (const kind of [stock, ours]) {
      const server = await startServer(t, kind, (_request, response) => response.end(), {
        requestCert: true,
      });
      for (const certificate of [{}, forClient]) await assert.rejects(request(server, certificate));
    }
  });

  test("carries connections by an I/O thread", async (t) => {
    const { request: before = 0 } = stats().server.passed;
    const server = await startServer(t, ours, ({ socket }, response) =>
      response.end(socket._handle.constructor.name),
    );
    assert.equal((await request(server)).body, "Pipe");
    assert.equal(stats().server.passed.request, before + 1);
  });

  const ofOpenssl = {
    SNICallback: { SNICallback: (_name, callback) => callback(null) },
    ALPNCallback: { ALPNCallback: () => undefined },
    sigalgs: { sigalgs: "ECDSA+SHA256" },
    secureOptions: { secureOptions: 4 },
  };
  for (const [name, options] of Object.entries(ofOpenssl)) {
    test(`leaves TLS to Node.js for ${name}`, async (t) => {
      const { tlsOptions: before = 0 } = stats().server.passed;
      const server = await startServer(
        t,
        ours,
        (_request, response) => response.end("answer"),
        options,
      );
      assert.equal((await request(server)).body, "answer");
      assert.equal(stats().server.passed.tlsOptions, before + 1);
    });
  }

  test("leaves TLS to Node.js for a context that cannot be read", async (t) => {
    const server = await startServer(t, ours);
    server.addContext("some.example", tls.createSecureContext(forClient));
    const { socket } = await connect(server, { servername: "some.example" });
    assert.equal(socket.getPeerX509Certificate().fingerprint256, fingerprintOf(forClient.cert));
  });

  test("leaves TLS to Node.js for listeners of its events", async (t) => {
    const server = await startServer(t, ours);
    const { tlsListeners: before = 0 } = stats().server.passed;
    const secured = once(server, "secureConnection");
    await connect(server);
    await secured;
    assert.equal(stats().server.passed.tlsListeners, before + 1);
  });

  const refused = {
    pfx: { options: { pfx: "pfx" }, isOpenssls: true },
    ticketKeys: { options: { ticketKeys: Buffer.alloc(48) } },
    ciphers: { options: { ciphers: "AES128-SHA" } },
    minVersion: { options: { minVersion: "TLSv1.1" } },
    maxVersion: { options: { minVersion: "TLSv1", maxVersion: "TLSv1.1" }, name: "minVersion" },
  };
  for (const [name, { options, isOpenssls, name: option = name }] of Object.entries(refused)) {
    test(`refuses ${name} by name`, () => {
      const create = () => createSecureServer({ ...forServer, ...options });
      if (isOpenssls) return assert.throws(create, Error);
      assert.throws(create, { code: "TURBO_ERR_INVALID_OPTION", option });
    });
  }

  test("accepts the ciphers that I/O threads have", async (t) => {
    const ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:!aNULL";
    const options = { ciphers, maxVersion: "TLSv1.2" };
    const facts = await factsFor(t, ours, options, {});
    assert.equal(facts.cipher.name, "ECDHE-ECDSA-AES256-GCM-SHA384");
    assert.deepEqual(facts, await factsFor(t, stock, options, {}));
  });

  test("counts clients that do not agree about TLS", async (t) => {
    const server = await startServer(t, ours);
    const { tlsFailed: before } = stats().server;
    const failed = once(server, "tlsClientError");
    const { port } = server.address();
    addClient(server, tls.connect({ port, host: "127.0.0.1" })).on("error", () => {});
    await failed;
    assert.equal(stats().server.tlsFailed, before + 1);
  });
});
