import { byId } from "./dom.js";

/** "Is writing" is sent again after this time, in milliseconds. */
const TYPING_INTERVAL = 1500;

/**
 * The field for messages, with a button to attach an image; images can also be pasted.
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

  /** @returns {string} the text that has not been sent */
  get draft() {
    return this.#text.value;
  }

  /**
   * Shows the draft of another conversation, or disables itself if there is none.
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

  /** @param {number} limit the maximum length of a message, in UTF-16 units */
  limitText(limit) {
    this.#text.maxLength = limit;
  }

  /** @param {string} error empty to clear it */
  showError(error) {
    this.#error.textContent = error;
  }

  /** Focuses the field, unless that would open a phone's keyboard. */
  focus() {
    if (matchMedia("(hover: hover)").matches) this.#text.focus();
  }

  /** Submits the text, if there is any. */
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

  /** Reports from time to time that the user is writing, and at once that writing has stopped. */
  #reportTyping() {
    const isTyping = this.#text.value.trim() !== "";
    if (isTyping && Date.now() - this.#saidTypingAt < TYPING_INTERVAL) return;
    if (!isTyping && this.#saidTypingAt === 0) return;
    this.#saidTypingAt = isTyping ? Date.now() : 0;
    this.onTyping(isTyping);
  }
}
