import { button, element, form } from "/gallery/elements.js";

/** A choice of talks; the socket of a talk connects when it is chosen. */
export default function webinar({ stage, connect, say }) {
  const talks = element("div", { className: "line", role: "group", ariaLabel: "Talks" });
  const slide = element("p", { className: "slide", role: "status" });
  const listeners = element("output", { className: "muted small push", ariaLabel: "Listeners" });
  const reactions = element("div", { className: "line", role: "group", ariaLabel: "Reactions" });
  const questions = element("ol", { className: "entries", ariaLabel: "Questions" });
  const ask = form("Question", "Ask", async (text) => say(await talk.emitWithAck("ask", text)), {
    maxLength: 80,
  });
  const hall = element("div", { className: "hall" }, slide);
  stage.append(talks, hall, reactions, questions, ask);

  let talk;
  connect().on("talks", (names) => {
    const choices = names.map((name) => button(name, () => choose(name)));
    talks.replaceChildren(...choices, listeners);
    const choose = (name) => {
      for (const each of choices) each.ariaPressed = each.textContent === name;
      enter(name);
    };
    choose(names[0]);
  });

  const sockets = new Map();
  function enter(name) {
    talk?.disconnect();
    talk = sockets.get(name)?.connect() ?? open(name);
  }
  function open(name) {
    const socket = connect(`/webinar/${name}`);
    socket.on("talk", show);
    socket.on("listeners", (count) => {
      listeners.textContent = `${count} listening`;
    });
    socket.on("reaction", fly);
    sockets.set(name, socket);
    return socket;
  }

  function show({ text, slide: number, slides, questions: all }) {
    slide.textContent = text;
    hall.dataset.slide = `${number} / ${slides}`;
    const sorted = all.toSorted((a, b) => b.votes - a.votes);
    questions.replaceChildren(
      ...sorted.map(({ id, body, name, votes }) => {
        const vote = async () => say(await talk.emitWithAck("vote", id));
        const label = { className: "push", ariaLabel: `Vote for “${body}”` };
        return element("li", {}, `${body} (${name})`, button(`▲ ${votes}`, vote, label));
      }),
    );
  }

  function fly(sign) {
    const sent = element("span", { className: "reaction", ariaHidden: "true" }, sign);
    sent.style.insetInlineStart = `${5 + 85 * Math.random()}%`;
    sent.addEventListener("animationend", () => sent.remove());
    hall.append(sent);
  }
  for (const sign of ["♥", "★", "▲"]) {
    reactions.append(
      button(sign, () => talk.volatile.emit("react", sign), { ariaLabel: `React ${sign}` }),
    );
  }
}
