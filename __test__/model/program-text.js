"use strict";

/** Programs and the outcomes of two servers, to be read. */

const { inspect } = require("node:util");

const LONGEST = 60;

/** @param {unknown} value as code, long texts and bytes cut short */
function code(value) {
  const isLong = typeof value === "string" && value.length > LONGEST;
  if (isLong) return `"${value.slice(0, 10)}…" /* ${value.length} */`;
  return inspect(value, { depth: 9, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 8 });
}

const codeOf = (values) => values.map(code).join(", ");
const socketName = (client, namespace) => client + namespace.slice(1).replace(/^./, "_$&");
const namespaceCode = (namespace) => (namespace === "/" ? "io" : `io.of("${namespace}")`);
const connName = (client) => `${client}.conn`;

function room(value) {
  return typeof value === "object"
    ? `${socketName(value.client, value.namespace)}.id`
    : code(value);
}

const rooms = (values) =>
  values.length === 1 ? room(values[0]) : `[${values.map(room).join(", ")}]`;

function scope({ to = [], except = [] }) {
  const included = to.length === 0 ? "" : `.to(${rooms(to)})`;
  return included + (except.length === 0 ? "" : `.except(${rooms(except)})`);
}

function flags({ compress, isVolatile, isLocal, ack }) {
  const compressed = compress === undefined ? "" : `.compress(${compress})`;
  const timeout = ack?.hasTimeout ? ".timeout(3600e3)" : "";
  return compressed + (isVolatile ? ".volatile" : "") + (isLocal ? ".local" : "") + timeout;
}

function emit(op) {
  const socket = op.client === undefined ? undefined : socketName(op.client, op.namespace);
  const start = socket === undefined ? namespaceCode(op.namespace) : socket;
  const from = op.isBroadcast ? `${start}.broadcast` : start;
  const method = op.ack?.asPromise ? "emitWithAck" : "emit";
  const args = [`"e${op.id}"`, ...op.args.map(code)].join(", ");
  const answer = op.ack === undefined || op.ack.asPromise ? "" : ", acknowledge";
  const silent = op.ack?.silent.length ? ` // no answer from ${op.ack.silent}` : "";
  return `${from}${scope(op)}${flags(op)}.${method}(${args}${answer});${silent}`;
}

function listened({ to, client, namespace }) {
  if (to.endsWith("AnyOutgoing")) return `${socketName(client, namespace)}.${to}(`;
  if (to.startsWith("engine ")) return `io.engine.on("${to.slice("engine ".length)}", `;
  if (to.includes("-room")) return `${namespaceCode(namespace)}.adapter.on("${to}", `;
  return `${connName(client)}.on("${to}", `;
}

function many(op) {
  const arg = op.action === "disconnectSockets" ? op.close : rooms(op.rooms);
  return `${namespaceCode(op.namespace)}${scope(op)}.${op.action}(${arg});`;
}

function edit({ edit: line, client, namespace, room: name, other }) {
  const names = `room = ${room(name)}, other = ${room(other)}`;
  return `${line}; // of ${namespaceCode(namespace)} and ${socketName(client, namespace)}, ${names}`;
}

function askedCode({ id, isAnswered }) {
  return isAnswered ? `WithAck("ask", ${id})` : `("ask", ${id})`;
}

/** Operations as code, by their names. */
const OPERATIONS = {
  emit,
  many,
  join: (op) => `${socketName(op.client, op.namespace)}.join(${rooms(op.rooms)});`,
  leave: (op) => `${socketName(op.client, op.namespace)}.leave(${room(op.room)});`,
  leaveAll: (op) => `${socketName(op.client, op.namespace)}.leaveAll();`,
  edit,
  disconnect: (op) => `${socketName(op.client, op.namespace)}.disconnect(${op.close});`,
  listen: (op) => `${listened(op)}listener${op.id});`,
  unlisten: (op) => `remove(listener${op.id});`,
  look: (op) => `look(${namespaceCode(op.namespace)}.adapter);`,
  fetch: (op) => `${namespaceCode(op.namespace)}${scope(op)}.fetchSockets();`,
  admit: (op) => `next(); // ${socketName(op.client, op.namespace)} is let in`,
  survey: (op) => `${namespaceCode(op.namespace)}.adapter.allRooms(); // and serverCount()`,
  ask: (op) => `${namespaceCode(op.namespace)}.serverSideEmit${askedCode(op)};`,
  visit: (op) => `visit(${socketName(op.client, op.namespace)}, ${code(op.room)});`,
  quit: (op) => `quit(${socketName(op.client, op.namespace)}, ${code(op.room)});`,
  later: (op) => (op.how === "tick" ? "process.nextTick(" : "queueMicrotask("),
};

