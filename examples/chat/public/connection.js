const TRANSPORTS = ["polling", "websocket"];

/**
 * @typedef {object} State
 * @property {"connecting" | "connected" | "reconnecting" | "refused" | "replaced"} status
 * @property {number} attempt the number of attempts to reconnect
 * @property {string} transport the transport in use; empty if there is none
 * @property {string} error the reason why the server refused the page
 */

/** The page's connection to the server, and its state. */
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

  /** Listens to events of the main namespace. */
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
      // If the socket is still active, the server was not reached, and the manager tries again.
      if (!socket.active) this.#set({ status: "refused", error: error.message });
    });
  }

  /** Listens to events of the connection, which all namespaces share. */
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

/** @returns {{ transports?: string[] }} the choice of `?transport=`; by default polling, then WebSocket */
function chosenTransports() {
  const chosen = new URLSearchParams(location.search).get("transport");
  return TRANSPORTS.includes(chosen) ? { transports: [chosen] } : {};
}
