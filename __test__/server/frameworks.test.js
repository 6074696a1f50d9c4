"use strict";

/**
 * Frameworks on `createServer()`, each as its users give it a server, and the same on `http.createServer()`:
 * HTTP, Socket.IO by both transports, and the end.
 */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createRequire } = require("node:module");
const http = require("node:http");
const path = require("node:path");
const { describe, test } = require("node:test");
const { pathToFileURL } = require("node:url");
const { Server } = require("socket.io");
const { WebSocket, WebSocketServer } = require("ws");
const turbo = require("../..");
const { hasEngine } = require("../../lib/addon/index.js");
const { skipWithoutFrameworks } = require("../support/examples.js");
const { request } = require("../support/http-servers.js");
const { connectClient } = require("../support/socket-io-client.js");

const examples = createRequire(path.join(__dirname, "../../examples/express/server.js"));
/** Some of Nest's packages are ES modules only. */
const load = (name) => import(pathToFileURL(examples.resolve(name)));

const HEALTH = { status: "well" };

/**
 * @typedef {object} App
 * @property {http.Server} server
 * @property {() => Promise<unknown>} listen
 * @property {() => Promise<unknown>} close
 */

/** An application whose framework knows no server. */
function plain(createServer, handler) {
  const server = createServer(handler);
  return {
    server,
    listen: () => once(server.listen(0, "127.0.0.1"), "listening"),
    close: () => {},
  };
}

/** @type {Record<string, (createServer: typeof http.createServer) => Promise<App>>} */
const frameworks = {
  async Express(createServer) {
    const app = examples("express")();
    app.use(examples("express").json());
    app.get("/health", (_request, response) => response.json(HEALTH));
    app.post("/echo", ({ body }, response) => response.json(body));
    return plain(createServer, app);
  },

  async Koa(createServer) {
    const app = new (examples("koa"))();
    app.use(async (context) => {
      if (context.path === "/health") context.body = HEALTH;
      if (context.path !== "/echo") return;
      let body = "";
      for await (const chunk of context.req) body += chunk;
      context.body = JSON.parse(body);
    });
    return plain(createServer, app.callback());
  },

  async Fastify(createServer) {
    const app = examples("fastify")({ serverFactory: (handler) => createServer(handler) });
    app.get("/health", () => HEALTH);
    app.post("/echo", ({ body }) => body);
    const listen = () => app.listen({ port: 0, host: "127.0.0.1" });
    return { server: app.server, listen, close: () => app.close() };
  },

  async "Fastify, on each address of localhost"(createServer) {
    const app = examples("fastify")({ serverFactory: (handler) => createServer(handler) });
    app.get("/health", () => HEALTH);
    app.post("/echo", ({ body }) => body);
    const listen = () => app.listen({ port: 0, host: "localhost" });
    return { server: app.server, listen, close: () => app.close() };
  },

  async Nest(createServer) {
    examples("reflect-metadata");
    const { Body, Controller, Get, Module, Post } = await load("@nestjs/common");
    const { NestFactory } = await load("@nestjs/core");
    const { ExpressAdapter } = await load("@nestjs/platform-express");
    class Adapter extends ExpressAdapter {
      initHttpServer() {
        this.httpServer = createServer(this.getInstance());
      }
    }
    class Health {
      health() {
        return HEALTH;
      }
      echo(body) {
        return body;
      }
    }
    decorate(Health.prototype, "health", Get("health"));
    decorate(Health.prototype, "echo", Post("echo"));
    Body()(Health.prototype, "echo", 0);
    Controller()(Health);
    class App {}
    Module({ controllers: [Health] })(App);
    const app = await NestFactory.create(App, new Adapter(), { logger: false });
    const listen = () => app.listen(0, "127.0.0.1");
    return { server: app.getHttpServer(), listen, close: () => app.close() };
  },

  /** As in the documents of Next.js, which listens to upgrades from the first request on. */
  async "a custom server of Next.js"(createServer) {
    let isPrepared = false;
    const handle = async (request, response) => {
      if (!isPrepared) {
        isPrepared = true;
        request.socket.server.on("upgrade", ({ url }, socket) => {
          if (url.startsWith("/_next/webpack-hmr")) socket.end();
        });
      }
      if (request.url === "/health") response.end(JSON.stringify(HEALTH));
      else request.pipe(response);
    };
    return plain(createServer, (request, response) => handle(request, response));
  },
};

