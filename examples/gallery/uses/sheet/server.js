/**
 * A spreadsheet. Every cell has a version: who writes says which one it has seen, and the server
 * refuses if another has been faster. So nobody overwrites what they have never seen.
 */

const { demand, handle, integer, oneOf, shape, text } = require("../../input.js");

const [COLUMNS, ROWS] = [["A", "B", "C", "D"], 8];
const START = `Trip,Days,Per day,Cost
Lisbon,4,85,=B2*C2
Oslo,3,140,=B3*C3
Kyoto,7,95,=B4*C4
Quito,6,60,=B5*C5
,,,
Sum,=SUM(B2:B6),,=SUM(D2:D6)
,,,`;

module.exports = (sheet) => {
  const cells = new Map();
  for (const [row, line] of START.split("\n").entries()) {
    for (const [column, content] of line.split(",").entries()) {
      cells.set(`${COLUMNS[column]}${row + 1}`, { text: content, version: 0, by: "Nobody" });
    }
  }
  const names = [...cells.keys()];
  /** Presence is not kept: it is the data of the sockets that are connected now. */
  function sendSelections() {
    const all = [...sheet.sockets.values()].filter(({ data }) => data.cell);
    const view = ({ id, data }) => ({ ...data.person, id, cell: data.cell });
    sheet.emit("selections", all.map(view));
  }

  sheet.on("connection", (socket) => {
    const by = socket.data.person.name;
    socket.emit("sheet", { columns: COLUMNS, rows: ROWS, cells: [...cells] });
    sendSelections();
    socket.on("disconnect", sendSelections);

    handle(socket, "select", 20, oneOf([null, ...names]), (cell) => {
      socket.data.cell = cell;
      sendSelections();
    });
    const change = { name: oneOf(names), text: text(40, 0), version: integer(0, 2 ** 31) };
    handle(socket, "write", 10, shape(change), ({ name, text, version }) => {
      const before = cells.get(name);
      const isSeen = version === before.version;
      demand(isSeen, `${before.by} has just written “${before.text}” into ${name}`);
      const cell = { text, version: version + 1, by };
      cells.set(name, cell);
      socket.broadcast.emit("cell", name, cell);
      return { cell };
    });
  });
};
