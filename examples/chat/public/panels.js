import { byId } from "./dom.js";

/**
 * On a narrow screen the lists of conversations and people lie beside the page, and one of them at
 * a time slides over it. On a wide screen they are always there, and this does nothing.
 */
export class Panels {
  /** @type {"rooms" | "people" | undefined} */
  #shown;

  /** Takes over the buttons that show and close the panels. */
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

  /** Closes the panel that is open, and gives the focus back. */
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
