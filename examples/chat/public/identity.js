/**
 * @returns {string} 32 random hexadecimal digits. `crypto.randomUUID` exists in secure contexts
 *   only, and a phone opens this page over plain HTTP.
 */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @returns {string} the id of this page. It is the same after a reload, so the page gets its name
 *   again
 */
export function pageId() {
  const known = sessionStorage.getItem("page") ?? randomId();
  sessionStorage.setItem("page", known);
  return known;
}
