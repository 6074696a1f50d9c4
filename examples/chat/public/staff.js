import { byId } from "./dom.js";

/** Time in which the server must acknowledge an announcement, in milliseconds. */
const ACK_TIMEOUT = 10_000;

/**
 * Sets up the staff's dialog: a second namespace over the same connection, with a pass phrase.
 *
 * @param {object} manager the client's manager
 */
export function setUpStaff(manager) {
  const dialog = byId("staff");
  const status = byId("staff-status");
  let passphrase = "";
  const socket = manager.socket("/staff", { auth: (send) => send({ passphrase }) });

  const say = (text, isError = false) => {
    status.textContent = text;
    status.className = isError ? "error" : "muted";
  };
  const paint = () => {
    byId("passphrase-form").hidden = socket.connected;
    byId("announce-form").hidden = !socket.connected;
  };

  socket.on("connect", () => {
    say("You are signed in.");
    paint();
    byId("announce-text").focus();
  });
  socket.on("connect_error", (error) => {
    if (!socket.active) say(`${error.message}.`, true);
    paint();
  });
  socket.on("disconnect", () => say("The connection is lost.", true));

  byId("staff-open").addEventListener("click", () => {
    say("");
    paint();
    dialog.showModal();
  });
  byId("staff-close").addEventListener("click", () => dialog.close());
  byId("passphrase-form").addEventListener("submit", (event) => {
    event.preventDefault();
    passphrase = byId("passphrase").value;
    byId("passphrase").value = "";
    say("Signing in…");
    socket.connect();
  });
  byId("announce-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = byId("announce-text").value;
    try {
      const answer = await socket.timeout(ACK_TIMEOUT).emitWithAck("announce", { text });
      if (!answer.ok) return say(`${answer.error}.`, true);
      byId("announce-text").value = "";
      say(`Announced to ${answer.people} ${answer.people === 1 ? "person" : "people"}.`);
    } catch {
      say("The server did not answer.", true);
    }
  });
}
