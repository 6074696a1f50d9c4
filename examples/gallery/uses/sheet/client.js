import { element } from "/gallery/elements.js";
import { evaluate } from "/uses/sheet/formula.js";

/** A table of fields: a field shows its formula while it has the focus, otherwise the value. */
export default function sheet({ stage, connect, say }) {
  const table = element("table", { className: "sheet" });
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
      const place = fields.get(cell)?.parentElement;
      place?.style.setProperty("--hue", hue);
      if (place) place.dataset.by = name;
    }
  });

  function build(columns, rows) {
    const head = columns.map((column) => element("th", { scope: "col" }, column));
    table.append(element("tr", {}, element("th"), ...head));
    for (let row = 1; row <= rows; row++) {
      const places = columns.map((column) => element("td", {}, makeField(column + row)));
      table.append(element("tr", {}, element("th", { scope: "row" }, String(row)), ...places));
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
    field.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") field.blur();
    });
    field.addEventListener("blur", async () => {
      socket.emit("select", null);
      const { value: text } = field;
      if (text !== read(name)) {
        const answer = await socket.emitWithAck("write", { cell: name, text, version });
        if (say(answer)) cells.set(name, answer.cell);
      }
      paint();
    });
    fields.set(name, field);
    return field;
  }

  function paint() {
    for (const [name, field] of fields) {
      if (field === document.activeElement) continue;
      const value = evaluate(read(name), read, [name]);
      field.value = value;
      field.classList.toggle("number", value !== "" && Number.isFinite(Number(value)));
    }
  }
}
