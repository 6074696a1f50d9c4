/**
 * The track of one server: its runner crosses the canvas again and again, and moves only
 * when a tick of its server comes, to where the time in the tick puts it. So the dots
 * it leaves are evenly spaced as long as the server's event loop is free, and the runners of
 * all servers are side by side; a blocked one stands still, jumps, and leaves a gap.
 */

/** Time of the runner across a canvas of this many pixels or more, else half of it. */
const LAP_MILLISECONDS = 4_000;
const WIDE_PIXELS = 600;

/** Ticks that are further apart than this show as a gap; about two are missing in it. */
const GAP_MILLISECONDS = 40;

/** The share of the track before the runner that is clear of the lap before. */
const CLEAR_SHARE = 0.06;

const MARGIN = 10;
const GAP_MARGIN = 8;
const DOT_RADIUS = 1.75;
const RUNNER_RADIUS = 9;

/** A canvas with a runner. */
export class Track {
  #canvas;
  #context;
  #style;
  /** The times of the ticks of one lap. */
  #ticks = [];
  #isDrawn = true;
  #lap = LAP_MILLISECONDS;

  /** @param {HTMLCanvasElement} canvas whose property `--own` is the runner's colour */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#style = getComputedStyle(canvas);
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
  }

  /** @param {number} time of the server's tick, in milliseconds since 1970 */
  handleTick(time) {
    this.#ticks.push(time);
    while (this.#ticks[0] < time - this.#lap * (1 - CLEAR_SHARE)) this.#ticks.shift();
    this.#canvas.dataset.ticks = Number(this.#canvas.dataset.ticks ?? 0) + 1;
    this.#redraw();
  }

  #resize() {
    const ratio = devicePixelRatio;
    this.#lap = LAP_MILLISECONDS / (this.#canvas.clientWidth < WIDE_PIXELS ? 2 : 1);
    this.#canvas.width = Math.round(this.#canvas.clientWidth * ratio);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * ratio);
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    // At once, for a canvas that gets another size is emptied.
    this.#draw();
  }

  /** Draws once before the screen shows the next picture. */
  #redraw() {
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#isDrawn = true;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    this.#context.clearRect(0, 0, width, height);
    this.#drawGround(width, height / 2);
    this.#drawGaps();
    this.#drawDots(this.#ticks, height / 2, DOT_RADIUS);
    this.#drawRunner(height / 2);
  }

  /** Returns the position of the runner at a time. */
  #x(time) {
    const length = this.#canvas.clientWidth - 2 * MARGIN;
    return MARGIN + ((time % this.#lap) / this.#lap) * length;
  }

  #drawGround(width, y) {
    this.#context.fillStyle = this.#colour("--grid");
    this.#context.fillRect(0, y - 0.5, width, 1);
  }

  #drawGaps() {
    this.#ticks.slice(1).forEach((time, index) => {
      const before = this.#ticks[index];
      if (time - before > GAP_MILLISECONDS) this.#drawGap(this.#x(before), this.#x(time));
    });
  }

  /** A gap over the end of the track goes on at its beginning. */
  #drawGap(start, end) {
    if (start < end) return this.#drawBlocked(start, end);
    this.#drawBlocked(start, this.#canvas.clientWidth);
    this.#drawBlocked(0, end);
  }

  #drawBlocked(start, end) {
    const inset = Math.min(2 * DOT_RADIUS, (end - start) / 4);
    const height = this.#canvas.clientHeight - 2 * GAP_MARGIN;
    this.#context.fillStyle = this.#colour("--gap");
    this.#context.fillRect(start + inset, GAP_MARGIN, end - start - 2 * inset, height);
  }

  #drawDots(times, y, radius) {
    this.#context.fillStyle = this.#colour("--own");
    this.#context.beginPath();
    for (const time of times) {
      const x = this.#x(time);
      this.#context.moveTo(x + radius, y);
      this.#context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    this.#context.fill();
  }

  #drawRunner(y) {
    this.#drawDots(this.#ticks.slice(-1), y, RUNNER_RADIUS);
    this.#context.strokeStyle = this.#colour("--surface");
    this.#context.lineWidth = 2;
    this.#context.stroke();
  }

  #colour(property) {
    return this.#style.getPropertyValue(property);
  }
}
