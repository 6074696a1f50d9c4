"use strict";

/** Our adapter for Redis with one bug each, which the search has to find: changes of a factory. */

/** Changes each adapter that a factory makes, except those of the sharded protocol. */
const changed = (change) => (factory) =>
  function AdapterOf(nsp) {
    const adapter = factory(nsp);
    if (adapter.requestChannel === undefined) return adapter;
    try {
      const { directory, transport } = adapter.pubClient.node;
      change(adapter, directory, transport);
    } catch (error) {
      // Else its connection would keep the process.
      adapter.close();
      throw error;
    }
    return adapter;
  };

/** Replaces a method of an object. */
function override(object, name, make) {
  const original = object[name].bind(object);
  object[name] = make(original);
}

exports.ForgetsNumberedRooms = changed((_adapter, directory) => {
  override(directory, "touch", (touch) => (room) => typeof room === "number" || touch(room));
});

exports.ReportsRoomsInTheNextTurn = changed((_adapter, directory) => {
  override(directory, "flush", (flush) => () => setImmediate(flush));
});

exports.ReportsOnlyNewRooms = changed((_adapter, directory) => {
  override(directory, "touchNamesOf", () => () => {});
});

exports.MissesLeftRooms = changed((adapter, directory) => {
  override(directory, "flushRoom", (flushRoom) => (native, room) => {
    if (adapter.rooms.has(room)) flushRoom(native, room);
  });
});

exports.MissesServedSockets = changed((_adapter, directory) => {
  override(directory, "flushRoom", (flushRoom) => (native, room) => {
    const setRoom = (...args) => native.setRoom(...args.slice(0, -1), false);
    flushRoom({ setRoom, forgetRoom: (...args) => native.forgetRoom(...args) }, room);
  });
});

exports.IgnoresListenersOfTheEngine = changed((_adapter, directory) => {
  override(directory, "setObserved", () => () => {});
});

exports.OvertakesUnhandledMessages = changed((_adapter, _directory, transport) => {
  override(transport, "hand", (hand) => (namespace, channel, message) => {
    transport.workers.native.handled(namespace);
    transport.workers.flush();
    setImmediate(hand, namespace, channel, message);
  });
});

exports.PublishesToTheFirstRoom = changed((adapter, _directory, transport) => {
  override(transport, "publishBroadcast", (publish) => (namespace, channel, packet, options) => {
    const { rooms } = JSON.parse(options);
    const isMine = channel === adapter.channel && rooms.length > 1;
    publish(namespace, isMine ? `${channel}${rooms[0]}#` : channel, packet, options);
  });
});

exports.PublishesNoExceptions = changed((_adapter, _directory, transport) => {
  override(transport, "publishBroadcast", (publish) => (namespace, channel, packet, options) => {
    publish(namespace, channel, packet, JSON.stringify({ ...JSON.parse(options), except: [] }));
  });
});

exports.ReceivesItsOwnMessages = changed((adapter, directory, transport) => {
  transport.native.addNode(directory.namespace, adapter.nsp.name, "another", adapter.channel);
});

exports.DeliversInTheNextTurn = changed((_adapter, _directory, transport) => {
  override(transport, "hand", (hand) => (namespace, channel, message) => {
    const isRequest = channel.includes("-request#");
    if (isRequest) setImmediate(hand, namespace, channel, message);
    else hand(namespace, channel, message);
  });
});
