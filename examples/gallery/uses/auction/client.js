import { button, element, entries, entry, group } from "/gallery/elements.js";

/** The lot, the highest bid, and buttons that bid more. */
export default function auction({ stage, connect, ask }) {
  const title = element("h3");
  const price = element("output", { className: "price", ariaLabel: "Highest bid" });
  const leader = element("p", { className: "muted" });
  const clock = element("progress", { max: 45, value: 45, ariaLabel: "Time left" });
  const bids = entries("Bids");
  const socket = connect();
  let me;
  let lot;
  let ends = 0;

  const buttons = [5, 15, 50].map((more) => {
    const bid = () => ask(socket, "bid", lot.price + more);
    return button(`+ ${more}`, bid, { ariaLabel: `Bid ${more} more` });
  });
  stage.append(title, price, leader, clock, group("Bid more", ...buttons), bids);

  socket.on("you", (key) => {
    me = key;
  });
  socket.on("lot", (state) => {
    lot = state;
    ends = performance.now() + lot.left;
    title.textContent = lot.title;
    price.textContent = lot.price;
    leader.textContent = headline(lot);
    stage.classList.toggle("leads", lot.leader?.key === me);
    const item = ({ amount, name, hue }) =>
      entry(hue, name, element("b", { className: "push" }, amount));
    bids.replaceChildren(...lot.bids.map(item));
    for (const each of buttons) each.disabled = lot.isSold;
  });

  function headline({ leader: person, isSold }) {
    if (!person) return "No bid yet";
    const isMe = person.key === me;
    if (isSold) return isMe ? "Sold to you" : `Sold to ${person.name}`;
    return isMe ? "You lead" : `${person.name} leads`;
  }
  setInterval(() => {
    clock.value = Math.max(0, (ends - performance.now()) / 1000);
  }, 250);
}
