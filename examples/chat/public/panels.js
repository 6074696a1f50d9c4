import { byId } from "./dom.js";

/**
 * The lists of conversations and people on a narrow screen: they are outside of the page, and one at
 * a time slides over it. On a wide screen they are always visible, and this does nothing.
 */
export class Panels {
  /** @type {"rooms" | "people" | undefined} */
  #shown;

  /** Listens to the buttons that show and close the panels. */
  constructor() {
    for (const name of ["rooms", "people"]) {
      byId(`${name}-toggle`).addEventListener("click", () => this.show(name));
    }
    byId("scrim").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    matchMedia("(min-width: 60rem)").addEventListener("change", () => this.close());
  }

  /** @param {"rooms" | "people"} name */
  show(name) {
    this.#set(name);
    byId(`${name}-panel`).focus();
  }

  /** Closes the open panel, and returns the focus. */
  close() {
    const name = this.#shown;
    if (!name) return;
    this.#set(undefined);
    byId(`${name}-toggle`).focus();
  }

  /** @param {"rooms" | "people" | undefined} shown */
  #set(shown) {
    this.#shown = shown;
    document.body.dataset.panel = shown ?? "";
    byId("conversation").inert = shown !== undefined;
    for (const name of ["rooms", "people"]) {
      byId(`${name}-toggle`).ariaExpanded = String(name === shown);
    }
  }
}
