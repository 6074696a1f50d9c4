/** The sliders, and the button. */

import { bytes, figure } from "./figures.js";

/** Interval in which a moving slider sends its position. */
const SEND_MILLISECONDS = 150;

/** Converts between a slider's position and its setting. */
const SCALES = {
  clients: { step: 100, toSetting: Number, toPosition: Number, text: (value) => figure(value) },
  rate: { step: 1, toSetting: Number, toPosition: Number, text: (value) => String(value) },
  // Doubled from step to step.
  payload: { step: 1, toSetting: (position) => 2 ** position, toPosition: Math.log2, text: bytes },
};

/** The three sliders, which say what is asked for and show what is set, and the button. */
export class Controls {
  #send;
  #button = document.getElementById("reconnect");
  #problem = document.getElementById("problem");
  /** Settings that have changed and have not been sent. */
  #moved = {};
  #timer;

  /**
   * @param {(settings: object) => Promise<{ ok: boolean, error?: string }>} send sends some
   *   settings, and says whether they were accepted
   * @param {() => void} reconnect lets all clients reconnect
   */
  constructor(send, reconnect) {
    this.#send = send;
    this.#button.addEventListener("click", reconnect);
    for (const name of Object.keys(SCALES)) {
      slider(name).addEventListener("input", () => this.#handleMove(name));
    }
  }

  /** Sets the bounds, and lets the sliders be moved and the button be pressed. */
  enable(limits) {
    this.#button.disabled = false;
    for (const [name, { min, max }] of Object.entries(limits)) {
      const { step, toPosition } = SCALES[name];
      const input = slider(name);
      Object.assign(input, { min: toPosition(min), max: toPosition(max), step });
      input.disabled = false;
    }
  }

  /** Keeps all of them from being moved or pressed while nobody would listen. */
  disable() {
    this.#button.disabled = true;
    for (const name of Object.keys(SCALES)) slider(name).disabled = true;
  }

  /** Shows what is set, but for what somebody is just moving. */
  show(settings) {
    for (const [name, value] of Object.entries({ ...settings, ...this.#moved })) {
      slider(name).value = SCALES[name].toPosition(value);
      showValue(name, value);
    }
  }

  #handleMove(name) {
    const value = SCALES[name].toSetting(slider(name).value);
    this.#moved[name] = value;
    showValue(name, value);
    this.#timer ??= setTimeout(() => this.#flush(), SEND_MILLISECONDS);
  }

  async #flush() {
    this.#timer = undefined;
    const settings = this.#moved;
    this.#moved = {};
    const { error = "" } = await this.#send(settings);
    this.#problem.textContent = error;
  }
}

/** @returns {HTMLInputElement} */
function slider(name) {
  return document.getElementById(name);
}

function showValue(name, value) {
  const text = SCALES[name].text(value);
  document.getElementById(`${name}-value`).textContent = text;
  slider(name).setAttribute("aria-valuetext", text);
}
