/**
 * Formulas such as `=SUM(B2:B6) * (1 + C1) / 2`, by recursive descent and without `eval()`.
 *
 * @param {string} text of a cell
 * @param {(name: string) => string} read returns the text of another cell
 * @param {string[]} [path] the cells that wait for this one
 * @returns {string | number} what the cell shows
 */
export function evaluate(text, read, path = []) {
  if (!text.startsWith("=")) return text;
  const tokens =
    text
      .slice(1)
      .toUpperCase()
      .match(/[A-Z]\d+|SUM|\d+(\.\d+)?|\S/g) ?? [];
  const take = (wanted) => (tokens[0] === wanted ? tokens.shift() : undefined);
  const must = (wanted) => {
    if (take(wanted) === undefined) throw new Error(`${wanted} is missing`);
  };

  function cell(name) {
    if (path.includes(name)) throw new Error("A circle");
    return Number(evaluate(read(name), read, [...path, name]));
  }
  function range(from, to) {
    const cells = [];
    for (let column = from.charCodeAt(0); column <= to.charCodeAt(0); column++) {
      for (let row = Number(from.slice(1)); row <= Number(to.slice(1)); row++) {
        cells.push(String.fromCharCode(column) + row);
      }
    }
    return cells;
  }
  function factor() {
    const token = tokens.shift();
    if (token === "-") return -factor();
    if (token === "(") {
      const value = sum();
      must(")");
      return value;
    }
    if (token === "SUM") {
      must("(");
      const from = tokens.shift();
      must(":");
      const cells = range(from, tokens.shift());
      must(")");
      return cells.reduce((total, name) => total + cell(name), 0);
    }
    return /^[A-Z]\d/.test(token) ? cell(token) : Number(token);
  }
  function product() {
    let value = factor();
    while ("*/".includes(tokens[0] ?? " "))
      value = take("*") ? value * factor() : value / (take("/") && factor());
    return value;
  }
  function sum() {
    let value = product();
    while ("+-".includes(tokens[0] ?? " "))
      value += take("+") ? product() : -(take("-") && product());
    return value;
  }

  try {
    const value = sum();
    return Number.isFinite(value) && tokens.length === 0 ? Math.round(value * 100) / 100 : "?";
  } catch {
    return "?";
  }
}
