"use strict";

/**
 * A Markdown table, padded so that it reads on a terminal too.
 *
 * @param {string[]} header
 * @param {string[][]} rows
 * @param {number} [texts] how many columns, from the left, are text; the others are numbers
 * @returns {string}
 */
function table(header, rows, texts = 1) {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column].length)),
  );
  const pad = (cell, column) =>
    column < texts ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
  const line = (cells) => `| ${cells.map(pad).join(" | ")} |`;
  const rule = widths.map((width, column) =>
    column < texts ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [line(header), line(rule), ...rows.map(line)].join("\n");
}

module.exports = { table };
