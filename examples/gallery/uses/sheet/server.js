"use strict";

/**
 * A spreadsheet. Every cell has a version: who writes says which one it has seen, and the server
 * refuses if another has been faster. So nobody overwrites what they have never seen.
 */

const { demand, handle, integer, oneOf, shape, text } = require("../../input.js");

const [COLUMNS, ROWS] = ["ABCD", 8];
const START = [
  ["Trip", "Days", "Per day", "Cost"],
  ["Lisbon", "4", "85", "=B2*C2"],
  ["Oslo", "3", "140", "=B3*C3"],
  ["Kyoto", "7", "95", "=B4*C4"],
  ["Quito", "6", "60", "=B5*C5"],
  [],
  ["Sum", "=SUM(B2:B6)", "", "=SUM(D2:D6)"],
];

module.exports = (sheet) => {
  const cells = new Map();
  for (let row = 0; row < ROWS; row++) {
    for (const [index, column] of [...COLUMNS].entries()) {
      cells.set(`${column}${row + 1}`, { text: START[row]?.[index] ?? "", version: 0 });
    }
  }
  const names = [...cells.keys()];

  /** Presence is no state of the server: it is the data of the sockets that are connected. */
  function sendSelections() {
    const selections = [...sheet.sockets.values()]
      .filter(({ data }) => data.cell)
      .map(({ id, data }) => ({
        id,
        cell: data.cell,
        name: data.person.name,
        hue: data.person.hue,
      }));
    sheet.emit("selections", selections);
  }

  sheet.on("connection", (socket) => {
    socket.emit("sheet", { columns: [...COLUMNS], rows: ROWS, cells: [...cells] });
    sendSelections();

    handle(socket, "select", 20, oneOf([null, ...names]), (cell) => {
      socket.data.cell = cell;
      sendSelections();
    });

    const change = { cell: oneOf(names), text: text(40, 0), version: integer(0, 2 ** 31) };
    handle(socket, "write", 10, shape(change), (wanted) => {
      const cell = cells.get(wanted.cell);
      const isSeen = wanted.version === cell.version;
      demand(isSeen, `${cell.by} has just written ${cell.text || "nothing"} into ${wanted.cell}`);
      Object.assign(cell, {
        text: wanted.text,
        version: cell.version + 1,
        by: socket.data.person.name,
      });
      socket.broadcast.emit("cell", wanted.cell, cell);
      return { cell };
    });

    socket.on("disconnect", sendSelections);
  });
};
