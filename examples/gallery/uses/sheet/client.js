import { element } from "/gallery/elements.js";
import { evaluate } from "/uses/sheet/formula.js";

/** A table of fields: a field shows its formula while it has the focus, otherwise the value. */
export default function sheet({ stage, connect, ask }) {
  const table = element("table");
  stage.append(table);
  const socket = connect();
  const cells = new Map();
  const fields = new Map();
  const read = (name) => cells.get(name)?.text ?? "";

  socket.on("sheet", ({ columns, rows, cells: all }) => {
    for (const [name, cell] of all) cells.set(name, cell);
    if (fields.size === 0) build(columns, rows);
    paint();
  });
  socket.on("cell", (name, cell) => {
    cells.set(name, cell);
    paint();
  });
  socket.on("selections", (selections) => {
    for (const field of fields.values()) field.parentElement.removeAttribute("data-by");
    for (const { id, cell, name, hue } of selections) {
      if (id === socket.id) continue;
      const { style, dataset } = fields.get(cell).parentElement;
      style.setProperty("--hue", hue);
      dataset.by = name;
    }
  });

  function build(columns, rows) {
    table.append(element("tr", {}, ...["", ...columns].map((name) => element("th", {}, name))));
    for (let row = 1; row <= rows; row++) {
      const places = columns.map((column) => element("td", {}, makeField(column + row)));
      table.append(element("tr", {}, element("th", {}, String(row)), ...places));
    }
  }

  function makeField(name) {
    const field = element("input", { ariaLabel: name, maxLength: 40, autocomplete: "off" });
    let version = 0;
    field.addEventListener("focus", () => {
      version = cells.get(name).version;
      field.value = read(name);
      socket.emit("select", name);
    });
    field.addEventListener("keydown", ({ key }) => key === "Enter" && field.blur());
    field.addEventListener("blur", async () => {
      socket.emit("select", null);
      const { value: text } = field;
      if (text !== read(name)) {
        const answer = await ask(socket, "write", { name, text, version });
        if (answer) cells.set(name, answer.cell);
      }
      paint();
    });
    fields.set(name, field);
    return field;
  }

  function paint() {
    for (const [name, field] of fields) {
      if (field !== document.activeElement) field.value = evaluate(read(name), read, [name]);
      field.classList.toggle("number", field.value !== "" && Number.isFinite(+field.value));
    }
  }
}
