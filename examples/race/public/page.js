/** The page of the race: puts its parts and the control server's events together. */

import { Card } from "./card.js";
import { Controls } from "./controls.js";
import { figure } from "./figures.js";
import { Lane } from "./lane.js";

/** The lanes as the page calls them, the stock one first. */
const TITLES = { ws: "stock", turbo: "turbo" };

/** Moments that are kept, those of the charts. */
const HISTORY_LENGTH = 120;

/** Deadline for the control server to answer. */
const ANSWER_MILLISECONDS = 5_000;

const lanes = new Map(
  [...document.querySelectorAll(".lane")].map((element) => [
    element.dataset.lane,
    new Lane(element),
  ]),
);
const cards = [...document.querySelectorAll(".card")].map((element) => new Card(element, TITLES));
const problem = document.getElementById("problem");
const loadCpu = document.getElementById("load-cpu");
const socket = io({ transports: ["websocket"] });
const controls = new Controls(send, () => socket.emit("reconnect"));
let history = [];

/** Sends settings; says so where nobody answers. */
async function send(settings) {
  try {
    return await socket.timeout(ANSWER_MILLISECONDS).emitWithAck("set", settings);
  } catch {
    return { ok: false, error: "The control server does not answer." };
  }
}

function show() {
  const moment = history.at(-1);
  if (moment === undefined) return;
  for (const [name, lane] of lanes) lane.show(moment.lanes[name], moment);
  for (const card of cards) card.show(history);
  const shares = Object.values(moment.lanes).map((sample) => sample?.loadCpu ?? null);
  loadCpu.textContent = shares
    .map((share) => `${figure(share && share * 100)}\u2009%`)
    .join(" and ");
}

function showEnds(states) {
  for (const { name, ended } of states) {
    if (ended !== null) lanes.get(name).end(ended);
  }
}

socket.on("race", (race) => {
  problem.textContent = "";
  controls.enable(race.limits);
  controls.show(race.settings);
  for (const { name, port } of race.lanes) lanes.get(name).connect(port);
  showEnds(race.lanes);
  history = race.history;
  show();
});

socket.on("sample", (moment) => {
  history.push(moment);
  if (history.length > HISTORY_LENGTH) history.shift();
  show();
});

socket.on("settings", (settings) => controls.show(settings));
socket.on("lanes", showEnds);

socket.on("disconnect", () => {
  controls.disable();
  problem.textContent = "The race has ended, or cannot be reached.";
});
