"use strict";

/** When a session with long-polling answers, and what programs see of it: on a stock server and on workers. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { describe, test } = require("node:test");
const {
  bodyOf,
  passed,
  pending,
  receiving,
  released,
  same,
} = require("../support/polling-session.js");

const LONG = 60_000;

describe("a session with long-polling", { timeout: 45_000 }, () => {
  test("gets its open packet alone", async (t) => {
    const look = (conn) => conn.send("first").send("second");
    const bodies = await same(t, { isBare: true, look }, async (session) => [
      bodyOf(session.opening).slice(0, 6),
      session.opening.includes("first"),
      bodyOf(await session.ask(session.get())),
    ]);
    assert.deepEqual(bodies, ['0{"sid', false, "4first\x1e4second"]);
  });

  test("gets the initial packet with the open packet", async (t) => {
    const look = (conn) => conn.send("later");
    const options = { isBare: true, initialPacket: "hi", look };
    const bodies = await same(t, options, async (session) => [
      bodyOf(session.opening).split("\x1e").slice(1),
      bodyOf(await session.ask(session.get())),
    ]);
    assert.deepEqual(bodies, [["4hi"], "4later"]);
  });

  test("loses what waits for a poll when it is closed at once", async (t) => {
    const bodies = await same(t, { isBare: true }, async (session) => {
      session.conn.send("lost");
      session.conn.close(true);
      await released(session.conn);
      return [bodyOf(await session.ask(session.get())), session.reports];
    });
    assert.match(bodies[0], /Session ID unknown/);
  });

  test("answers a payload when its packets have been handled", async (t) => {
    const bodies = await same(t, {}, async (session) => {
      // No such namespace has been entered, so that Socket.IO closes the session.
      const other = await session.connect();
      other.write(session.get());
      await pending(session);
      const posted = await session.ask(session.post('42["news"]'));
      return [posted, bodyOf(await session.answer(other)), await session.closed()];
    });
    assert.equal(bodies[1], "1");
  });

  test("answers a payload that Node.js has read when its packets have been handled", async (t) => {
    const result = await same(t, { isBare: true }, async (session) => {
      let response;
      session.server.on("request", (_request, ofRequest) => (response = ofRequest));
      const seen = [];
      session.conn.on("message", (message) => seen.push([message, response.writableEnded]));
      seen.push(bodyOf(await session.ask(session.postInChunks("4a\x1e4b"))));
      seen.push(bodyOf(await session.ask(session.postInChunks("4c\x1e1\x1e4d"))));
      return [seen, await session.closed()];
    });
    const unanswered = false;
    assert.deepEqual(result[0], [
      ["a", unanswered],
      ["b", unanswered],
      "ok",
      ["c", unanswered],
      "ok",
    ]);
    assert.deepEqual(result[1], [["transport close", undefined]]);
  });

  test("closes behind the answer to a payload", async (t) => {
    const bodies = await same(t, {}, async (session) => {
      const posted = bodyOf(await session.ask(session.post('42["news"]')));
      const { readyState } = session.conn;
      return [posted, readyState, bodyOf(await session.ask(session.get()))];
    });
    assert.deepEqual(bodies, ["ok", "closing", "6\x1e1"]);
  });

  for (const [title, end] of Object.entries({
    "conn.close()": (conn) => conn.close(),
    "conn.close(true)": (conn) => conn.close(true),
    "conn.transport.close()": (conn) => conn.transport.close(),
  })) {
    for (const part of ["post", "postInChunks"]) {
      test(`ends the connection of a payload that is incomplete: ${title}, ${part}`, async (t) => {
        await same(t, { isBare: true }, async (session) => {
          const other = await session.connect();
          other.write(session[part]("4abc").slice(0, -1));
          await receiving(session);
          const ended = once(other.socket, "close");
          other.socket.on("error", () => {});
          end(session.conn);
          await ended;
          const reports = await session.closed();
          return [reports, other.received];
        });
      });
    }
  }

  for (const isLooked of [false, true]) {
    const looked = isLooked ? ", and its transport has been looked at" : "";
    test(`times out while it is being closed${looked}`, async (t) => {
      const options = { isBare: true, pingInterval: 40, pingTimeout: 1_000 };
      const result = await same(t, options, async (session) => {
        if (isLooked) assert.equal(session.conn.transport.name, "polling");
        session.conn.close();
        await session.closed();
        await released(session.conn);
        return [session.reports[0], bodyOf(await session.ask(session.get()))];
      });
      assert.deepEqual(result[0], ["ping timeout", undefined]);
      assert.match(result[1], /Session ID unknown/);
    });

    test(`with Socket.IO times out while it is being closed${looked}`, async (t) => {
      const result = await same(t, { pingInterval: 40, pingTimeout: 1_000 }, async (session) => {
        if (isLooked) assert.equal(session.conn.transport.name, "polling");
        session.conn.close();
        return session.closed();
      });
      assert.deepEqual(result, [["ping timeout", undefined]]);
    });
  }

  test("shows the headers of its responses to listeners of the transport", async (t) => {
    let seen;
    const look = ({ id, transport }) => {
      seen = [];
      transport.on("headers", (headers, { method, url }) => {
        seen.push([method, url.includes(id), { ...headers }]);
        headers["x-seen"] = seen.length;
      });
    };
    const result = await same(t, { isBare: true, pingInterval: LONG, look }, async (session) => {
      session.conn.send("hi");
      const answers = [await session.ask(session.get())];
      answers.push(await session.ask(session.post("4there")));
      return [seen, answers];
    });
    assert.deepEqual(
      result[0].map(([method, isOfSession]) => [method, isOfSession]),
      [
        ["GET", true],
        ["POST", true],
      ],
    );
    assert.match(result[1][0], /^x-seen: 1$/m);
    assert.match(result[1][0], /\r\n\r\n4hi$/);
    assert.match(result[1][1], /^x-seen: 2$/m);
  });

  test("leaves no request to Node.js else", async (t) => {
    const before = passed();
    await same(t, { isBare: true }, async (session) => {
      session.conn.transport.on("drain", () => {});
      session.conn.send("hi");
      return session.ask(session.get());
    });
    assert.equal(passed(), before);
  });
});
