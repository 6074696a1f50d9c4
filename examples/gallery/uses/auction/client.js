import { button, element } from "/gallery/elements.js";

/** The lot, the highest bid, and buttons that bid more. */
export default function auction({ stage, connect, say }) {
  const title = element("h3");
  const price = element("output", { className: "price", ariaLabel: "Highest bid" });
  const leader = element("p", { className: "leader" });
  const clock = element("progress", { max: 45, value: 45, ariaLabel: "Time left" });
  const bids = element("ol", { className: "entries", ariaLabel: "Bids" });
  const actions = element("div", { className: "line" });
  stage.append(title, price, leader, clock, actions, bids);

  const socket = connect();
  let me;
  let lot;
  let ends = 0;

  socket.on("you", (key) => {
    me = key;
  });

  socket.on("lot", (state) => {
    lot = state;
    ends = performance.now() + lot.left;
    title.textContent = lot.title;
    price.textContent = lot.price;
    leader.textContent = headline();
    stage.classList.toggle("mine", lot.leader?.key === me);
    const shown = lot.bids.map(({ amount, name, hue }) =>
      element("li", { hue }, element("span", { className: "dot" }), name, element("b", {}, amount)),
    );
    bids.replaceChildren(...shown);
    for (const each of actions.children) each.disabled = lot.isSold;
  });

  function headline() {
    if (!lot.leader) return "No bid yet";
    const name = lot.leader.key === me ? "You" : lot.leader.name;
    if (lot.isSold) return `Sold: ${name} ${name === "You" ? "have" : "has"} it`;
    return `${name} ${name === "You" ? "lead" : "leads"}`;
  }

  for (const factor of [1, 3, 10]) {
    const bid = async () => say(await socket.emitWithAck("bid", lot.price + factor * lot.step));
    actions.append(button(`+ ${factor * 5}`, bid, { ariaLabel: `Bid ${factor * 5} more` }));
  }
  setInterval(() => {
    clock.value = Math.max(0, (ends - performance.now()) / 1000);
  }, 250);
}
