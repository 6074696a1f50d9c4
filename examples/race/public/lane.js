/** One of the two servers: its runner, and in words whether it keeps up. */

import { figure } from "./figures.js";
import { Track } from "./track.js";

/** A server that leaves out a greater share of its broadcasts is falling behind. */
const LEFT_OUT_LIMIT = 0.1;

/** A server as the page sees it. */
export class Lane {
  #status;
  #track;
  #socket;

  /** @param {HTMLElement} element with the name of the lane */
  constructor(element) {
    this.#status = element.querySelector(".status");
    this.#track = new Track(element.querySelector("canvas"));
  }

  /** Connects to the server on its port, as any client would. */
  connect(port) {
    // The port is another one if the race has been started again.
    this.#socket?.disconnect();
    this.#socket = io(`ws://${location.hostname}:${port}/runner`, { transports: ["websocket"] });
    this.#socket.on("tick", (time) => this.#track.handleTick(time));
  }

  /**
   * Says what there is to say about a moment.
   *
   * @param {object | null} sample of this server
   * @param {object} moment as race.js documents it
   */
  show(sample, moment) {
    if (sample === null) return;
    const parts = [clients(sample, moment.settings), pace(sample, moment), latency(sample)];
    if (sample.back !== null) parts.push(`reconnected in ${figure(sample.back)} s`);
    this.#status.replaceChildren(...parts.flatMap((part) => [" · ", part]).slice(1));
  }

  /** Says why the server is gone. */
  end(reason) {
    this.#socket?.disconnect();
    this.#status.replaceChildren(strong(`${reason}. Start the race again.`));
  }
}

function clients({ clients }, settings) {
  const missing = clients < settings.clients ? ` of ${figure(settings.clients, 0)}` : "";
  return `${figure(clients, 0)}${missing} clients`;
}

function pace({ sent, leftOut }, { isPaused, settings }) {
  if (isPaused) return "waits until all are there";
  if (leftOut <= LEFT_OUT_LIMIT * (sent + leftOut)) return "keeps up";
  return strong(`falls behind, ${figure(sent)} of ${settings.rate} broadcasts/s`);
}

function latency({ latency }) {
  return `latency p99 ${figure(latency)} ms`;
}

function strong(text) {
  const element = document.createElement("strong");
  element.className = "behind";
  element.textContent = text;
  return element;
}
