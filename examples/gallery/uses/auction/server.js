/**
 * An auction. Only the server knows the highest bid: it takes bids one after the other, and the
 * acknowledgement of each says whether it leads. Everybody else learns of the lot by a broadcast.
 */

const { demand, handle, integer } = require("../../input.js");

const LOTS = ["A clock without hands", "The last floppy disk", "A map of nowhere", "Half a bridge"];
const [DURATION, EXTENSION, PAUSE, STEP, MOST] = [45_000, 8_000, 5_000, 5, 1_000_000];
const HOUSE = { key: "house", name: "Mr Gavel", hue: 40 };

module.exports = (auction, { every }) => {
  let lot;

  function open(index) {
    const ends = Date.now() + DURATION;
    lot = { index, title: LOTS[index], ends, price: 20, leader: null, isSold: false, bids: [] };
  }
  open(0);
  /** A lot as it is sent: clocks of visitors may be wrong, so it has the time that is left. */
  const state = () => ({ ...lot, left: Math.max(0, lot.ends - Date.now()) });

  function bid(person, amount) {
    demand(!lot.isSold && Date.now() < lot.ends, "The lot is sold");
    const least = lot.leader ? lot.price + STEP : lot.price;
    demand(amount >= least, `At least ${least}: ${lot.leader?.name ?? "nobody"} leads`);
    lot.price = amount;
    lot.leader = person;
    lot.bids = [{ amount, ...person }, ...lot.bids].slice(0, 20);
    lot.ends = Math.max(lot.ends, Date.now() + EXTENSION);
    auction.emit("lot", state());
    return { amount };
  }

  auction.on("connection", (socket) => {
    socket.emit("you", socket.data.person.key);
    socket.emit("lot", state());
    handle(socket, "bid", 5, integer(1, MOST), (amount) => bid(socket.data.person, amount));
  });

  every(500, () => {
    const now = Date.now();
    if (now > lot.ends + PAUSE) open((lot.index + 1) % LOTS.length);
    else if (now > lot.ends && !lot.isSold) lot.isSold = true;
    else if (isHouseWilling()) return bid(HOUSE, lot.leader ? lot.price + STEP : lot.price);
    else return;
    auction.emit("lot", state());
  });
  /** The house bids now and then, and never much, so that a single visitor has an opponent. */
  function isHouseWilling() {
    const isOpen = lot.ends - Date.now() > EXTENSION;
    return isOpen && lot.leader !== HOUSE && lot.price < 200 && Math.random() < 0.12;
  }
};
