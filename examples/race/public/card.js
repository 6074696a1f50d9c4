/** A card: what each server takes of one metric, how much less or more turbo does, and a chart. */

import { Chart } from "./chart.js";
import { figure } from "./figures.js";
import { METRICS } from "./metrics.js";

/** Moments that a figure is the median of: 2 seconds. */
const MOMENTS = 8;

/** Closer than this two figures count as the same. */
const SAME_RATIO = 1.05;

/** A card with two figures, their ratio and a chart. */
export class Card {
  #metric;
  #chart;
  #figures;
  #ratio = paragraph("ratio");

  /**
   * @param {HTMLElement} element with the name of its metric
   * @param {Record<string, string>} titles of the lanes by name, the stock one first
   */
  constructor(element, titles) {
    this.#metric = METRICS[element.dataset.metric];
    this.#figures = Object.entries(titles).map(([name, title]) => new Figure(name, title));
    const figures = element.querySelector(".figures");
    figures.append(...this.#figures.map(({ element }) => element), this.#ratio);
    this.#chart = new Chart(
      element.querySelector(".chart"),
      this.#metric,
      this.#figures.map(({ name }) => name),
    );
  }

  /** @param {object[]} history as race.js documents it */
  show(history) {
    const values = this.#figures.map(({ name }) => this.#median(history, name));
    this.#figures.forEach((figure, index) => {
      figure.show(values[index]);
    });
    this.#ratio.textContent = ratio(...values);
    this.#chart.show(history);
  }

  #median(history, name) {
    const { of } = this.#metric;
    const samples = history.slice(-MOMENTS).flatMap(({ lanes }) => lanes[name] ?? []);
    const values = samples.map(of).filter((value) => value !== null);
    return values.sort((a, b) => a - b)[values.length >> 1] ?? null;
  }
}

/** A large number with the name of its server. */
class Figure {
  name;
  element;
  #value = document.createTextNode("–");

  constructor(name, title) {
    this.name = name;
    this.element = paragraph(`figure ${name}`);
    const label = document.createElement("small");
    label.textContent = title;
    this.element.append(this.#value, label);
  }

  show(value) {
    this.#value.data = figure(value);
  }
}

/** @returns {string} what turbo takes in terms of what stock takes */
function ratio(stock, turbo) {
  if (!(stock > 0 && turbo > 0)) return "";
  const factor = Math.max(stock, turbo) / Math.min(stock, turbo);
  if (factor < SAME_RATIO) return "the same";
  return `${figure(factor)}× ${turbo < stock ? "less" : "more"}`;
}

function paragraph(className) {
  const element = document.createElement("p");
  element.className = className;
  return element;
}
