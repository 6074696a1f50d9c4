"use strict";

const { WebSocketServer } = require("../engine/websocket-server.js");
const { watchSocket } = require("../untouched.js");
const { scheduleCompaction } = require("./compaction.js");
const { packetRouteOf } = require("./packet-route.js");

/** Stands for the workers of a member that is not direct. */
const NO_WORKERS = { broadcasts: [] };

/** On a Socket.IO socket: its latest member. */
const kMember = Symbol("member");

/** Methods of Socket.IO's socket that change which packets a listener gets. */
const LISTENER_METHODS = ["onAnyOutgoing", "prependAnyOutgoing", "offAnyOutgoing"];

/**
 * A socket of a namespace whose connection our engine handles: it is on a worker already, or may get
 * there by an upgrade.
 *
 * Its `direct` is the decision whether broadcasts may go to the connection without JavaScript, and
 * `connection` is the decision that the workers know: `handleChange()`, called by the route and when
 * listeners come or go, makes `RoomMirror.update()` compare the two. An application can put one socket
 * into `nsp.sockets` under several keys; each of them has a member.
 */
class Member {
  /**
   * @param {import("./room-mirror.js").RoomMirror} mirror
   * @param {string} id its key in `nsp.sockets`
   * @param {import("socket.io").Socket} socket
   */
  constructor(mirror, id, socket) {
    this.mirror = mirror;
    this.id = id;
    this.socket = socket;
    this.route = packetRouteOf(socket.conn);
    /** The connection that broadcasts go to; `null` while JavaScript serves the socket. */
    this.connection = null;
    /** The number of mirrored rooms that hold the id; counted while the member is direct. */
    this.memberships = 0;
    this.hasLeft = false;
    this.route.add(this);
    this.route.receiveBy(socket.client);
    watchSocket(socket);
    socket[kMember] = this;
    socket.onAnyOutgoing = onAnyOutgoing;
    socket.prependAnyOutgoing = prependAnyOutgoing;
    socket.offAnyOutgoing = offAnyOutgoing;
    const { connection } = this.route;
    if (connection !== null) scheduleCompaction(socket, connection.workers);
  }

  /** Called when `direct` may have changed. */
  handleChange() {
    if (!this.hasLeft) this.mirror.update(this);
  }

  /** Called when the socket is no longer in `nsp.sockets` under this id. */
  leave() {
    this.hasLeft = true;
    this.route.remove(this);
    // A second socket of the client in this namespace may be direct now.
    this.route.members.find(({ mirror }) => mirror === this.mirror)?.handleChange();
  }

  /** @returns {import("../engine/connection.js").Connection | null} where broadcasts may go now */
  get direct() {
    return this.socket.listenersAnyOutgoing().length > 0 || isSecond(this)
      ? null
      : this.route.direct;
  }

  /** The number of packets that its namespace has broadcast to it in this turn. */
  get broadcastsInTurn() {
    const { broadcasts } = this.connection?.workers ?? NO_WORKERS;
    return broadcasts.filter((each) => each.fanOut === this.mirror && each.reaches(this.id)).length;
  }
}

/**
 * Returns whether another socket of the same client is direct in this namespace. The client gets each
 * broadcast twice then, so JavaScript writes the second one.
 */
function isSecond(member) {
  const { members } = member.route;
  const isFirst = (other) =>
    other !== member && other.mirror === member.mirror && other.connection !== null;
  return members.length > 1 && members.some(isFirst);
}

/** The replacements of these methods, with the same parameters. */
const [onAnyOutgoing, prependAnyOutgoing, offAnyOutgoing] = LISTENER_METHODS.map(
  (name) =>
    function (listener) {
      const { socket, route } = this[kMember];
      Object.getPrototypeOf(socket)[name].call(this, listener);
      route.notify();
      return this;
    },
);

/** Returns whether a socket can have a member: its server has our engine. */
function canBeMember(socket) {
  return socket?.conn?.server?.ws instanceof WebSocketServer;
}

/** @returns {Member | undefined} the member that a mirror has for a socket under this id */
function memberOf(mirror, id, socket) {
  const members = socket?.[kMember]?.route.members;
  return members?.find((member) => member.mirror === mirror && member.id === id);
}

module.exports = { Member, canBeMember, memberOf };
