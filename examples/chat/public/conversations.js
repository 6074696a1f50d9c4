/** The most messages of a conversation that the page keeps. */
const MESSAGE_LIMIT = 200;

/**
 * @typedef {object} Message
 * @property {string} id
 * @property {string} from
 * @property {number} at milliseconds since the epoch
 * @property {string} [text]
 * @property {{ name: string, url: string }} [image] its bytes are behind a blob URL
 * @property {"pending" | "delivered" | "failed"} state
 * @property {string} [error] the reason why it failed
 * @property {object} [packet] the message for the server, until it is delivered
 */

/** The messages of one room, or with one person. */
export class Conversation {
  /** @type {Message[]} oldest first */
  messages = [];
  /** @type {Set<string>} the people who are there */
  people = new Set();
  /** @type {Set<string>} the people who are writing now */
  typing = new Set();
  unread = 0;
  draft = "";

  /**
   * @param {"room" | "private"} kind
   * @param {string} name of the room or of the person
   */
  constructor(kind, name) {
    this.kind = kind;
    this.name = name;
    this.key = keyOf(kind, name);
  }

  /** @returns {{ room: string } | { to: string }} the destination of its messages */
  get destination() {
    return this.kind === "room" ? { room: this.name } : { to: this.name };
  }

  /**
   * @param {string} id
   * @returns {Message | undefined}
   */
  find(id) {
    return this.messages.findLast((message) => message.id === id);
  }

  /**
   * Adds a message, and drops the oldest one if there are too many.
   *
   * @param {Message} message
   */
  add(message) {
    this.messages.push(message);
    if (this.messages.length > MESSAGE_LIMIT) release(this.messages.shift());
  }

  /** @returns {string | undefined} the id of the last message that the server has */
  lastDelivered() {
    return this.messages.findLast((message) => message.state === "delivered")?.id;
  }

  /** Frees the blob URLs of the messages. */
  close() {
    for (const message of this.messages) release(message);
  }
}

/** The conversations of the page, by key, in the order in which they were opened. */
export class Conversations {
  /** @type {Map<string, Conversation>} */
  #open = new Map();

  /**
   * @param {"room" | "private"} kind
   * @returns {Conversation[]}
   */
  of(kind) {
    return [...this.#open.values()].filter((conversation) => conversation.kind === kind);
  }

  /**
   * @param {"room" | "private"} kind
   * @param {string} name
   * @returns {Conversation | undefined}
   */
  find(kind, name) {
    return this.#open.get(keyOf(kind, name));
  }

  /**
   * @param {"room" | "private"} kind
   * @param {string} name
   * @returns {Conversation} the one that is open, or a new one
   */
  open(kind, name) {
    const conversation = this.find(kind, name) ?? new Conversation(kind, name);
    this.#open.set(conversation.key, conversation);
    return conversation;
  }

  /** @param {Conversation} conversation */
  close(conversation) {
    this.#open.delete(conversation.key);
    conversation.close();
  }

  /** @returns {number} the number of unread messages */
  unread() {
    return [...this.#open.values()].reduce((sum, { unread }) => sum + unread, 0);
  }
}

/**
 * @param {"room" | "private"} kind
 * @param {string} name
 */
function keyOf(kind, name) {
  return `${kind}:${name}`;
}

/** @param {Message | undefined} message */
function release(message) {
  if (message?.image) URL.revokeObjectURL(message.image.url);
}
