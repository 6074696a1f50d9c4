import { button, element, log } from "/gallery/elements.js";

/** Scores of all matches, cheers, and what has happened. */
export default function sports({ stage, connect }) {
  const board = element("ul", { className: "matches" });
  const news = element("ol", { className: "entries", ariaLabel: "Events" });
  stage.append(board, news);

  let offset = 0;
  let rows = [];
  const socket = connect("/sports", { auth: () => ({ offset }) });

  socket.on("matches", (matches) => {
    if (rows.length > 0) return;
    rows = matches.map((teams, match) => {
      const score = element(
        "output",
        { ariaLabel: `Score of ${teams.join(" against ")}` },
        "0 : 0",
      );
      const minute = element("span", { className: "muted small" });
      const cheers = teams.map((name, team) =>
        button("", () => socket.emit("cheer", { match, team }), {
          ariaLabel: `Cheer for the ${name}`,
        }),
      );
      const [home, guest] = teams.map((name) => element("span", {}, name));
      board.append(element("li", {}, cheers[0], home, score, guest, cheers[1], minute));
      return { score, minute, cheers };
    });
  });

  socket.on("events", (events) => {
    for (const { id, match, minute, score, isGoal, text } of events) {
      if (id <= offset) continue;
      offset = id;
      rows[match].score.textContent = score.join(" : ");
      rows[match].minute.textContent = `${minute}′`;
      log(
        news,
        element("li", { className: isGoal ? "goal" : "", data: { id } }, `${minute}′ ${text}`),
        40,
      );
    }
  });

  socket.on("cheers", (cheers) => {
    cheers.forEach((counts, match) => {
      counts.forEach((count, team) => {
        rows[match].cheers[team].textContent = `♥ ${count}`;
      });
    });
  });
}
