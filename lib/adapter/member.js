"use strict";

const { packetRouteOf } = require("./packet-route.js");
const { watchSocket } = require("../untouched.js");
const { WebSocketServer } = require("../engine/websocket-server.js");

/** In the place of an engine. */
const NONE = { broadcasts: [] };

/** On a Socket.IO socket: its latest member. */
const kMember = Symbol("member");

/** A socket of a namespace whose packets go by our engine, or will after an upgrade. */
class Member {
  /**
   * @param {import("./fan-out.js").FanOut} fanOut
   * @param {string} id under which it is in `nsp.sockets`
   * @param {import("socket.io").Socket} socket
   */
  constructor(fanOut, id, socket) {
    this.fanOut = fanOut;
    this.id = id;
    this.socket = socket;
    this.route = packetRouteOf(socket.conn);
    /** Where broadcasts go directly; `null` if JavaScript serves it. */
    this.connection = null;
    /** While it is direct: in how many mirrored rooms it is. */
    this.memberships = 0;
    this.hasLeft = false;
    this.route.add(this);
    watchSocket(socket);
    socket[kMember] = this;
    socket.onAnyOutgoing = onAnyOutgoing;
    socket.prependAnyOutgoing = prependAnyOutgoing;
    socket.offAnyOutgoing = offAnyOutgoing;
  }

  /** Something has changed that decides on `direct`. */
  handleChange() {
    if (!this.hasLeft) this.fanOut.update(this);
  }

  leave() {
    this.hasLeft = true;
    this.route.remove(this);
    // If there is a second, it may now be direct.
    this.route.members.find(({ fanOut }) => fanOut === this.fanOut)?.handleChange();
  }

  /** Where broadcasts may go directly now. */
  get direct() {
    return this.socket.listenersAnyOutgoing().length > 0 || this.isSecond
      ? null
      : this.route.direct;
  }

  /** How many packets have been broadcast to it in this turn, by its namespace. */
  get broadcastsInTurn() {
    const { broadcasts } = this.connection?.workers ?? NONE;
    return broadcasts.filter((each) => each.fanOut === this.fanOut && each.reaches(this.id)).length;
  }

  /** A client can have two sockets in one namespace, and then hears everything twice. */
  get isSecond() {
    const { route, fanOut } = this;
    const isFirst = (other) =>
      other !== this && other.fanOut === fanOut && other.connection !== null;
    return route.members.length > 1 && route.members.some(isFirst);
  }
}

/** In the place of the methods of Socket.IO's socket, with the same parameters. */
const [onAnyOutgoing, prependAnyOutgoing, offAnyOutgoing] = [
  "onAnyOutgoing",
  "prependAnyOutgoing",
  "offAnyOutgoing",
].map(
  (name) =>
    function (listener) {
      const { socket, route } = this[kMember];
      Object.getPrototypeOf(socket)[name].call(this, listener);
      route.notify();
      return this;
    },
);

/** @returns {boolean} whether a socket can have a member: its server has our engine */
function canBeMember(socket) {
  return socket?.conn?.server?.ws instanceof WebSocketServer;
}

/** @returns {Member | undefined} that of a socket, under this id */
function memberOf(fanOut, id, socket) {
  const members = socket?.[kMember]?.route.members;
  return members?.find((member) => member.fanOut === fanOut && member.id === id);
}

module.exports = { Member, canBeMember, memberOf };
