import { avatar, byId, element } from "./dom.js";

/** Messages of one author within this time form a group, in milliseconds. */
const GROUP_GAP = 5 * 60_000;

/** The log follows new messages if the reader is at most this far from its end, in pixels. */
const END_MARGIN = 80;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** The list of messages of the current conversation. */
export class Log {
  #list = byId("log");
  #toEnd = byId("to-end");
  /** @type {import("./conversations.js").Message | undefined} */
  #last;

  /**
   * @param {{ isMine: (name: string) => boolean, onRetry: (id: string) => void }} options
   */
  constructor({ isMine, onRetry }) {
    this.isMine = isMine;
    this.onRetry = onRetry;
    // In some browsers the keyboard can only scroll a list that can be focused.
    this.#list.tabIndex = 0;
    this.#list.addEventListener("scroll", () => {
      if (this.#isAtEnd()) this.#toEnd.hidden = true;
    });
    this.#toEnd.addEventListener("click", () => this.scrollToEnd());
    // Stay at the end while images load, the keyboard opens or the phone is turned.
    let wasAtEnd = true;
    this.#list.addEventListener("scroll", () => {
      wasAtEnd = this.#isAtEnd();
    });
    new ResizeObserver(() => wasAtEnd && this.scrollToEnd()).observe(this.#list);
  }

  /** @param {import("./conversations.js").Conversation | undefined} conversation */
  show(conversation) {
    this.#list.replaceChildren();
    this.#last = undefined;
    for (const message of conversation?.messages ?? []) this.#append(message);
    this.scrollToEnd();
  }

  /** @param {import("./conversations.js").Message} message */
  add(message) {
    const follow = this.#isAtEnd() || this.isMine(message.from);
    this.#append(message);
    if (follow) this.scrollToEnd();
    else this.#toEnd.hidden = false;
  }

  /** @param {import("./conversations.js").Message} message whose state has changed */
  update(message) {
    const item = [...this.#list.children].find(({ dataset }) => dataset.id === message.id);
    if (item) this.#paintState(item, message);
  }

  /** Shows the newest message. */
  scrollToEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#toEnd.hidden = true;
  }

  /** @returns {boolean} true if the newest message is visible */
  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < END_MARGIN;
  }

  /** @param {import("./conversations.js").Message} message */
  #append(message) {
    const last = this.#last;
    this.#last = message;
    const isMine = this.isMine(message.from);
    const isGrouped = last?.from === message.from && message.at - last.at < GROUP_GAP;

    const body = element("div", { className: "bubble" }, this.#content(message));
    const item = element("li", { className: `message ${isMine ? "mine" : "theirs"}` });
    item.dataset.id = message.id;
    if (isGrouped) item.classList.add("grouped");
    if (!isMine) item.append(avatar(message.from));
    const author = element("p", { className: "author" }, isMine ? "You" : message.from);
    if (isMine || isGrouped) author.classList.add("visually-hidden");
    const meta = element("p", { className: "meta" }, this.#time(message));
    if (isMine) meta.append(element("span", { className: "tick", role: "img" }));
    body.append(meta);
    item.append(element("div", { className: "said" }, author, body));
    if (isMine) this.#paintState(item, message);
    this.#list.append(item);
  }

  /**
   * @param {import("./conversations.js").Message} message
   * @returns {HTMLElement} its text, or its image with a link to save it
   */
  #content({ text, image }) {
    if (!image) return element("p", { className: "text", dir: "auto" }, text);
    const picture = element("img", { src: image.url, alt: image.name });
    const isFollowing = this.#isAtEnd();
    picture.addEventListener("load", () => isFollowing && this.scrollToEnd(), { once: true });
    const title = `Save ${image.name}`;
    return element(
      "a",
      { className: "image", href: image.url, download: image.name, title },
      picture,
    );
  }

  /**
   * @param {import("./conversations.js").Message} message
   * @returns {HTMLElement}
   */
  #time({ at }) {
    const date = new Date(at);
    return element("time", { dateTime: date.toISOString() }, clock.format(date));
  }

  /**
   * @param {Element} item
   * @param {import("./conversations.js").Message} message
   */
  #paintState(item, { id, state, error }) {
    const tick = item.querySelector(".tick");
    item.dataset.state = state;
    tick.textContent = { pending: "…", delivered: "✓", failed: "!" }[state];
    tick.ariaLabel = { pending: "Sending", delivered: "Delivered", failed: "Not delivered" }[state];
    item.querySelector(".failure")?.remove();
    if (state !== "failed") return;
    const retry = element("button", { type: "button", textContent: "Try again" });
    retry.addEventListener("click", () => this.onRetry(id));
    const failure = element(
      "p",
      { className: "failure error", role: "alert" },
      `${error}. `,
      retry,
    );
    item.querySelector(".said").append(failure);
  }
}
