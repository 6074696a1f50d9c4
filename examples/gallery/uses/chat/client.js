import { element, entries, form } from "/gallery/elements.js";

const randomId = () => crypto.getRandomValues(new Uint32Array(3)).join("-");

/** The lobby of the chat in examples/chat, beside those who have opened the whole chat. */
export default function chat({ stage, connect, ask }) {
  const people = element("ul", { className: "chips", ariaLabel: "People" });
  const messages = entries("Messages", "bottom");
  const open = element("a", { href: "/chat" }, "Open the whole chat");
  const line = form("Message", "Send", send, { maxLength: 200 });
  stage.append(people, messages, line, open);
  /** A name belongs to one page of the chat at a time; a reload keeps it. */
  sessionStorage.chatter ??= `Visitor ${100 + Math.trunc(Math.random() * 900)}`;
  sessionStorage.page ??= randomId();
  const { chatter: name, page } = sessionStorage;
  let [names, known] = [new Set(), new Set()];
  const socket = connect("/", { auth: () => ({ name, page }) });

  socket.on("welcome", () =>
    ask(socket, "join", { room: "lobby" }, (answer) => {
      names = new Set(answer.people);
      answer.messages.forEach(show);
      showPeople();
    }),
  );
  socket.on("message", show);
  socket.on("joined", (person) => person.room === "lobby" && showPeople(names.add(person.name)));
  socket.on("left", (person) => person.room === "lobby" && showPeople(names.delete(person.name)));

  async function send(text) {
    const message = { room: "lobby", id: randomId(), text };
    const isSent = await ask(socket, "message", message);
    if (isSent) show({ ...message, from: name });
    return isSent;
  }
  /** Shows a message once, though it may come again when the page joins again. */
  function show({ id, room = "lobby", from, text, image }) {
    if (room !== "lobby" || known.has(id)) return;
    known.add(id);
    const body = text ?? `(an image: ${image.name})`;
    messages.append(element("li", {}, element("b", {}, from), body));
    messages.scrollTop = messages.scrollHeight;
  }

  function showPeople() {
    people.replaceChildren(...[...names].map((each) => element("li", {}, each)));
  }
}
