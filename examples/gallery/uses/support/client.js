import { button, choices, element, entries, form } from "/gallery/elements.js";

/** One side for customers, and one for agents, who need the pass phrase. */
export default function support({ stage, connect, ask }) {
  const customer = connect();
  let agent;
  let passPhrase;
  let ticket;

  const help = conversation("Your question", (body) => ask(customer, "message", body));
  const desk = conversation("Your reply", (body) => ask(agent, "reply", { key: ticket, body }));
  const tickets = element("div", { className: "chips", role: "group", ariaLabel: "Customers" });
  const left = element("div", { className: "side" }, ...help.parts);
  const right = element("div", { className: "side" }, form("Say “open sesame”", "Enter", enter));
  const sides = choices("Side", ["I need help", "I help"], (label) => {
    left.hidden = label === "I help";
    right.hidden = !left.hidden;
  });
  stage.append(sides, left, right);

  customer.on("messages", help.showAll);
  customer.on("message", help.show);

  function enter(text) {
    passPhrase = text;
    if (agent) return agent.connect();
    agent = connect("/support-agents", { auth: () => ({ passPhrase }) });
    agent.on("connect", () => {
      right.replaceChildren(tickets, ...desk.parts);
      if (ticket && !agent.recovered) open(ticket);
    });
    agent.on("tickets", (all) => {
      const item = ({ key, name, hue }) =>
        button(name, () => open(key), { hue, ariaPressed: key === ticket, data: { key } });
      tickets.replaceChildren(...all.map(item));
    });
    agent.on("message", desk.show);
  }
  function open(key) {
    return ask(agent, "open", key, (answer) => {
      ticket = key;
      for (const each of tickets.children) each.ariaPressed = each.dataset.key === key;
      desk.showAll(answer.messages);
    });
  }
  /** Creates a list of messages with a field below it. */
  function conversation(label, send) {
    const list = entries("Messages", "bottom");
    const line = form(label, "Send", send, { maxLength: 200 });
    const show = ({ from, body }) => {
      list.append(element("li", {}, element("b", {}, from), body));
      list.scrollTop = list.scrollHeight;
    };
    const showAll = (messages) => {
      list.replaceChildren();
      messages.forEach(show);
    };
    return { parts: [list, line], show, showAll };
  }
}
