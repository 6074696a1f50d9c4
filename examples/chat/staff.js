const { createHash, timingSafeEqual } = require("node:crypto");
const { answer } = require("./answer.js");
const { fetchSockets } = require("./cluster.js");
const { TEXT_LIMIT, parseObject, parseText } = require("./input.js");

/**
 * Serves the staff's namespace: people who know the pass phrase may send announcements to everyone.
 *
 * @param {import("socket.io").Namespace} staff
 * @param {import("socket.io").Namespace} everyone
 * @param {string} passphrase
 */
function serveStaff(staff, everyone, passphrase) {
  staff.use((socket, next) => {
    const isStaff = isSame(socket.handshake.auth.passphrase, passphrase);
    next(isStaff ? undefined : new Error("The pass phrase is wrong"));
  });

  staff.on("connection", (socket) => {
    answer(socket, "announce", async (value) => {
      const text = parseText(parseObject(value).text, "The announcement", TEXT_LIMIT);
      everyone.emit("announcement", { text, at: Date.now() });
      return { people: (await fetchSockets(everyone)).length };
    });
  });
}

/**
 * @param {unknown} guess
 * @param {string} secret
 * @returns {boolean} true if both are the same. The time that it takes reveals nothing about `secret`
 */
function isSame(guess, secret) {
  if (typeof guess !== "string") return false;
  const [a, b] = [guess, secret].map((text) => createHash("sha256").update(text).digest());
  return timingSafeEqual(a, b);
}

module.exports = { serveStaff };
