"use strict";

/** Sessions with long-polling, by hand: the same bytes and ends on a stock server and on workers. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const zlib = require("node:zlib");
const {
  Session,
  bodyOf,
  kinds,
  passed,
  pending,
  receiving,
  released,
  same,
} = require("../support/polling-session.js");

describe("long-polling", { timeout: 60_000 }, () => {
  test("a session is opened, and packets go both ways", async (t) => {
    const before = passed();
    const result = await same(t, {}, async (session) => {
      const answers = [session.opening];
      answers.push(await session.ask(session.post("40")));
      answers.push(await session.ask(session.get()));
      const socket = [...session.io.sockets.sockets.values()][0];
      const received = [];
      socket.on("a", (...args) => received.push(args));
      answers.push(await session.ask(session.post('42["a","\u00c3\u00a9",1]\x1e42["a"]')));
      socket.emit("b", "é", { c: 1 });
      answers.push(await session.ask(session.get()));
      const poll = session.ask(session.get());
      socket.emit("late");
      answers.push(await poll);
      while (received.length < 2) await new Promise(setImmediate);
      return [answers, received];
    });
    assert.match(result[0][0], /^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain/);
    assert.deepEqual(result[1], [["é", 1], []]);
    assert.equal(passed(), before, "a request has been left to Node.js");
  });

  test("a session has the addresses of its first request", async (t) => {
    await same(t, {}, async (session) => {
      const { localAddress, localFamily, localPort, remoteAddress } = session.conn.request.socket;
      const { port } = session.server.address();
      return [localAddress, localFamily, localPort === port, remoteAddress];
    });
  });

  for (const isBare of [false, true]) {
    const title = isBare ? "of Engine.IO alone" : "with Socket.IO";
    test(`a session ${title} whose transport is looked at when it opens`, async (t) => {
      const look = (conn) => assert.equal(conn.transport.name, "polling");
      const answers = await same(t, { isBare, look }, async (session) => {
        session.conn.send("first");
        const first = bodyOf(await session.ask(session.get()));
        session.conn.send("second");
        return [first, bodyOf(await session.ask(session.get()))];
      });
      assert.deepEqual(answers, ["4first", "4second"]);
    });
  }

  for (const isBare of [false, true]) {
    const title = isBare ? "of Engine.IO alone" : "that has entered a namespace";
    test(`packets of a session ${title} wait for a poll where programs see them`, async (t) => {
      const seen = await same(t, { isBare }, async (session) => {
        const { conn } = session;
        const seen = [];
        const look = (what) => {
          const buffered = conn.writeBuffer.map(({ data }) => data);
          seen.push([what, conn.transport.writable, buffered]);
        };
        if (!isBare) {
          await session.ask(session.post("40"));
          while (session.io.sockets.sockets.size === 0) await new Promise(setImmediate);
          // The answer. Of packets that are sent before a program looks, `writeBuffer` does not show all.
          await session.ask(session.get());
        }
        look("between two polls");
        conn.send("a");
        look("sent in between");
        await new Promise(setImmediate);
        look("in the next turn");
        const poll = session.ask(session.get());
        seen.push(bodyOf(await poll));
        while (conn.writeBuffer.length > 0) await new Promise(setImmediate);
        look("taken by the poll");
        const pending = session.ask(session.get());
        while (!conn.transport.writable) await new Promise(setImmediate);
        look("with a poll");
        conn.send("b");
        look("sent to the poll");
        seen.push(bodyOf(await pending));
        look("after the poll");
        let isCalled = false;
        conn.send("c", {}, () => (isCalled = true));
        await new Promise(setImmediate);
        seen.push(["called back before the poll", isCalled]);
        seen.push(bodyOf(await session.ask(session.get())));
        while (!isCalled) await new Promise(setImmediate);
        for (const event of ["flush", "drain"]) conn.on(event, () => look(event));
        conn.send("d");
        conn.send("e");
        look("with listeners");
        seen.push(bodyOf(await session.ask(session.get())));
        while (conn.writeBuffer.length > 0) await new Promise(setImmediate);
        return seen;
      });
      assert.deepEqual(seen[1], ["sent in between", false, ["a"]]);
    });
  }

  const observations = {
    "looked at": (conn) => assert.equal(conn.transport.name, "polling"),
    "whose timer is read": (conn) => assert.equal(typeof conn.pingIntervalTimer, "object"),
    "whose transport has a method of a program": ({ transport }) => {
      const { send } = transport;
      transport.send = (packets) => send.call(transport, packets);
    },
    "not looked at": () => {},
  };
  const states = {
    "of Engine.IO alone": { isBare: true },
    "that has entered no namespace": {},
    "that has entered a namespace": { entry: "40" },
  };
  for (const [name, observe] of Object.entries(observations)) {
    for (const [title, { entry, ...state }] of Object.entries(states)) {
      test(`heartbeats are reported of a session ${title}, ${name}`, async (t) => {
        const options = { ...state, pingInterval: 50, pingTimeout: 60_000 };
        await same(t, options, async (session) => {
          const { conn } = session;
          if (entry) {
            await session.ask(session.post(entry));
            while (session.io.sockets.sockets.size === 0) await new Promise(setImmediate);
          }
          const beats = [];
          conn.on("heartbeat", () => beats.push("heartbeat"));
          observe(conn);
          while (beats.length < 4) {
            const before = beats.length;
            const packets = bodyOf(await session.ask(session.get()));
            if (!packets.split("\x1e").includes("2")) continue;
            assert.equal(bodyOf(await session.ask(session.post("3"))), "ok");
            while (beats.length === before) await new Promise(setImmediate);
          }
          return [conn.readyState, beats];
        });
      });
    }
  }

  test("heartbeats go on when the listener of them has gone", async (t) => {
    await same(t, { pingInterval: 50, pingTimeout: 60_000 }, async (session) => {
      const { conn, io } = session;
      const entered = once(io, "connection");
      await session.ask(session.post("40"));
      const [socket] = await entered;
      assert.equal(conn.transport.name, "polling");
      conn.once("heartbeat", () => {});
      for (let count = 0; count < 4; ) {
        const packets = bodyOf(await session.ask(session.get())).split("\x1e");
        if (!packets.includes("2")) continue;
        const received = once(socket, "beat");
        await session.ask(session.post(`3\x1e42["beat",${++count}]`));
        assert.deepEqual(await received, [count]);
      }
      return conn.readyState;
    });
  });

  test("binary packets are base64", async (t) => {
    const result = await same(t, {}, async (session) => {
      await session.ask(session.post("40"));
      await session.ask(session.get());
      const socket = [...session.io.sockets.sockets.values()][0];
      const received = once(socket, "a");
      await session.ask(session.post('451-["a",{"_placeholder":true,"num":0}]\x1ebAQIDBA=='));
      const [data] = await received;
      session.conn.send(Buffer.from("hello"));
      return [data, await session.ask(session.get())];
    });
    assert.deepEqual(result[0], Buffer.of(1, 2, 3, 4));
    assert.match(result[1], /\r\n\r\nbaGVsbG8=$/);
  });

  for (const [name, headers] of Object.entries({
    "Connection: close": "Connection: close\r\n",
    "old browsers": "User-Agent: a;MSIE 9\r\n",
  })) {
    test(`headers for ${name}`, async (t) => {
      await same(
        t,
        {},
        async (session) => {
          const first = await session.connect();
          const answers = [session.opening, await session.ask(session.post("40"), first)];
          answers.push(await session.ask(session.get(), await session.connect()));
          return answers;
        },
        headers,
      );
    });
  }

  test("headers of CORS, and a cookie", async (t) => {
    const cors = { origin: ["http://a", "http://b"], credentials: true };
    const result = await same(
      t,
      { cors, cookie: true },
      async (session) => {
        const answers = [session.opening];
        answers.push(await session.ask(session.post("40")));
        answers.push(await session.ask(session.get()));
        session.headers = "Origin: http://b\r\n";
        answers.push(await session.ask(session.post("41")));
        session.headers = "";
        answers.push(await session.ask(session.post("40")));
        return answers;
      },
      "Origin: http://a\r\n",
    );
    assert.match(result[0], /^Access-Control-Allow-Origin: http:\/\/a\r\n/m);
    assert.match(result[0], /^Set-Cookie: io=S/m);
    assert.match(result[3], /^Access-Control-Allow-Origin: http:\/\/b\r\n/m);
  });

  test("long payloads are compressed", async (t) => {
    const results = await same(t, {}, async (session) => {
      await session.ask(session.post("40"));
      await session.ask(session.get());
      const bodies = [];
      for (const coding of [
        "gzip",
        "deflate",
        "gzip, deflate, br",
        "br",
        "deflate, gzip",
        "gzip;q=0, deflate",
        "gzip;q=0.5, deflate;q=0.8",
        "deflate;q=0.5, gzip;level=1;q=0.5",
        "*",
        "*, deflate",
        "*;q=0.5, gzip;q=0",
        "identity, GZIP;q=0.1",
        "gzip;q=x",
        "gzip deflate",
      ]) {
        session.conn.send("x".repeat(2000));
        const answer = await session.ask(session.get(`Accept-Encoding: ${coding}\r\n`));
        const [head] = answer.split("\r\n\r\n");
        bodies.push([head, decoded(answer)]);
      }
      session.conn.send("x".repeat(2000), { compress: false });
      bodies.push(await session.ask(session.get("Accept-Encoding: gzip\r\n")));
      session.conn.send("short");
      bodies.push(await session.ask(session.get("Accept-Encoding: gzip\r\n")));
      return bodies;
    });
    assert.match(results[0][0], /^Content-Encoding: gzip$/m);
    assert.match(results[1][0], /^Content-Encoding: deflate$/m);
    assert.doesNotMatch(results[3][0], /^Content-Encoding/m);
    assert.equal(results[0][1], `4${"x".repeat(2000)}`);
  });

  test("a second poll ends the session", async (t) => {
    const [, , reports] = await same(t, { isBare: true }, async (session) => {
      const other = await session.connect();
      other.write(session.get());
      await pending(session);
      const refused = await session.ask(session.get());
      return [refused, await session.answer(other), await session.closed()];
    });
    assert.deepEqual(reports, [["transport error", "overlap from client"]]);
  });

  for (const second of ["post", "postInChunks"]) {
    test(`a second payload ends the session: ${second}`, async (t) => {
      const [refused, reports] = await same(t, { isBare: true }, async (session) => {
        const other = await session.connect();
        other.write(session.post("4abc").slice(0, -1));
        await receiving(session);
        const refused = await session.ask(session[second]("4x"));
        return [refused, await session.closed()];
      });
      assert.match(refused, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert.deepEqual(reports, [["transport error", "data request overlap from client"]]);
    });
  }

  test("a poll or a payload whose connection ends, ends the session", async (t) => {
    for (const [text, message] of [
      [(session) => session.get(), "poll connection closed prematurely"],
      [(session) => session.post("abc").slice(0, -1), "data request connection closed prematurely"],
    ]) {
      const reports = await same(t, { isBare: true }, async (session) => {
        const other = await session.connect();
        other.write(text(session));
        other.socket.destroy();
        return session.closed();
      });
      assert.deepEqual(reports, [["transport error", message]]);
    }
  });

  test("a close packet ends the session, and the pending poll", async (t) => {
    const [poll, , after, reports] = await same(t, { isBare: true }, async (session) => {
      const other = await session.connect();
      other.write(session.get());
      await pending(session);
      const ok = await session.ask(session.post("4a\x1e1\x1e4b"));
      await session.closed();
      return [await session.answer(other), ok, await session.ask(session.get()), session.reports];
    });
    assert.match(poll, /\r\n\r\n6$/);
    assert.match(after, /"Session ID unknown"/);
    assert.deepEqual(reports, [
      ["transport close", undefined],
      [1, true],
    ]);
  });

  test("the id of a session that has ended leads to no other", async (t) => {
    const answers = await same(t, { isBare: true }, async (session) => {
      const { target } = session;
      session.conn.close(true);
      await released(session.conn);
      // On a worker, it has the place of the session that has ended.
      await session.shake();
      session.conn.send("for the other");
      const answers = [];
      for (const method of ["GET", "POST"]) {
        const request = `${method} ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`;
        answers.push(await session.ask(request));
      }
      return [answers, session.conn.readyState];
    });
    for (const answer of answers[0]) assert.match(answer, /"Session ID unknown"/);
  });

  test("packets that are none end the session", async (t) => {
    for (const [payload, reason] of [
      ["9", "parse error"],
      ["", "parse error"],
      ["4a\x1e\x1e4b", "parse error"],
      ["2", "transport error"],
    ]) {
      const reports = await same(t, { isBare: true }, async (session) => {
        await session.ask(session.post(payload));
        return session.closed();
      });
      assert.equal(reports[0][0], reason, payload);
    }
  });

  test("what the server closes ends with the next poll, or at once", async (t) => {
    const result = await same(t, { isBare: true }, async (session) => {
      const answers = [];
      session.conn.send("last");
      session.conn.close();
      answers.push(await session.ask(session.get()), session.conn.readyState);
      answers.push(await session.ask(session.get()));
      await session.closed();
      await session.shake();
      const other = await session.connect();
      other.write(session.get());
      await pending(session);
      session.conn.close();
      answers.push(await session.answer(other));
      await session.closed();
      await session.shake();
      session.conn.close(true);
      answers.push(session.conn.readyState);
      return [
        answers.map((answer) => answer.split("\r\n\r\n").at(-1)),
        session.reports.map(([it]) => it),
      ];
    });
    assert.deepEqual(result[0].slice(0, 4), ["4last", "closing", "6\x1e1", "1"]);
  });

  test("payloads that are too long, or binary, are refused", async (t) => {
    const [long, ok, binary, reports] = await same(t, { isBare: true }, async (session) => {
      const long = await session.ask(session.post(`4${"x".repeat(1000)}`));
      const ok = await session.ask(session.post(`4${"x".repeat(999)}`));
      const binary = await session.ask(
        session.post("x", "Content-Type: application/octet-stream\r\n"),
      );
      return [long, ok, binary, await session.closed()];
    });
    assert.match(long, /^HTTP\/1\.1 413 /);
    assert.match(ok, /\r\n\r\nok$/);
    assert.match(binary, /^HTTP\/1\.1 400 /);
    assert.deepEqual(reports, [["transport error", "invalid content"]]);
  });

  test("requests that workers leave to Node.js reach the session", async (t) => {
    const result = await same(t, { isBare: true }, async (session) => {
      const received = [];
      session.conn.on("message", (message) => received.push(String(message)));
      const answers = [];
      const { target } = session;
      const chunked = "Transfer-Encoding: chunked\r\n\r\n4\r\n4é\x1e\r\n5\r\nbAQI=\r\n0\r\n\r\n";
      const head = `POST ${target} HTTP/1.1\r\nHost: a\r\n`;
      answers.push(await session.ask(head + Buffer.from(chunked).latin1Slice()));
      while (received.length < 2) await new Promise(setImmediate);
      session.conn.send("to the old");
      // A tab is something that Node.js has to judge.
      answers.push(await session.ask(session.get("A:\tb\r\n")));
      const other = await session.connect();
      other.write(session.get("A:\tb\r\n"));
      await pending(session);
      session.conn.send("later");
      answers.push(await session.answer(other));
      answers.push(
        await session.ask(`PUT ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`),
      );
      session.conn.send("on");
      answers.push(await session.ask(session.get()));
      return [answers, received];
    });
    assert.deepEqual(result[1], ["é", "\x01\x02"]);
    assert.match(result[0][1], /\r\n\r\n4to the old$/);
    assert.match(result[0][2], /\r\n\r\n4later$/);
  });

  test("very many tiny packets take linear time", async (t) => {
    // CVE-2020-36048: 1e6 bytes of packets with one byte each.
    for (const kind of kinds.slice(1)) {
      const session = await Session.open(t, kind, { isBare: true, maxHttpBufferSize: 1e6 });
      let count = 0;
      session.conn.on("message", () => count++);
      const packets = "4a\x1e".repeat(300_000).slice(0, -1);
      assert.match(await session.ask(session.post(packets)), /\r\n\r\nok$/);
      while (count < 300_000) await new Promise(setImmediate);
    }
  });

  test("a session is found from every connection and thread", async (t) => {
    for (const kind of kinds.slice(1)) {
      const session = await Session.open(t, kind, { isBare: true, ioThreads: 4 });
      const clients = await Promise.all(Array.from({ length: 12 }, () => session.connect()));
      const received = [];
      session.conn.on("message", (message) => received.push(message));
      for (const [index, client] of clients.entries()) {
        assert.match(await session.ask(session.post(`4${index}`), client), /\r\n\r\nok$/);
        session.conn.send(String(index));
        assert.match(await session.ask(session.get(), client), new RegExp(`\r\n\r\n4${index}$`));
      }
      while (received.length < clients.length) await new Promise(setImmediate);
      assert.deepEqual(
        received,
        clients.map((_, index) => String(index)),
      );
    }
  });

  test("a broadcast reaches all that poll", async (t) => {
    for (const kind of kinds) {
      const session = await Session.open(t, kind);
      const sessions = [];
      for (let count = 0; count < 100; count++) {
        const other = Object.assign(new Session(), { ...session, reports: [] });
        other.client = await session.connect();
        await other.shake();
        await other.ask(other.post("40"));
        await other.ask(other.get());
        sessions.push(other);
      }
      const polls = sessions.map((other) => other.ask(other.get()));
      session.io.emit("all", "é");
      for (const answer of await Promise.all(polls)) {
        assert.equal(Buffer.from(bodyOf(answer), "latin1").toString(), '42["all","é"]');
      }
    }
  });
});

function decoded(answer) {
  const body = bodyOf(answer);
  const coding = /^Content-Encoding: (.*)$/m.exec(answer)?.[1];
  if (coding === undefined) return body;
  const chunks = [];
  for (let rest = body; ; ) {
    const length = Number.parseInt(rest, 16);
    const start = rest.indexOf("\r\n") + 2;
    if (length === 0) break;
    chunks.push(rest.slice(start, start + length));
    rest = rest.slice(start + length + 2);
  }
  const bytes = Buffer.from(chunks.join(""), "latin1");
  return (coding === "gzip" ? zlib.gunzipSync(bytes) : zlib.inflateSync(bytes)).toString();
}
