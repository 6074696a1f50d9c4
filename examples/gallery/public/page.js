/** The page: one connection, and one module for each tile, which fills its stage. */

import { io } from "socket.io-client";
import { element } from "./elements.js";

/** Sockets of all namespaces share one connection, that of this manager. */
const visitors = connect("/visitors");
const manager = visitors.io;

/** @returns {string} a secret of this browser; servers derive a name and a colour from it */
function identity() {
  localStorage.visitor ??= crypto.getRandomValues(new Uint8Array(16)).join("");
  return localStorage.visitor;
}

/** @returns {import("socket.io-client").Socket} of a namespace, on the connection of this page */
function connect(namespace, { auth, ...options } = {}) {
  const transport = new URLSearchParams(location.search).get("transport");
  return io(namespace, {
    auth: (send) => send({ visitor: identity(), ...auth?.() }),
    reconnectionDelayMax: 2000,
    ...(transport && { transports: [transport] }),
    ...options,
  });
}

/** Fills a tile. Its status line says when its namespace is out of reach, and what was refused. */
async function mount(tile) {
  const { use } = tile.dataset;
  const status = tile.querySelector(".status");
  const { default: start } = await import(`/uses/${use}/client.js`);
  const connectTile = (namespace = `/${use}`, options) => {
    const socket = connect(namespace, options);
    socket.on("connect", () => {
      tile.dataset.state = socket.recovered ? "recovered" : "connected";
      status.textContent = "";
    });
    socket.on("disconnect", (reason) => {
      if (reason !== "io client disconnect") tile.dataset.state = "disconnected";
    });
    socket.on("connect_error", ({ message }) => {
      status.textContent = message;
    });
    return socket;
  };
  /** Asks the server. `take` gets the answer before what follows it; a refusal is shown. */
  const ask = (socket, event, value, take = () => {}) =>
    new Promise((resolve) => {
      socket.timeout(60_000).emit(event, value, (lost, answer) => {
        status.textContent = lost ? "The connection was lost" : (answer.error ?? "");
        if (answer?.ok) take(answer);
        resolve(answer?.ok && answer);
      });
    });
  start({ stage: tile.querySelector(".stage"), connect: connectTile, ask });
}

/** Fills each tile when it first comes near the window, so that a phone starts fast. */
const mountNear = (entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    observer.unobserve(target);
    mount(target);
  }
};
const observer = new IntersectionObserver(mountNear, { rootMargin: "400px" });
for (const tile of document.querySelectorAll(".tile")) observer.observe(tile);

/** Shows the state of the connection. */
function show(state) {
  document.querySelector("#state").textContent = state;
  document.body.dataset.connection = state;
}

visitors.on("connect", () => show(manager.engine.transport.name));
visitors.on("disconnect", () => show("reconnecting…"));
manager.on("open", () => manager.engine.on("upgrade", ({ name }) => show(name)));
visitors.on("you", ({ name, hue }) => {
  const dot = element("span", { className: "dot", hue });
  document.querySelector("#me").replaceChildren(dot, `You are ${name}`);
});
visitors.on("figures", ({ people, packets }) => {
  document.querySelector("#figures").textContent = `${people} visiting · ${packets} frames/s`;
});
document.querySelector("#cut").addEventListener("click", () => manager.engine.close());