function decorate(prototype, name, decorator) {
  decorator(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
}

const engines = {
  "http.createServer()": { createServer: http.createServer, options: (given) => given },
  "createServer()": { createServer: turbo.createServer, options: turbo.turbo },
};

/** Connects a client by the transports, lets it get an event that goes to all, and returns it. */
async function chat(t, url, transports) {
  const client = connectClient(url, { transports });
  t.after(() => client.disconnect());
  await once(client, "connect");
  const said = once(client, "said");
  client.emit("say", "hello");
  assert.deepEqual(await said, ["hello"]);
  if (transports.length > 1) {
    while (client.io.engine.transport.name !== "websocket") await once(client.io.engine, "upgrade");
  }
  return client;
}

for (const [engine, { createServer, options }] of Object.entries(engines)) {
  describe(engine, { skip: skipWithoutFrameworks, timeout: 60_000 }, () => {
    for (const [name, create] of Object.entries(frameworks)) {
      test(`serves ${name}`, async (t) => {
        const { server, listen, close } = await create(createServer);
        const io = new Server(server, options({}));
        io.on("connection", (socket) => socket.on("say", (text) => io.emit("said", text)));
        await listen();
        const url = `http://127.0.0.1:${server.address().port}`;
        assert.deepEqual(JSON.parse((await request(server, { path: "/health" })).body), HEALTH);
        const body = JSON.stringify({ text: "ž".repeat(50_000) });
        const headers = { "content-type": "application/json" };
        const echo = { method: "POST", path: "/echo", headers, body };
        const answer = await request(server, echo);
        assert.deepEqual(JSON.parse(Buffer.from(answer.body, "latin1")), JSON.parse(body));
        const clients = [
          await chat(t, url, ["websocket"]),
          await chat(t, url, ["polling"]),
          await chat(t, url, ["polling", "websocket"]),
        ];
        assert.equal(io.engine.clientsCount, 3);
        const left = Promise.all(clients.map((client) => once(client, "disconnect")));
        await io.close();
        await left;
        await close();
        assert.equal(server.listening, false);
      });
    }

    test("serves a second WebSocket server beside Socket.IO", async (t) => {
      const server = createServer();
      const second = new WebSocketServer({ noServer: true });
      second.on("connection", (socket) => socket.on("message", (text) => socket.send(`${text}`)));
      const io = new Server(server, options({ destroyUpgrade: false }));
      io.on("connection", (socket) => socket.on("say", (text) => io.emit("said", text)));
      server.on("upgrade", (request, socket, head) => {
        if (request.url !== "/second") return;
        second.handleUpgrade(request, socket, head, (websocket) => {
          second.emit("connection", websocket, request);
        });
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address();
      const client = await chat(t, `http://127.0.0.1:${port}`, ["websocket"]);
      const other = new WebSocket(`ws://127.0.0.1:${port}/second`);
      await once(other, "open");
      other.send("hello");
      const [text] = await once(other, "message");
      assert.equal(`${text}`, "hello");
      other.terminate();
      client.disconnect();
      await io.close();
    });

    test("serves the module reloading of Vite beside Socket.IO", async (t) => {
      const server = createServer();
      const reloading = new WebSocketServer({ noServer: true });
      const io = new Server(server, options({}));
      io.on("connection", (socket) => socket.on("say", (text) => io.emit("said", text)));
      server.on("upgrade", (request, socket, head) => {
        if (request.headers["sec-websocket-protocol"] !== "vite-hmr") return;
        reloading.handleUpgrade(request, socket, head, (websocket) => websocket.send("connected"));
      });
      await once(server.listen(0, "127.0.0.1"), "listening");
      const { port } = server.address();
      const client = await chat(t, `http://127.0.0.1:${port}`, ["polling", "websocket"]);
      const other = new WebSocket(`ws://127.0.0.1:${port}/`, "vite-hmr");
      const [text] = await once(other, "message");
      assert.equal(`${text}`, "connected");
      other.terminate();
      client.disconnect();
      await io.close();
    });
  });
}

test("a framework's server is accepted for by I/O threads", {
  skip: skipWithoutFrameworks || (!hasEngine && "without the engine, Node.js accepts"),
}, async (t) => {
  for (const name of ["Express", "Koa", "Fastify", "Nest"]) {
    const { server, listen, close } = await frameworks[name](turbo.createServer);
    const io = new Server(server, turbo.turbo());
    io.on("connection", (socket) => socket.on("say", (text) => io.emit("said", text)));
    await listen();
    const before = turbo.stats().server.passed;
    const url = `http://127.0.0.1:${server.address().port}`;
    const client = await chat(t, url, ["websocket"]);
    await request(server, { path: "/health" });
    const { passed } = turbo.stats().server;
    const reasons = Object.keys(passed).filter((reason) => passed[reason] !== before[reason]);
    assert.deepEqual(reasons, ["request"], name);
    client.disconnect();
    await io.close();
    await close();
  }
});
