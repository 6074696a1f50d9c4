import { button, element } from "/gallery/elements.js";

/** The options as bars. `retries` sends a vote again until the server acknowledges it. */
export default function poll({ stage, connect, ask }) {
  const question = element("h3");
  const options = element("div", { className: "options" });
  const last = element("p", { className: "muted small", role: "status" });
  stage.append(question, options, last);

  const socket = connect("/poll", { retries: 5, ackTimeout: 2000 });
  let labels = [];
  let bars = [];

  socket.on("poll", ({ round, question: text, options: all, ...results }) => {
    question.textContent = text;
    labels = all;
    bars = all.map((label, option) =>
      button(label, () => vote(round, option), { className: "option" }),
    );
    for (const bar of bars) bar.append(element("b"));
    options.replaceChildren(...bars);
    show(results);
  });
  socket.on("results", show);
  socket.on("voted", choose);

  function vote(round, option) {
    choose(option);
    ask(socket, "vote", { round, option });
  }
  function choose(option) {
    bars.forEach((bar, index) => {
      bar.ariaPressed = index === option;
    });
  }
  function show({ counts, last: latest }) {
    const sum = counts.reduce((all, each) => all + each, 0);
    bars.forEach((bar, index) => {
      bar.style.setProperty("--share", counts[index] / (sum || 1));
      bar.lastChild.textContent = counts[index];
    });
    last.textContent = latest ? `${latest.name} chose ${labels[latest.option]}` : "";
  }
}
