import { byId } from "./dom.js";

/** "Is writing" is said again after this time, in milliseconds. */
const TYPING_INTERVAL = 1500;

/**
 * Where a message is written and an image is picked or pasted.
 */
export class Composer {
  #text = byId("text");
  #error = byId("composer-error");
  #saidTypingAt = 0;

  /**
   * @param {{ onText: (text: string) => void, onImage: (file: File) => void,
   *   onTyping: (isTyping: boolean) => void }} handlers
   */
  constructor({ onText, onImage, onTyping }) {
    this.onText = onText;
    this.onImage = onImage;
    this.onTyping = onTyping;
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener("input", () => this.#reportTyping());
    this.#text.addEventListener("paste", (event) => this.#paste(event));
    byId("image").addEventListener("change", ({ target }) => {
      for (const file of target.files) this.onImage(file);
      target.value = "";
    });
  }

  /** @returns {string} what was written and not sent */
  get draft() {
    return this.#text.value;
  }

  /**
   * Turns to another conversation, or to none.
   *
   * @param {import("./conversations.js").Conversation | undefined} conversation
   */
  show(conversation) {
    this.#text.value = conversation?.draft ?? "";
    this.#text.placeholder = conversation ? `Message ${conversation.name}` : "";
    byId("composer-fields").disabled = !conversation;
    this.#saidTypingAt = 0;
    this.showError("");
  }

  /** @param {number} limit the longest message, in UTF-16 units */
  limitText(limit) {
    this.#text.maxLength = limit;
  }

  /** @param {string} error empty to clear it */
  showError(error) {
    this.#error.textContent = error;
  }

  /** Puts the cursor here, unless that would open a phone's keyboard. */
  focus() {
    if (matchMedia("(hover: hover)").matches) this.#text.focus();
  }

  /** Hands on what was written, if anything. */
  #submit() {
    const text = this.#text.value.trim();
    if (text === "") return;
    this.#text.value = "";
    this.showError("");
    this.#reportTyping();
    this.onText(text);
  }

  /** @param {ClipboardEvent} event */
  #paste(event) {
    const files = [...event.clipboardData.files].filter(({ type }) => type.startsWith("image/"));
    if (files.length === 0) return;
    event.preventDefault();
    for (const file of files) this.onImage(file);
  }

  /** Says that somebody writes, now and then, and at once that he has stopped. */
  #reportTyping() {
    const isTyping = this.#text.value.trim() !== "";
    if (isTyping && Date.now() - this.#saidTypingAt < TYPING_INTERVAL) return;
    if (!isTyping && this.#saidTypingAt === 0) return;
    this.#saidTypingAt = isTyping ? Date.now() : 0;
    this.onTyping(isTyping);
  }
}
