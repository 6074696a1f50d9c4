/**
 * @returns {string} 32 random hexadecimal digits. `crypto.randomUUID` would do, but browsers offer
 *   it in secure contexts only, and a phone opens this page by the plain address of a computer.
 */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @returns {string} what tells this page from others; the same after a reload, so that the server
 *   lets it have its name again
 */
export function pageId() {
  const known = sessionStorage.getItem("page") ?? randomId();
  sessionStorage.setItem("page", known);
  return known;
}
