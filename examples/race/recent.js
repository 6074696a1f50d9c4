"use strict";

/** Span of the reports from which rates are computed: smooth, yet quick to follow. */
const WINDOW_SECONDS = 2;

/** The last reports of a process, each with the `seconds` that it is about. */
class Recent {
  #reports = [];

  /** @param {{ seconds: number }} report */
  add(report) {
    this.#reports.push(report);
    while (this.#sum("seconds") - this.#reports[0].seconds >= WINDOW_SECONDS) {
      this.#reports.shift();
    }
  }

  /**
   * @param {string} key of a number in the reports
   * @returns {number | null} how much of it there was per second; null without reports
   */
  perSecond(key) {
    return this.#reports.length === 0 ? null : this.#sum(key) / this.#sum("seconds");
  }

  /**
   * @param {(report: object) => number} of takes a number from a report
   * @returns {number | null} the largest; null without reports
   */
  largest(of) {
    return this.#reports.length === 0 ? null : Math.max(...this.#reports.map(of));
  }

  /** @returns {object | undefined} the report that came last */
  get last() {
    return this.#reports.at(-1);
  }

  #sum(key) {
    return this.#reports.reduce((sum, report) => sum + report[key], 0);
  }
}

module.exports = { Recent };
