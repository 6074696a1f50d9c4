/** Elements of HTML and SVG. Text becomes text nodes, never markup. */

/** Creates an element with these properties, of which `hue` and `data` are set as such. */
export function element(tag, { hue, data, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  if (hue !== undefined) made.style.setProperty("--hue", hue);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** Creates an element of SVG with these attributes. */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Creates a row of elements that belong together. */
export const group = (ariaLabel, ...children) =>
  element("div", { className: "line", role: "group", ariaLabel }, ...children);

/** Creates an entry of a list, with the colour of a person. */
export const entry = (hue, ...children) =>
  element("li", { hue }, element("span", { className: "dot" }), ...children);

/** Creates a list that scrolls. */
export const entries = (ariaLabel, className = "") =>
  element("ol", { className: `entries ${className}`, ariaLabel });

export function button(label, onClick, properties = {}) {
  const made = element("button", { type: "button", ...properties }, label);
  made.addEventListener("click", onClick);
  return made;
}

/** Creates a button that is pressed or not. A press asks `act` for the other state. */
export function toggle(label, act, properties) {
  const press = async () => {
    const isOn = made.ariaPressed !== "true";
    if (await act(isOn)) made.ariaPressed = isOn;
  };
  const made = button(label, press, { ariaPressed: "true", ...properties });
  return made;
}

/** Creates buttons of which one is pressed; `choose` gets its label. */
export function choices(ariaLabel, labels, choose) {
  const press = (label) => {
    for (const each of made.children) each.ariaPressed = each.dataset.label === label;
    choose(label);
  };
  const buttons = labels.map((label) => button(label, () => press(label), { data: { label } }));
  const made = group(ariaLabel, ...buttons);
  press(labels[0]);
  return made;
}

/** Creates a field with a button. What was written stays, unless `send` has a result. */
export function form(label, action, send, properties = {}) {
  const hints = { ariaLabel: label, placeholder: label, required: true };
  const field = element("input", { ...hints, ...properties });
  const made = element("form", { className: "line" }, field, element("button", {}, action));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await send(field.value)) field.value = "";
  });
  return made;
}

/** Returns the nearest place of a drawing of 480 × 300. */
export function inside(x, y) {
  const clamp = (value, max) => Math.max(0, Math.min(max, Math.round(value)));
  return { x: clamp(x, 480), y: clamp(y, 300) };
}

/** Returns the place of a pointer in a drawing. */
export function place({ clientX, clientY }, drawing) {
  const point = new DOMPoint(clientX, clientY).matrixTransform(drawing.getScreenCTM().inverse());
  return inside(point.x, point.y);
}

/** Adds an element to a list, at its start, and removes what is beyond `limit`. */
export function log(list, item, limit = 40) {
  list.prepend(item);
  while (list.children.length > limit) list.lastElementChild.remove();
}
