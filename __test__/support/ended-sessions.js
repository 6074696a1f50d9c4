"use strict";

/** Complaints of browsers about requests that came too late for their session. */

/** Ends of a session that polls, by its client and by the server; a failed request or heartbeat is none of them. */
const ASKED_FOR = ["transport close", "forced close"];

/**
 * Watches the sessions that servers open. A session may be ended while a request of its client is on
 * its way: a client that polls sends its close packet beside a GET, and a server closes beside a
 * POST. The request that finds no session is answered with 400, "Session ID unknown", which Chromium
 * logs as an error.
 *
 * @param {...import("socket.io").Server} servers before they have clients
 * @returns {(complaints: string[]) => string[]} returns the complaints but those of such requests
 */
function watchEndedSessions(...servers) {
  const ended = new Set();
  for (const io of servers) {
    io.engine.on("connection", (session) => {
      session.once("close", (reason) => {
        if (ASKED_FOR.includes(reason)) ended.add(session.id);
      });
    });
  }
  const isTooLate = (complaint) => {
    const [, id] = /status of 400 .*transport=polling.*[?&]sid=([\w-]+)/.exec(complaint) ?? [];
    return ended.has(id);
  };
  return (complaints) => complaints.filter((complaint) => !isTooLate(complaint));
}

module.exports = { watchEndedSessions };
