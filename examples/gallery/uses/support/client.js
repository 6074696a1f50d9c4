import { button, element, form } from "/gallery/elements.js";

/** One side for customers, and one for agents, who need the pass phrase. */
export default function support({ stage, connect, say }) {
  const help = conversation("Your question", (body) => customer.emitWithAck("message", body));
  const desk = conversation("Your reply", (body) =>
    agent.emitWithAck("reply", { key: ticket, body }),
  );
  const tickets = element("div", { className: "chips", role: "group", ariaLabel: "Customers" });
  const entrance = form("Pass phrase (open sesame)", "Enter", enter);
  const sides = element("div", { className: "line", role: "group", ariaLabel: "Side" });
  const left = element("div", { className: "side" }, ...help.parts);
  const right = element("div", { className: "side", hidden: true }, entrance);
  stage.append(sides, left, right);

  const customer = connect();
  let agent;
  let passPhrase = "";
  let ticket;

  customer.on("messages", help.showAll);
  customer.on("message", help.show);
  customer.on("typing", help.showTyping);
  help.onTyping(() => customer.volatile.emit("typing"));

  desk.onTyping(() => ticket && agent.volatile.emit("typing", ticket));

  function enter(text) {
    passPhrase = text;
    if (agent) return agent.connect();
    agent = connect("/support-agents", { auth: () => ({ passPhrase }) });
    agent.on("connect", () => {
      right.replaceChildren(tickets, ...desk.parts);
      if (ticket && !agent.recovered) open(ticket);
    });
    agent.on("tickets", (all) => {
      tickets.replaceChildren(
        ...all.map(({ key, name, hue }) =>
          button(name, () => open(key), { hue, ariaPressed: key === ticket, data: { key } }),
        ),
      );
    });
    agent.on("message", desk.show);
    agent.on("typing", desk.showTyping);
  }
  async function open(key) {
    const answer = await agent.emitWithAck("open", key);
    if (!say(answer)) return;
    ticket = key;
    for (const each of tickets.children) each.ariaPressed = each.dataset.key === key;
    desk.showAll(answer.messages);
  }

  const toggles = [left, right].map((side, index) =>
    button(["I need help", "I help"][index], () => {
      for (const each of [left, right]) each.hidden = each !== side;
      for (const each of toggles) each.ariaPressed = each === toggles[index];
    }),
  );
  toggles[0].ariaPressed = "true";
  sides.append(...toggles);

  /** @returns {object} a list of messages with a field below it */
  function conversation(label, send) {
    const list = element("ol", { className: "entries bottom", ariaLabel: "Messages" });
    const typing = element("p", { className: "muted small typing" });
    const line = form(label, "Send", async (body) => say(await send(body)), { maxLength: 200 });
    let timer;
    const show = ({ from, body }) => {
      typing.textContent = "";
      list.append(element("li", {}, element("b", {}, from), body));
      list.scrollTop = list.scrollHeight;
    };
    return {
      parts: [list, typing, line],
      show,
      showAll(messages) {
        list.replaceChildren();
        messages.forEach(show);
      },
      showTyping(name) {
        typing.textContent = `${name} is writing…`;
        clearTimeout(timer);
        timer = setTimeout(() => typing.replaceChildren(), 2000);
      },
      onTyping: (act) => line.addEventListener("input", act),
    };
  }
}
