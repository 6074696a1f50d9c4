const TRANSPORTS = ["polling", "websocket"];

/**
 * @typedef {object} State
 * @property {"connecting" | "connected" | "reconnecting" | "refused" | "replaced"} status
 * @property {number} attempt how often the page has tried to come back
 * @property {string} transport the one in use; empty when there is none
 * @property {string} error why the server refused the page
 */

/** The page's connection to the server, and what there is to say about it. */
export class Connection {
  /** @type {State} */
  state = { status: "connecting", attempt: 0, transport: "", error: "" };

  /**
   * @param {(state: State) => void} onState
   */
  constructor(onState) {
    this.onState = onState;
    this.auth = {};
    this.socket = window.io({
      autoConnect: false,
      auth: (send) => send(this.auth),
      reconnectionDelayMax: 3000,
      ...chosenTransports(),
    });
    this.#watchSocket();
    this.#watchManager();
  }

  /** @param {{ name: string, page: string }} auth */
  enter(auth) {
    this.auth = auth;
    this.#set({ status: "connecting", attempt: 0, error: "" });
    this.socket.connect();
  }

  /** @param {Partial<State>} change */
  #set(change) {
    Object.assign(this.state, change);
    this.onState(this.state);
  }

  /** Listens to what happens to this page in the main namespace. */
  #watchSocket() {
    const { socket } = this;
    socket.on("connect", () => {
      const transport = socket.io.engine.transport.name;
      this.#set({ status: "connected", attempt: 0, transport, error: "" });
    });
    socket.on("disconnect", (reason) => {
      if (reason === "io client disconnect") return;
      // The server ends a connection on purpose only when another page took over its name.
      const status = reason === "io server disconnect" ? "replaced" : "reconnecting";
      this.#set({ status, transport: "" });
    });
    socket.on("connect_error", (error) => {
      // Still active means that the server was not reached; the manager tries again.
      if (!socket.active) this.#set({ status: "refused", error: error.message });
    });
  }

  /** Listens to what happens to the connection below all namespaces. */
  #watchManager() {
    const manager = this.socket.io;
    manager.on("reconnect_attempt", (attempt) => this.#set({ attempt }));
    manager.on("open", () => {
      manager.engine.on("upgrade", ({ name }) => {
        if (this.state.status === "connected") this.#set({ transport: name });
      });
    });
  }
}

/** @returns {{ transports?: string[] }} what `?transport=` asks for; else polling, then WebSocket */
function chosenTransports() {
  const chosen = new URLSearchParams(location.search).get("transport");
  return TRANSPORTS.includes(chosen) ? { transports: [chosen] } : {};
}
