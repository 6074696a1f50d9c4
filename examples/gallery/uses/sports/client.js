import { button, element, entries, log } from "/gallery/elements.js";

/** Scores of all matches, cheers, and what has happened. */
export default function sports({ stage, connect }) {
  const board = element("ul", { className: "matches" });
  const news = entries("Events");
  stage.append(board, news);

  let offset = 0;
  let rows = [];
  const socket = connect("/sports", { auth: () => ({ serverOffset: offset }) });

  socket.on("matches", (matches) => {
    if (rows.length > 0) return;
    rows = matches.map((teams, match) => {
      const score = element("output", { ariaLabel: `Score of ${teams.join(" against ")}` });
      const minute = element("span", { className: "muted small" });
      const [home, guest] = teams.map((name) => element("span", {}, name));
      const cheers = teams.map((name, team) => {
        const cheer = () => socket.emit("cheer", { match, team });
        return button("", cheer, { ariaLabel: `Cheer for the ${name}` });
      });
      board.append(element("li", {}, cheers[0], home, score, guest, cheers[1], minute));
      return { score, minute, cheers };
    });
  });
  socket.on("events", (events) => {
    for (const { id, match, minute, score, text } of events) {
      if (id <= offset) continue;
      offset = id;
      rows[match].score.textContent = score.join(" : ");
      rows[match].minute.textContent = `${minute}′`;
      const className = text.includes("Goal") ? "goal" : "";
      log(news, element("li", { className, data: { id } }, text));
    }
  });
  socket.on("cheers", (cheers) => {
    cheers.flat().forEach((count, index) => {
      rows[index >> 1].cheers[index % 2].textContent = `♥ ${count}`;
    });
  });
}
