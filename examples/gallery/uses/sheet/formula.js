/**
 * Formulas such as `=SUM(B2:B6) * (1 + C1) / 2`, without `eval()`.
 *
 * @param {string} text of a cell
 * @param {(name: string) => string} read returns the text of another cell
 * @param {string[]} path the cells that wait for this one
 * @returns {string | number} what the cell shows
 */
export function evaluate(text, read, path) {
  if (!text.startsWith("=")) return text;
  const numberIn = (name) =>
    path.includes(name) ? Number.NaN : Number(evaluate(read(name), read, [...path, name]));
  const sum = (_match, ...corners) =>
    range(...corners).reduce((total, name) => total + numberIn(name), 0);
  const numbers = text
    .toUpperCase()
    .replace(/[=\s]/g, "")
    .replace(/SUM\(([A-Z])(\d):([A-Z])(\d)\)/g, sum)
    .replace(/[A-Z]\d/g, numberIn);
  const result = calculate(numbers);
  return Number.isFinite(result) ? Math.round(result * 100) / 100 : "?";
}

function range(left, top, right, bottom) {
  const names = [];
  for (let column = left.charCodeAt(0); column <= right.charCodeAt(0); column++) {
    for (let row = Number(top); row <= Number(bottom); row++) {
      names.push(`${String.fromCharCode(column)}${row}`);
    }
  }
  return names;
}

/** Calculates parentheses first, then splits at the last operator of the lowest precedence. */
function calculate(text) {
  const flat = text.replace(/\(([^()]*)\)/, (_match, inner) => calculate(inner));
  if (flat !== text) return calculate(flat);
  const parts = text.match(/^(.*\d)([+-])([^+-]+)$/) ?? text.match(/^(.+)([*/])([^*/]+)$/);
  if (!parts) return text === "" ? Number.NaN : Number(text);
  const [a, b] = [calculate(parts[1]), calculate(parts[3])];
  return { "+": a + b, "-": a - b, "*": a * b, "/": a / b }[parts[2]];
}
