"use strict";

/**
 * The layouts of `lib/addon/codes.js`: numbers are sent through the addon, and must be found where
 * the layouts place them.
 */

const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { once } = require("node:events");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { after, describe, test } = require("node:test");
const { setTimeout: delay } = require("node:timers/promises");
const tls = require("node:tls");
const codes = require("../../lib/addon/codes.js");
const { binding, hasCluster, hasEngine } = require("../../lib/addon/index.js");
const { Recipients } = require("../../lib/adapter/recipients.js");
const { Pool, TLS_OPTIONS, listen, receivedUntil, seen } = require("../support/native-pool.js");
const { polled } = require("../support/observed.js");
const frames = require("../support/websocket/frames.js");

const { Delivery, END_REASON_BITS, END_REASONS, EventKind, HeartbeatStep } = codes;
const { PollingState, RateLimitStep, RecipientLists, Traffic, UpgradeStep } = codes;
const { TEXT } = frames;

/** More than the kernel's buffers of a connection hold. */
const MUCH = Buffer.alloc(32 * 1024 * 1024);

/** Returns what a call returns, or message and code of what it throws. */
function outcomeOf(call) {
  try {
    return { returned: call() };
  } catch ({ message, code }) {
    return { message, code };
  }
}

describe("the numbers that both halves share", { skip: !hasEngine, timeout: 30_000 }, () => {
  const names = ["Delivery", "EventKind", "HeartbeatStep", "PollingState", "RateLimitStep"];
  names.push("UpgradeStep");
  if (hasCluster) {
    names.push("AddressKind", "SubscriptionKind", "MessageKind", "RedisEventKind", "Topology");
  }
  for (const name of names) {
    test(`${name} is read from the addon`, () => {
      const numbers = Object.values(codes[name]);
      assert.deepEqual(
        numbers,
        numbers.map((_, index) => index),
      );
      assert.ok(numbers.length > 1);
    });
  }

  test("messages and control frames of the peer", async (t) => {
    const pool = new Pool(t);
    await pool.connect();
    const { id, peer } = await pool.connect();
    pool.command("tap", id, true);
    // The worker has a command when what was sent behind it has been written.
    pool.command("send", id, "x", TEXT, true, true, false);
    assert.deepEqual(await pool.next(), [id, "Sent", 1]);
    const ping = frames.ping("are you there?");
    peer.write(ping);
    assert.deepEqual(await pool.next(), [id, "Raw", 0, ping]);
    assert.deepEqual(await pool.next(), [id, "Ping", 0, Buffer.from("are you there?")]);
    pool.command("tap", id, false);
    pool.command("send", id, "x", TEXT, true, true, false);
    assert.deepEqual(await pool.next(), [id, "Sent", 1]);
    peer.write(frames.text("día"));
    assert.deepEqual(await pool.next(), [id, "Text", 0, "día"]);
    peer.write(frames.binary("bytes"));
    assert.deepEqual(await pool.next(), [id, "Binary", 0, Buffer.from("bytes")]);
    peer.write(frames.pong("yes"));
    assert.deepEqual(await pool.next(), [id, "Pong", 0, Buffer.from("yes")]);
    peer.write(frames.close(4001, "bye"));
    assert.deepEqual(await pool.next(), [id, "Close", 4001, Buffer.from("bye")]);
    peer.end();
    assert.deepEqual(await pool.next(), [id, "PeerEnded", 0]);
    pool.command("terminate", id);
    assert.deepEqual(await pool.next(), [id, "Ended", END_REASONS.indexOf("terminated")]);
  });

  test("connections that are passed to Node.js", async (t) => {
    const pool = new Pool(t);
    const { server, id, port } = await listen(t, pool);
    const peer = net.connect(port, "127.0.0.1");
    pool.peers.push(peer);
    peer.write("GET /elsewhere HTTP/1.1\r\nHost: me\r\n\r\n");
    const [of, kind, descriptor] = await pool.next();
    assert.deepEqual([of, kind], [id, "Passed"]);
    pool.native.claimDescriptor(descriptor);
    server.open(descriptor);
    assert.match(await receivedUntil(peer, "/elsewhere"), /^HTTP\/1\.1 200 OK\r\n/);
    pool.command("closeListener", id);
    assert.deepEqual(await pool.next(), [id, "Ended", END_REASONS.indexOf("closed")]);
  });

  test("functions in the place of methods", () => {
    const native = new binding.Workers();
    const functions = native.direct();
    const calls = {
      accept: [[0, 1, 99, ""], [0, 1, 99, 2], [0]],
      beginTurn: [[]],
      flush: [[]],
      join: [
        [0, 99],
        [{}, 99],
      ],
      leave: [[0, 99], [0]],
      release: [[99], ["a"]],
      send: [
        [99, "a", TEXT, true, false, true],
        [99, 5, TEXT, true, false, true],
        [99, "a", 77, true, false, true],
        [99, "a", TEXT, 1, false, true],
      ],
      sendPacket: [
        [99, Buffer.from("a"), false, Delivery.Sure, true],
        [99, "a", false, 77, true],
      ],
      sendPrepared: [[99, false], [99]],
    };
    assert.deepEqual(Object.keys(functions), Object.keys(calls));
    for (const [name, variants] of Object.entries(calls)) {
      for (const values of variants) {
        const actual = outcomeOf(() => functions[name](...values));
        assert.deepEqual(
          actual,
          outcomeOf(() => native[name](...values)),
        );
      }
    }
  });

  test("handshakes, and their answers", async (t) => {
    const pool = new Pool(t);
    const { server, id, port } = await listen(t, pool, { paths: ["/other/", "/socket.io/"] });
    const head = [
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
      "Host: me",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "X-Name: J\xfcrgen",
      "\r\n",
    ].join("\r\n");
    const open = async () => {
      const peer = net.connect(port, "127.0.0.1");
      pool.peers.push(peer);
      peer.write(head, "latin1");
      const [of, kind, key, text, sid, address, remotePort] = await pool.next();
      assert.deepEqual([of, kind, text, address], [id, "Handshake", head, "127.0.0.1"]);
      assert.equal(remotePort, peer.localPort);
      assert.match(sid, /^[\w-]{20}$/);
      assert.equal(pool.native.httpConnections(id), 1);
      return { peer, key };
    };
    const accepting = await open();
    const accepted = pool.native.accept(0, accepting.key, pool.options, "X: \xfc\r\n");
    pool.command("send", accepted, "hi", TEXT, true, false, false);
    const response =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX: \xfc\r\n\r\n";
    assert.equal(await receivedUntil(accepting.peer, "hi"), `${response}\x81\x02hi`);
    const traffic = pool.native.traffic(accepted);
    assert.equal(traffic[Traffic.BYTES_READ], head.length);
    assert.equal(traffic[Traffic.BYTES_WRITTEN], response.length + 4);
    accepting.peer.write(frames.text("hello"));
    assert.deepEqual(await pool.next(), [accepted, "Text", 0, "hello"]);
    const refusing = await open();
    pool.command("refuse", 0, refusing.key, Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert.equal(
      await receivedUntil(refusing.peer, "\r\n\r\n"),
      "HTTP/1.1 400 Bad Request\r\n\r\n",
    );
    const passing = await open();
    pool.command("pass", 0, passing.key);
    const [of, kind, descriptor] = await pool.next();
    assert.deepEqual([of, kind], [id, "Passed"]);
    server.on("upgrade", (request, socket) => socket.end(request.headers["x-name"], "latin1"));
    pool.native.claimDescriptor(descriptor);
    server.open(descriptor);
    assert.equal(await receivedUntil(passing.peer, "gen"), "J\xfcrgen");
    for (const { key } of [accepting, refusing, passing]) {
      assert.throws(() => pool.native.accept(0, key, pool.options, ""), /answered/);
    }
  });

  test("a session that polls, and changes to a WebSocket", async (t) => {
    const pool = new Pool(t);
    const { id, port } = await listen(t, pool);
    pool.location = 0;
    const connect = (request) => {
      const peer = net.connect(port, "127.0.0.1");
      pool.peers.push(peer);
      peer.write(request);
      return peer;
    };
    const query = "/socket.io/?EIO=4&transport=";
    const peer = connect(`GET ${query}polling HTTP/1.1\r\nHost: me\r\n\r\n`);
    const [of, kind, key, , sid] = await pool.next();
    assert.deepEqual([of, kind], [id, "Handshake"]);
    const session = pool.native.acceptPolling(0, key, pool.options, sid, {
      firstLines: "A: b\r\n",
      openingLines: "C: d\r\n",
      dependsOnOrigin: false,
      compressionThreshold: Infinity,
      maxPayload: 100,
      initialPackets: 0,
      upgradeTimeout: 10_000,
    });
    pool.command("send", session, "0{}", TEXT, true, false, true);
    const opened = await receivedUntil(peer, "0{}");
    assert.match(opened, /^HTTP\/1\.1 200 OK\r\nA: b\r\n.*\r\nC: d\r\n.*\r\n\r\n0\{\}$/s);
    const payload = "4hi\x1ebAQI=";
    peer.write(
      `POST ${query}polling&sid=${sid} HTTP/1.1\r\nHost: me\r\n` +
        `Content-Length: ${payload.length}\r\n\r\n${payload.slice(0, 2)}`,
    );
    await polled(() => pool.native.isReceiving(session));
    pool.command("awaitState", session, PollingState.Received);
    peer.write(payload.slice(2));
    const isHandled = async () => {
      assert.deepEqual(await pool.next(), [session, "Text", 0, "4hi"]);
      assert.deepEqual(await pool.next(), [session, "Binary", 0, Buffer.of(1, 2)]);
      assert.deepEqual(await pool.next(), [session, "PayloadEnded", 0]);
    };
    await isHandled();
    pool.command("answerPayload", session);
    assert.match(await receivedUntil(peer, "ok"), /\r\n\r\nok$/);
    assert.deepEqual(await pool.next(), [session, "Reached", PollingState.Received]);
    assert.equal(pool.native.isReceiving(session), false);
    pool.command("handlePayload", session, Buffer.from(payload));
    await isHandled();
    assert.equal(pool.native.isReceiving(session), false);
    assert.equal(pool.native.isWritable(session), false);
    pool.command("awaitState", session, PollingState.Writable);
    pool.command("poll", session, true);
    assert.deepEqual(await pool.next(), [session, "Reached", PollingState.Writable]);
    assert.equal(pool.native.isWritable(session), true);
    pool.command("send", session, "4día", TEXT, true, false, true);
    assert.deepEqual(await pool.next(), [session, "Polled", 0, "4día"]);
    assert.equal(pool.native.isWritable(session), false);
    pool.location = 2 << 16;
    const open = async () => {
      const websocket = connect(
        `GET ${query}websocket&sid=${sid} HTTP/1.1\r\nHost: me\r\nConnection: Upgrade\r\n` +
          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      const [of, kind, key, , given] = await pool.next();
      assert.deepEqual([of, kind, given], [id, "Handshake", sid]);
      pool.native.acceptUpgrade(0, key, session, pool.options, "");
      pool.native.flush();
      websocket.write(frames.text("2probe"));
      assert.deepEqual(await pool.next(), [session, "Upgrade", UpgradeStep.Probed]);
      await receivedUntil(websocket, "3probe");
      return websocket;
    };
    (await open()).destroy();
    assert.deepEqual(await pool.next(), [session, "Upgrade", UpgradeStep.Abandoned]);
    const websocket = await open();
    const received = receivedUntil(websocket, "4second");
    pool.command("send", session, "4first", TEXT, true, false, true);
    websocket.write(Buffer.concat([frames.text("5"), frames.text("4hello")]));
    assert.deepEqual(await pool.next(), [session, "Upgrade", UpgradeStep.Completed]);
    assert.deepEqual(await pool.next(), [session, "Text", 0, "4hello"]);
    pool.command("send", session, "4second", TEXT, true, false, true);
    assert.equal(await received, "\x81\x064first\x81\x074second");
    pool.command("handlePayload", session, Buffer.from(payload));
    await isHandled();
  });

  test("connections with TLS", async (t) => {
    const pool = new Pool(t);
    const { server, id, port } = await listen(t, pool);
    pool.native.secureListener(id, new binding.TlsSettings(TLS_OPTIONS));
    const passed = async () => {
      const transport = net.connect(port, "127.0.0.1");
      const peer = tls.connect({ socket: transport, rejectUnauthorized: false });
      pool.peers.push(peer.on("error", () => {}));
      peer.write("GET /elsewhere HTTP/1.1\r\nHost: me\r\n\r\n");
      const [of, kind, key, descriptor, details] = await pool.next();
      assert.deepEqual([of, kind], [id, "Stream"]);
      const { version, remote } = JSON.parse(details);
      assert.deepEqual([version, remote.port], [0x0304, transport.localPort]);
      const carried = pool.native.carry(0, key);
      pool.native.flush();
      assert.equal(pool.native.tlsDetails(carried), details);
      pool.native.claimDescriptor(Number(descriptor));
      const socket = new net.Socket({ fd: Number(descriptor) });
      server.emit("connection", socket);
      t.after(() => socket.destroy());
      assert.match(await receivedUntil(peer, "/elsewhere"), /^HTTP\/1\.1 200 OK\r\n/);
      return { carried, transport };
    };
    const { carried } = await passed();
    pool.command("end", carried);
    assert.deepEqual(await pool.next(), [carried, "Ended", END_REASONS.indexOf("terminated")]);
    const { carried: failed, transport } = await passed();
    transport.resetAndDestroy();
    assert.deepEqual(await pool.next(), [failed, "StreamFailed", os.constants.errno.ECONNRESET]);
    pool.command("end", failed);
    assert.deepEqual(await pool.next(), [failed, "Ended", END_REASONS.indexOf("terminated")]);
    const stranger = net.connect(port, "127.0.0.1");
    pool.peers.push(stranger.on("error", () => {}));
    stranger.write("GET / HTTP/1.1\r\n\r\n");
    const failure = [id, "TlsFailed", 0, "ERR_SSL_WRONG_VERSION_NUMBER", "127.0.0.1"];
    assert.deepEqual(await pool.next(), failure);
  });

  test("the steps of a heartbeat", async (t) => {
    const pool = new Pool(t);
    await pool.connect();
    const { id, peer } = await pool.connect();
    const start = async (isReported, times) => {
      pool.native.prepareHeartbeat(id);
      pool.command("reportHeartbeat", id, isReported);
      assert.deepEqual(await pool.next(), [id, "Heartbeat", HeartbeatStep.Ready]);
      const intervals = { pingInterval: Infinity, pingTimeout: Infinity, maxLoopLag: Infinity };
      const heartbeat = { ...intervals, hasExtendedDeadline: false, ...times };
      pool.command("startHeartbeat", id, heartbeat);
    };
    await start(false, { pingIn: 1 });
    assert.equal(await receivedUntil(peer, "2"), "\x81\x012");
    assert.deepEqual(await pool.next(), [id, "Heartbeat", HeartbeatStep.Sent]);
    await start(true, { pingIn: 1 });
    assert.deepEqual(await pool.next(), [id, "Heartbeat", HeartbeatStep.Sent]);
    peer.write(frames.text("3"));
    assert.deepEqual(await pool.next(), [id, "Heartbeat", HeartbeatStep.Received]);
    await start(true, { deadlineIn: 1 });
    assert.deepEqual(await pool.next(), [id, "Heartbeat", HeartbeatStep.TimedOut]);
  });

  test("the actions of a limit", async (t) => {
    for (const [name, action] of Object.entries(RateLimitStep)) {
      const rateLimit = { messages: 0, bytes: Infinity, per: 600_000, action, isEngineIo: true };
      const pool = new Pool(t, 64, { rateLimit });
      const { id, peer } = await pool.connect();
      peer.write(frames.text('42["a"]'));
      assert.deepEqual(await pool.next(), [id, "RateLimited", action]);
      if (name !== "Disconnect") continue;
      const [, kind, closeCode, , code] = await pool.next();
      assert.deepEqual([kind, closeCode, code], ["Failed", 1008, "TURBO_ERR_RATE_LIMIT"]);
    }
  });

  test("packets of Socket.IO, while they are split", async (t) => {
    const pool = new Pool(t);
    await pool.connect();
    const { id, peer } = await pool.connect();
    const write = (...texts) => peer.write(Buffer.concat(texts.map((text) => frames.text(text))));
    write('42["whole"]');
    assert.deepEqual(await pool.next(), [id, "Text", 0, '42["whole"]']);
    pool.command("splitPackets", id, true);
    // The worker has the command when what was sent behind it has been written.
    pool.command("send", id, "x", TEXT, true, true, false);
    assert.deepEqual(await pool.next(), [id, "Sent", 1]);
    write(
      '42["é",{}]',
      "4374294967294[]",
      '42/día,0["日本😀"]',
      "43/día,[1]",
      "42[1,]",
      "40",
      '422["z"]',
    );
    assert.deepEqual(await pool.next(), [id, "PacketEvent", 0, '["é",{}]']);
    // Beyond 32 bits, an ack id is left to the decoder.
    assert.deepEqual(await pool.next(), [id, "Text", 0, "4374294967294[]"]);
    assert.deepEqual(await pool.next(), [id, "NamespaceEvent", 1, "/día", '["日本😀"]']);
    assert.deepEqual(await pool.next(), [id, "NamespaceAck", 0, "/día", "[1]"]);
    assert.deepEqual(await pool.next(), [id, "PacketEvent", 0, "[1,]"]);
    assert.deepEqual(await pool.next(), [id, "Text", 0, "40"]);
    assert.deepEqual(await pool.next(), [id, "PacketEvent", 3, '["z"]']);
    write("434294967294[]");
    assert.deepEqual(await pool.next(), [id, "PacketAck", 4_294_967_295, "[]"]);
    pool.command("splitPackets", id, false);
    pool.command("send", id, "x", TEXT, true, true, false);
    assert.deepEqual(await pool.next(), [id, "Sent", 1]);
    write('42["whole"]');
    assert.deepEqual(await pool.next(), [id, "Text", 0, '42["whole"]']);
  });

  test("packets of connections whose text is Buffers stay whole", async (t) => {
    const pool = new Pool(t, 64, { isTextAsString: false });
    const { id, peer } = await pool.connect();
    pool.command("splitPackets", id, true);
    pool.command("send", id, "x", TEXT, true, true, false);
    assert.deepEqual(await pool.next(), [id, "Sent", 1]);
    peer.write(frames.text('42["a"]'));
    assert.deepEqual(await pool.next(), [id, "Text", 0, Buffer.from('42["a"]')]);
  });

  test("a failure has a message and a code", async (t) => {
    const pool = new Pool(t);
    await pool.connect();
    const { id, peer } = await pool.connect();
    peer.write(Buffer.concat([frames.text("good"), frames.frame({ opcode: 3 })]));
    assert.deepEqual(await pool.next(), [id, "Text", 0, "good"]);
    const [, kind, closeCode, message, code] = await pool.next();
    assert.deepEqual([kind, closeCode, code], ["Failed", 1002, "WS_ERR_INVALID_OPCODE"]);
    assert.match(message, /^Invalid WebSocket frame: [^\n]*$/);
  });

  test("the backlog of a slow peer", async (t) => {
    const pool = new Pool(t);
    const { id, peer } = await pool.connect();
    pool.command("send", id, MUCH, TEXT, true, false, false);
    const [, kind, waiting] = await pool.next();
    assert.equal(kind, "Backlog");
    assert.ok(waiting > 1024 && waiting < MUCH.length, waiting);
    peer.resume();
    assert.deepEqual(await pool.next(), [id, "Backlog", 0]);
  });

  test("an error of the system ends a connection", async (t) => {
    const pool = new Pool(t);
    await pool.connect();
    const { peer } = await pool.connect();
    peer.resetAndDestroy();
    const [, kind, number] = await pool.next();
    assert.equal(kind, "Ended");
    assert.equal(END_REASONS[number & ((1 << END_REASON_BITS) - 1)], "ioError");
    assert.equal(number >> END_REASON_BITS, os.constants.errno.ECONNRESET);
  });

  test("a batch says whether more events wait", async (t) => {
    const pool = new Pool(t, 1);
    const { id, peer } = await pool.connect();
    peer.write(Buffer.concat([frames.text("first"), frames.text("second")]));
    assert.deepEqual(await pool.next(), [id, "Text", 0, "first"]);
    assert.deepEqual(await pool.next(), [id, "Text", 0, "second"]);
    assert.deepEqual(pool.hasMore, [1, 0]);
  });

  test("the traffic of a connection", async (t) => {
    const pool = new Pool(t);
    await pool.connect();
    const { id } = await pool.connect(100, 1000);
    await delay(100);
    const traffic = pool.native.traffic(id);
    assert.equal(traffic[Traffic.BYTES_READ], 100);
    assert.equal(traffic[Traffic.BYTES_WRITTEN], 1000);
    assert.ok(traffic[Traffic.IDLE] >= 50 && traffic[Traffic.IDLE] < 30_000);
    assert.ok(fs.fstatSync(traffic[Traffic.DESCRIPTOR]).isSocket());
    assert.equal(traffic.length, Object.keys(Traffic).length);
  });

  test("the local address of a connection, until it has ended", async (t) => {
    const pool = new Pool(t);
    const { id, peer } = await pool.connect();
    if (peer.connecting) await once(peer, "connect");
    const local = pool.native.localAddress(id);
    assert.deepEqual(local, { address: peer.remoteAddress, family: "IPv4", port: peer.remotePort });
    peer.destroy();
    assert.deepEqual((await pool.next()).slice(0, 2), [id, "PeerEnded"]);
    pool.native.terminate(id);
    pool.native.flush();
    assert.deepEqual((await pool.next()).slice(0, 2), [id, "Ended"]);
    assert.equal(pool.native.localAddress(id), null);
  });

  test("the lists of recipients", async (t) => {
    const pool = new Pool(t);
    const connections = [];
    for (let count = 0; count < 5; count++) connections.push(await pool.connect());
    const [a, b, c, d, e] = connections.map(({ id }) => id);
    // Ids of rooms differ from those of connections.
    for (let count = 0; count < 10; count++) pool.native.createRoom();
    const [room, except] = [pool.native.createRoom(), pool.native.createRoom()];
    for (const id of [a, b, c]) pool.native.join(room, id);
    pool.native.join(except, b);
    const recipients = new Recipients();
    recipients.add(RecipientLists.ROOMS, room);
    recipients.add(RecipientLists.MEMBERS, c);
    recipients.add(RecipientLists.MEMBERS, d);
    recipients.add(RecipientLists.EXCEPT_ROOMS, except);
    recipients.add(RecipientLists.EXCEPT_MEMBERS, c);
    pool.native.broadcast("sent", undefined, recipients.encoded, false, true);
    for (const id of [a, b, c, d, e]) pool.native.sendPacket(id, "end", false, Delivery.Sure, true);
    pool.native.flush();
    const received = await Promise.all(connections.map(({ peer }) => receivedUntil(peer, "4end")));
    const [sent, end] = ["\x81\x054sent", "\x81\x044end"];
    assert.deepEqual(received, [sent + end, end, end, sent + end, end]);
  });

  after(() => assert.deepEqual(seen, new Set(Object.keys(EventKind))));
});

test("without the addon there are no numbers", () => {
  const file = path.join(__dirname, "../../lib/addon/codes.js");
  const script = `
    const codes = require(process.argv[1]);
    const { EventKind, Topology, END_REASONS, VALUE_COUNTS } = codes;
    console.log(JSON.stringify([EventKind, Topology, END_REASONS, VALUE_COUNTS]));
  `;
  const env = { ...process.env, TURBO_NATIVE: "0" };
  const { stdout } = spawnSync(process.execPath, ["-e", script, file], { env, encoding: "utf8" });
  assert.equal(stdout, "[{},{},[],[]]\n");
});
