import * as Y from "yjs";
import { element } from "/gallery/elements.js";

const TOKENS =
  /(\/\/.*)|("[^"]*"|`[^`]*`)|\b(const|let|function|return|if|else|for|of|new|await|async)\b|(=>)/g;
const KINDS = ["muted", "string", "keyword", "keyword"];

/** A field on top of a picture of its text, which has colours and the cursors of others. */
export default function code({ stage, connect, ask }) {
  const field = element("textarea", { ariaLabel: "Code", spellcheck: false, wrap: "off" });
  const picture = element("pre", { ariaHidden: "true" });
  const carets = element("div", { className: "carets", ariaHidden: "true" });
  stage.append(element("div", { className: "editor" }, picture, carets, field));

  const doc = new Y.Doc();
  const shared = doc.getText("code");
  const socket = connect();
  const others = new Map();
  /** Sends what the server lacks, and takes what this page lacks: at first, and after each loss. */
  socket.on("connect", async () => {
    for (const caret of others.values()) caret.remove();
    others.clear();
    const answer = await ask(socket, "sync", Y.encodeStateVector(doc));
    if (!answer) return;
    Y.applyUpdate(doc, new Uint8Array(answer.update), "server");
    send(Y.encodeStateAsUpdate(doc, new Uint8Array(answer.vector)));
  });
  socket.on("update", (update) => Y.applyUpdate(doc, new Uint8Array(update), "server"));
  doc.on("update", (update, origin) => {
    if (origin !== "server" && socket.connected) send(update);
  });
  const send = (update) => ask(socket, "update", update);
  /** The typed text is the difference between the field and the shared text. */
  field.addEventListener("input", () => {
    const [before, after] = [shared.toString(), field.value];
    const longest = Math.min(before.length, after.length);
    let start = 0;
    while (start < longest && before[start] === after[start]) start++;
    let end = 0;
    while (end < longest - start && before.at(-1 - end) === after.at(-1 - end)) end++;
    doc.transact(() => {
      shared.delete(start, before.length - start - end);
      shared.insert(start, after.slice(start, after.length - end));
    });
  });
  /** The selection stays where it was in the text, not at the same number. */
  doc.on("beforeTransaction", () => {
    const relative = (index) => Y.createRelativePositionFromTypeIndex(shared, index);
    selection = [relative(field.selectionStart), relative(field.selectionEnd)];
  });
  let selection = [];
  shared.observe((_event, { origin }) => {
    paint();
    if (origin !== "server") return;
    field.value = shared.toString();
    const absolute = (each) => Y.createAbsolutePositionFromRelativePosition(each, doc)?.index ?? 0;
    field.setSelectionRange(...selection.map(absolute));
  });

  function paint() {
    const text = shared.toString();
    const parts = [];
    let at = 0;
    for (const match of text.matchAll(TOKENS)) {
      const className = KINDS[match.slice(1).findIndex((each) => each !== undefined)];
      parts.push(text.slice(at, match.index), element("span", { className }, match[0]));
      at = match.index + match[0].length;
    }
    picture.replaceChildren(...parts, text.slice(at));
  }
  field.addEventListener("scroll", () => {
    const transform = `translate(${-field.scrollLeft}px, ${-field.scrollTop}px)`;
    for (const { style } of [picture, carets]) style.transform = transform;
  });

  document.addEventListener("selectionchange", () => {
    if (document.activeElement !== field) return;
    const lines = field.value.slice(0, field.selectionStart).split("\n");
    socket.volatile.emit("cursor", { line: lines.length - 1, column: lines.at(-1).length });
  });
  socket.on("cursor", ({ id, name, hue, line, column }) => {
    if (!others.has(id)) others.set(id, element("span", { hue, data: { by: name } }));
    others.get(id).style.translate = `${column}ch ${line}lh`;
    carets.append(others.get(id));
  });
  socket.on("left", (id) => {
    others.get(id)?.remove();
    others.delete(id);
  });
}
