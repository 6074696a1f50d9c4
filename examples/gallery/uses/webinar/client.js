import { button, choices, element, entries, form, group } from "/gallery/elements.js";

/** A choice of talks; the socket of a talk connects when it is chosen. */
export default function webinar({ stage, connect, ask }) {
  const slide = element("p", { role: "status" });
  const hall = element("div", { className: "hall" }, slide);
  const listeners = element("output", { className: "muted small push", ariaLabel: "Listeners" });
  const questions = entries("Questions", "bottom");
  const reactions = ["♥", "★", "▲"].map((sign) =>
    button(sign, () => talk.volatile.emit("react", sign), { ariaLabel: `React with ${sign}` }),
  );
  const line = form("Question", "Ask", (body) => ask(talk, "ask", body), { maxLength: 80 });
  stage.append(hall, group("Reactions", ...reactions, listeners), questions, line);

  const sockets = new Map();
  let talk;
  connect().on("talks", (names) => {
    if (!talk) stage.prepend(choices("Talks", names, enter));
  });

  function enter(name) {
    talk?.disconnect();
    talk = sockets.get(name)?.connect() ?? open(name);
  }
  function open(name) {
    const socket = connect(`/webinar/${name}`);
    socket.on("talk", show);
    socket.on("react", fly);
    socket.on("listeners", (count) => {
      listeners.textContent = `${count} listening`;
    });
    sockets.set(name, socket);
    return socket;
  }

  function show({ text, slide: number, slides, questions: all }) {
    slide.textContent = text;
    hall.dataset.slide = `${number} / ${slides}`;
    const items = all.map(({ body, name }) => element("li", {}, element("b", {}, name), body));
    questions.replaceChildren(...items);
  }
  function fly({ sign }) {
    const sent = element("span", { className: "reaction", ariaHidden: "true" }, sign);
    sent.style.insetInlineStart = `${5 + 85 * Math.random()}%`;
    sent.addEventListener("animationend", () => sent.remove());
    hall.append(sent);
  }
}