const indented = (lines) => lines.map((line) => `  ${line}`);

function operation(op) {
  const inner = (op.ops ?? []).flatMap(operation);
  const line = OPERATIONS[op.do](op);
  return inner.length === 0 ? [line] : [`${line} // then {`, ...indented(inner), "}"];
}

const HANDLERS = {
  inMiddleware: "in its middleware",
  onConnection: 'on "connection"',
  onDisconnecting: 'on "disconnecting"',
  onDisconnect: 'on "disconnect"',
  ops: "then",
};

function handlers(owner) {
  return Object.entries(HANDLERS).flatMap(([member, when]) => {
    const ops = owner?.[member] ?? [];
    return ops.length === 0 ? [] : [`${when}:`, ...indented(ops.flatMap(operation))];
  });
}

function details({ version, transport, offersDeflate, isReturning, greeting }) {
  const parts = [];
  if (transport !== undefined) parts.push(`by ${transport}`);
  if (version === 3) parts.push("Engine.IO 3");
  if (offersDeflate) parts.push("with deflate");
  if (isReturning) parts.push("to have its session restored if there is one");
  if (greeting !== undefined && greeting.door !== "open") parts.push(`door: ${greeting.door}`);
  return parts.length === 0 ? "" : `, ${parts.join(", ")}`;
}

/** In a cluster: which node. */
const nodeText = (node) => (node === undefined ? "" : ` of node ${node}`);

function script({ by, steps = [], turns = [] }) {
  const lines = steps.flatMap((ops) => [...ops.flatMap(operation), "await nextTurn();"]);
  const title = by === undefined ? "// a client" : `// ${by === "emitter" ? by : `node ${by}`}`;
  return [title, ...indented([...lines, ...turns.flatMap(turn)])];
}

function turn(step, index) {
  const { what, node } = step;
  if (what === "server") {
    return [`// turn ${index + 1}${nodeText(node)}`, ...step.ops.flatMap(operation)];
  }
  if (what === "emitter") {
    return [`// turn ${index + 1}, emitter`, ...step.ops.flatMap(operation)];
  }
  if (what === "storm") {
    const title = `// turn ${index + 1}, storm; restless: ${step.restless.join(", ")}`;
    return [title, ...indented(step.scripts.flatMap(script))];
  }
  if (what === "together") {
    return [`// turn ${index + 1}, at once`, ...indented(step.turns.flatMap(turn))];
  }
  const { id, client, namespace, args, wantsAck } = step;
  const who = client === undefined ? "" : `: ${client}`;
  const where = namespace === undefined ? "" : ` ${namespace}`;
  const said = args === undefined ? "" : ` say${id}(${codeOf(args)}${wantsAck ? ", ack" : ""})`;
  const head = `// turn ${index + 1}, ${what}${who}${where}${nodeText(node)}`;
  const paced = what === "pace" ? ` ${step.count} times pace${id} by ${step.way}` : "";
  const line = `${head}${said}${paced}${details(step)}`;
  return [line, ...indented([...handlers(step.greeting), ...handlers(step)])];
}

/**
 * @param {import("./program.js").Program} program
 * @returns {string} lines of code with the clients' part in comments
 */
function printProgram({ server, protocol, hearsRooms, turns }) {
  const cluster = protocol === undefined ? "" : `, protocol: ${protocol}`;
  const head = `// server: ${server}${cluster}${hearsRooms ? ", listeners on the adapters' events" : ""}`;
  return [head, ...turns.flatMap(turn)].join("\n");
}

/** Where two lists part, with what comes before and behind. */
function parting(name, expected, actual) {
  const at = expected.findIndex((text, index) => text !== actual[index]);
  const start = Math.max(0, (at === -1 ? expected.length : at) - 3);
  const lines = (list) => indented(list.slice(start, start + 8).map((text) => text.slice(0, 200)));
  return [`${name}, expected:`, ...lines(expected), `${name}, actual:`, ...lines(actual)];
}

/**
 * @param {import("./play.js").Outcome} expected
 * @param {import("./play.js").Outcome} actual
 * @returns {string} what is not the same in two outcomes; empty if all is
 */
function printDifference(expected, actual) {
  const names = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  const lines = Array.from(names, (name) => {
    const lists = [expected[name] ?? [], actual[name] ?? []];
    return lists[0].join("\n") === lists[1].join("\n") ? [] : parting(name, ...lists);
  });
  return lines.flat().join("\n");
}

module.exports = { printDifference, printProgram };
