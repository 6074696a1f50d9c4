/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * Creates an element. Text becomes text nodes, never markup.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * Updates a list to show the entries. An entry that was shown before keeps its element, and so the
 * keyboard's focus.
 *
 * @template T
 * @param {HTMLElement} list
 * @param {T[]} entries
 * @param {{ key: (entry: T) => string, create: (entry: T) => HTMLElement,
 *   update?: (item: HTMLElement, entry: T) => void }} how
 */
export function syncList(list, entries, { key, create, update }) {
  const old = new Map([...list.children].map((item) => [item.dataset.key, item]));
  entries.forEach((entry, index) => {
    const id = key(entry);
    const item = old.get(id) ?? create(entry);
    old.delete(id);
    item.dataset.key = id;
    update?.(item, entry);
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  for (const item of old.values()) item.remove();
}

/**
 * @param {string} name
 * @returns {HTMLElement} a round badge with the first letters of the name
 */
export function avatar(name) {
  const badge = element("span", { className: "avatar", ariaHidden: "true" });
  paintAvatar(badge, name);
  return badge;
}

/**
 * @param {HTMLElement} badge
 * @param {string} name
 */
export function paintAvatar(badge, name) {
  const words = name.split(/[ ._-]+/).filter(Boolean);
  const letters = (words.length > 1 ? [words[0], words[1]] : [name]).map((word) => [...word][0]);
  badge.textContent = letters.join("").toUpperCase();
  let hash = 0;
  for (const character of name) hash = (hash * 37 + character.codePointAt(0)) % 1009;
  badge.dataset.tone = String(hash % 8);
}
