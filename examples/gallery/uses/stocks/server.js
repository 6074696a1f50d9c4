/**
 * A stock exchange. Each share has a room for its ticks, four a second; everybody gets the list of
 * prices once a second. Ticks are volatile, trades are not.
 */

const { handle, integer, oneOf, shape } = require("../../input.js");

const SHARES = { TRBO: 120, RUST: 84, NODE: 61, IO: 33, WS: 12 };
const SYMBOLS = Object.keys(SHARES);
const [INTERVAL, HISTORY, IMPACT] = [250, 160, 4000];
const round = (price) => Math.round(price * 100) / 100;

module.exports = (exchange, { every }) => {
  const shares = new Map();
  for (const symbol of SYMBOLS) shares.set(symbol, { price: SHARES[symbol], history: [] });
  let trades = [];

  function tick(symbol, factor = 1) {
    const share = shares.get(symbol);
    const walk = 1 + (Math.random() - 0.5) * 0.006 + (SHARES[symbol] / share.price - 1) * 0.004;
    share.price = round(Math.max(1, share.price * walk * factor));
    share.history = [...share.history.slice(1 - HISTORY), [Date.now(), share.price]];
    exchange.to(symbol).volatile.emit("tick", symbol, ...share.history.at(-1));
    return share.price;
  }
  const prices = () =>
    Object.fromEntries([...shares].map(([symbol, { price }]) => [symbol, price]));

  exchange.on("connection", (socket) => {
    const { name, hue } = socket.data.person;
    socket.emit("prices", prices());
    socket.emit("trades", trades);

    handle(socket, "watch", 10, oneOf(SYMBOLS), (symbol) => {
      for (const each of SYMBOLS) if (each !== symbol) socket.leave(each);
      socket.join(symbol);
      return { history: shares.get(symbol).history };
    });

    const order = shape({ symbol: oneOf(SYMBOLS), amount: integer(-100, 100) });
    handle(socket, "trade", 5, order, ({ symbol, amount }) => {
      const price = tick(symbol, 1 + amount / IMPACT);
      const trade = { name, hue, symbol, amount, price };
      trades = [trade, ...trades].slice(0, 10);
      exchange.emit("trades", trades);
      return { price };
    });
  });

  every(INTERVAL, () => SYMBOLS.forEach((symbol) => void tick(symbol)));
  every(1000, () => exchange.emit("prices", prices()));
};
