import { avatar, byId, element, paintAvatar, syncList } from "./dom.js";

/**
 * Draws everything around the log from the state: lists, headings, the banner. Called after each
 * change. The lists are short, and `syncList` keeps elements that stay.
 *
 * @param {object} state
 * @param {string} state.name the name of the user
 * @param {string[]} state.rooms all rooms
 * @param {import("./conversations.js").Conversations} state.conversations
 * @param {import("./conversations.js").Conversation | undefined} state.current
 * @param {(kind: "room" | "private", name: string) => void} onOpen
 */
export function render(state, onOpen) {
  renderRooms(state, onOpen);
  renderPrivates(state, onOpen);
  renderHeading(state);
  renderPeople(state, onOpen);
  renderTyping(state.current);
  const unread = state.conversations.unread();
  byId("unread-dot").hidden = unread === 0;
  document.title = `${unread ? `(${unread}) ` : ""}${state.current?.name ?? "Turbo chat"}`;
}

/**
 * Shows one of the two screens.
 *
 * @param {"entrance" | "chat"} screen
 */
export function showScreen(screen) {
  byId("entrance").hidden = screen !== "entrance";
  byId("chat").hidden = screen !== "chat";
}

/** @param {string} name of the user */
export function renderMe(name) {
  byId("my-name").textContent = name;
  paintAvatar(byId("my-avatar"), name);
}

/** @param {import("./connection.js").State} connection */
export function renderConnection({ status, attempt, transport }) {
  const tries = attempt > 0 ? `, attempt ${attempt}` : "";
  const text = {
    reconnecting: `Connection lost. Reconnecting${tries}…`,
    connecting: `Connecting${tries}…`,
    replaced: "This chat was opened in another page.",
  }[status];
  byId("banner").hidden = text === undefined;
  byId("banner-text").textContent = text ?? "";
  byId("take-over").hidden = status !== "replaced";
  byId("transport").dataset.status = status;
  byId("transport").textContent = transport || "offline";
}

/** @param {string} text */
export function showAnnouncement(text) {
  byId("announcement").hidden = false;
  byId("announcement-text").textContent = text;
}

/**
 * Announces a text to screen readers.
 *
 * @param {string} text
 */
export function announce(text) {
  byId("announcer").textContent = text;
}

/**
 * Creates an entry of a list: a button with a small element at its start, a name, and a badge.
 *
 * @param {HTMLElement} start
 * @param {string} name
 * @param {() => void} onClick
 * @returns {HTMLElement}
 */
function entry(start, name, onClick) {
  const label = element("span", { className: "label" }, name);
  const button = element("button", { type: "button", title: name }, start, label);
  button.append(element("span", { className: "badge" }));
  button.addEventListener("click", onClick);
  return element("li", {}, button);
}

/**
 * @param {HTMLElement} item
 * @param {{ isCurrent?: boolean, badge?: string, badgeLabel?: string }} look
 */
function paintEntry(item, { isCurrent = false, badge = "", badgeLabel = "" }) {
  const button = item.firstElementChild;
  if (isCurrent) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  const end = button.querySelector(".badge");
  end.textContent = badge;
  end.title = badgeLabel;
}

/**
 * @param {import("./conversations.js").Conversation} conversation
 * @returns {{ badge?: string, badgeLabel?: string }}
 */
function unreadBadge({ unread }) {
  if (unread === 0) return {};
  return { badge: unread > 99 ? "99+" : String(unread), badgeLabel: "not read yet" };
}

/** Draws all rooms, joined or not. */
function renderRooms({ rooms, conversations, current }, onOpen) {
  const joined = conversations.of("room").map(({ name }) => name);
  const names = [...new Set([...rooms, ...joined])];
  syncList(byId("rooms"), names, {
    key: (name) => name,
    create: (name) =>
      entry(element("span", { className: "hash", ariaHidden: "true" }, "#"), name, () =>
        onOpen("room", name),
      ),
    update: (item, name) => {
      const conversation = conversations.find("room", name);
      const isCurrent = conversation !== undefined && conversation === current;
      item.classList.toggle("absent", !conversation);
      paintEntry(
        item,
        conversation ? { isCurrent, ...unreadBadge(conversation) } : { badge: "Join" },
      );
    },
  });
}

/** Draws the private conversations. */
function renderPrivates({ conversations, current }, onOpen) {
  const privates = conversations.of("private");
  byId("no-privates").hidden = privates.length > 0;
  syncList(byId("privates"), privates, {
    key: ({ name }) => name,
    create: ({ name }) => entry(avatar(name), name, () => onOpen("private", name)),
    update: (item, conversation) =>
      paintEntry(item, { isCurrent: conversation === current, ...unreadBadge(conversation) }),
  });
}

/** Draws the name of the conversation, its subtitle, and the text shown if it has no messages. */
function renderHeading({ current }) {
  const leave = byId("leave");
  leave.hidden = !current;
  byId("title").textContent = current
    ? (current.kind === "room" ? "# " : "") + current.name
    : "No room";
  byId("empty").hidden = current !== undefined && current.messages.length > 0;
  if (!current) {
    byId("subtitle").textContent = "";
    byId("empty").textContent = "You are in no room. Join one from the list.";
  } else if (current.kind === "room") {
    const { size } = current.people;
    byId("subtitle").textContent = size === 1 ? "Only you are here" : `${size} people here`;
    byId("empty").textContent = "Nothing was said here yet. Say hello.";
    leave.textContent = "Leave";
  } else {
    byId("subtitle").textContent = "Only the two of you see this";
    byId("empty").textContent = `Write something to ${current.name}.`;
    leave.textContent = "Close";
  }
}

/** Draws the people who are there, the user first. */
function renderPeople({ name: me, current }, onOpen) {
  const others = current?.kind === "private" ? [current.name] : [...(current?.people ?? [])];
  const names = [
    ...new Set(current ? [me, ...others.filter((name) => name !== me).sort(byName)] : []),
  ];
  byId("people-title").textContent = current?.kind === "private" ? "The two of you" : "Here now";
  byId("people-count").hidden = current?.kind === "private";
  byId("people-count").textContent = String(names.length);
  syncList(byId("people"), names, {
    key: (name) => name,
    create: (name) => entry(avatar(name), name, () => onOpen("private", name)),
    update: (item, name) => {
      item.firstElementChild.disabled = name === me;
      paintEntry(item, { badge: name === me ? "you" : "" });
    },
  });
}

/** Draws the names of the people who are writing. */
function renderTyping(current) {
  const names = [...(current?.typing ?? [])];
  const text = {
    0: "",
    1: `${names[0]} is writing…`,
    2: `${names[0]} and ${names[1]} are writing…`,
  }[names.length];
  const line = byId("typing");
  const next = text ?? `${names.length} people are writing…`;
  if (line.textContent !== next) line.textContent = next;
}

/** Compares two names for sorting. */
function byName(a, b) {
  return a.localeCompare(b);
}
