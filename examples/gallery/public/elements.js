/** Elements of HTML and SVG. Text becomes text nodes, never markup. */

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] of the element; `hue` and `data` are set as such
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(tag, { hue, data, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  if (hue !== undefined) made.style.setProperty("--hue", hue);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** @returns {SVGElement} with these attributes */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @returns {HTMLButtonElement} */
export function button(label, onClick, properties = {}) {
  const made = element("button", { type: "button", ...properties }, label);
  made.addEventListener("click", onClick);
  return made;
}

/**
 * @param {string} label of the field, for screen readers
 * @param {string} action on the button
 * @param {(text: string) => unknown} onText gets what was written; a false result keeps it
 * @param {object} [properties] of the field
 * @returns {HTMLFormElement} a field with a button
 */
export function form(label, action, onText, properties = {}) {
  const field = element("input", { ariaLabel: label, placeholder: label, ...properties });
  field.required = true;
  const made = element("form", { className: "line" }, field, element("button", {}, action));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    if ((await onText(field.value)) !== false) field.value = "";
  });
  return made;
}

/** @returns {{ x: number, y: number }} the place of a pointer in the coordinates of a drawing */
export function place(event, drawing) {
  const point = new DOMPoint(event.clientX, event.clientY);
  const { x, y } = point.matrixTransform(drawing.getScreenCTM().inverse());
  return { x: Math.round(x), y: Math.round(y) };
}

/** Adds an element to a log, at its start, and removes what is beyond `limit`. */
export function log(list, item, limit = 30) {
  list.prepend(item);
  while (list.children.length > limit) list.lastElementChild.remove();
}
