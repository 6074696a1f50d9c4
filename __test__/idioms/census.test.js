"use strict";

/**
 * The census: each member of the classes behind a connection is compared with stock by a program, or
 * is documented in docs/compatibility.md. A new release of Node.js or of a package that adds a member
 * fails here until it is either.
 */

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { describe, test } = require("node:test");
const engineIo = require("engine.io");
const { Adapter, SessionAwareAdapter } = require("socket.io-adapter");
const { WebSocket } = require("ws");
const { NET_SOCKET_ENDINGS, WEBSOCKET_ENDINGS } = require("./members/endings.js");
const { NET_SOCKET } = require("./members/net-socket.js");
const {
  ADAPTER,
  ENGINE_SERVER,
  ENGINE_SOCKET,
  ENGINE_TRANSPORT,
} = require("./members/socket-io.js");
const { WEBSOCKET } = require("./members/websocket.js");

const DOCUMENT = path.join(__dirname, "../../docs/compatibility.md");

/** Members that affect whole processes: `reference.test.js` compares them. */
const REFERENCES = { members: ["ref", "unref"] };

/** Classes by the name of their section in the document, with the programs that compare them. */
const CLASSES = [
  {
    name: "net.Socket",
    of: [net.Socket],
    programs: [...NET_SOCKET, ...NET_SOCKET_ENDINGS, REFERENCES],
  },
  { name: "ws.WebSocket", of: [WebSocket], programs: [...WEBSOCKET, ...WEBSOCKET_ENDINGS] },
  { name: "engine.io Socket", of: [engineIo.Socket], programs: ENGINE_SOCKET },
  {
    name: "engine.io Transport",
    of: [engineIo.Transport, engineIo.transports.websocket],
    programs: ENGINE_TRANSPORT,
  },
  { name: "engine.io Server", of: [engineIo.Server], programs: ENGINE_SERVER },
  { name: "Adapter", of: [Adapter, SessionAwareAdapter], programs: ADAPTER },
];

/** The members of EventEmitter are compared once, on the `net.Socket`. */
const isWalked = (prototype, name) =>
  prototype !== Object.prototype &&
  (name === "net.Socket" || prototype.constructor.name !== "EventEmitter");

/**
 * Returns the names of all members of a class, including inherited ones. Well-known symbols are
 * written as `@@asyncIterator`; internal symbols of Node.js are left out.
 */
function membersOf({ name, of }) {
  const members = new Set();
  for (const { prototype: first } of of) {
    for (let at = first; at !== null; at = Object.getPrototypeOf(at)) {
      if (isWalked(at, name)) for (const key of Reflect.ownKeys(at)) members.add(nameOf(key));
    }
  }
  members.delete("constructor");
  members.delete(undefined);
  return members;
}

/** @returns {string | undefined} */
function nameOf(key) {
  if (typeof key === "string") return key;
  const isPublic = /^(?:Symbol\.|nodejs\.)(async|dispose)/.test(key.description);
  return isPublic ? `@@${key.description.split(".").at(-1)}` : undefined;
}

/** Returns the members in the first cells of the document's section on a class. */
function documented(name) {
  const [, section = ""] = readFileSync(DOCUMENT, "utf8").split(`\n### \`${name}\`\n`);
  const rows = section.split(/\n#{2,3} /)[0].matchAll(/^\| (`.*?`) \|/gm);
  return new Set(
    [...rows].flatMap(([, cell]) => cell.split(", ").map((text) => text.replace(/`|\(\)/g, ""))),
  );
}

/** Members that only some releases of Node.js have. */
const OF_SOME = ["setTypeOfService", "getTypeOfService", "@@asyncDispose"];

const isUnknown = (members) => (name) => !members.has(name) && !OF_SOME.includes(name);

describe("the census", () => {
  for (const row of CLASSES) {
    const members = membersOf(row);
    const compared = new Set(row.programs.flatMap((program) => program.members));

    test(`of ${row.name}: each member is compared or documented`, () => {
      const listed = documented(row.name);
      const missing = [...members].filter((member) => !compared.has(member) && !listed.has(member));
      assert.deepEqual(missing, []);
    });

    test(`of ${row.name}: each compared member exists`, () => {
      const [first] = row.programs.flatMap(({ members: used }) => used).filter(isUnknown(members));
      assert.equal(first, undefined);
    });
  }
});
