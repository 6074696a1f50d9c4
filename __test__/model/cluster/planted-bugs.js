"use strict";

/**
 * Our adapter for Redis with a bug each: what a test of clusters has to find. Each changes a factory
 * of adapters.
 */

/** A factory whose adapters are changed once they are there; not those of the sharded protocol. */
const changed = (change) => (factory) =>
  function AdapterOf(nsp) {
    const adapter = factory(nsp);
    if (adapter.requestChannel === undefined) return adapter;
    const { directory, transport } = adapter.pubClient.node;
    change(adapter, directory, transport);
    return adapter;
  };

/** Puts another method in the place of an object's own. */
function override(object, name, make) {
  const original = object[name].bind(object);
  object[name] = make(original);
}

const ForgetsNumberedRooms = changed((_adapter, directory) => {
  override(directory, "touch", (touch) => (room) => typeof room === "number" || touch(room));
});

const TellsOfRoomsInTheNextTurn = changed((_adapter, directory) => {
  override(directory, "flush", (flush) => () => setImmediate(flush));
});

const TellsOnlyOfNewRooms = changed((_adapter, directory) => {
  directory.touchNamesOf = () => {};
});

const ForgetsThatRoomsAreLeft = changed((adapter, directory) => {
  override(directory, "flushRoom", (flushRoom) => (native, room) => {
    if (adapter.rooms.has(room)) flushRoom(native, room);
  });
});

const MissesWhoIsServed = changed((_adapter, directory) => {
  override(directory, "flushRoom", (flushRoom) => (native, room) => {
    const setRoom = (...args) => native.setRoom(...args.slice(0, -1), false);
    flushRoom({ setRoom, forgetRoom: (...args) => native.forgetRoom(...args) }, room);
  });
});

const IgnoresListenersOfTheEngine = changed((_adapter, directory) => {
  directory.setObserved = () => {};
});

const OvertakesWhatIsNotHandled = changed((_adapter, _directory, transport) => {
  override(transport, "hand", (hand) => (namespace, channel, message) => {
    transport.workers.native.handled(namespace);
    transport.workers.flush();
    setImmediate(hand, namespace, channel, message);
  });
});

const PublishesToTheFirstRoom = changed((adapter, _directory, transport) => {
  override(transport, "publishBroadcast", (publish) => (namespace, channel, packet, options) => {
    const { rooms } = JSON.parse(options);
    const isMine = channel === adapter.channel && rooms.length > 1;
    publish(namespace, isMine ? `${channel}${rooms[0]}#` : channel, packet, options);
  });
});

const PublishesNoExceptions = changed((_adapter, _directory, transport) => {
  override(transport, "publishBroadcast", (publish) => (namespace, channel, packet, options) => {
    publish(namespace, channel, packet, JSON.stringify({ ...JSON.parse(options), except: [] }));
  });
});

const HearsItself = changed((adapter, directory, transport) => {
  transport.native.addNode(directory.namespace, adapter.nsp.name, "another", adapter.channel);
});

const DeliversInTheNextTurn = changed((_adapter, _directory, transport) => {
  override(transport, "hand", (hand) => (namespace, channel, message) => {
    const isRequest = channel.includes("-request#");
    if (isRequest) setImmediate(hand, namespace, channel, message);
    else hand(namespace, channel, message);
  });
});

module.exports = {
  ForgetsNumberedRooms,
  TellsOfRoomsInTheNextTurn,
  TellsOnlyOfNewRooms,
  ForgetsThatRoomsAreLeft,
  MissesWhoIsServed,
  IgnoresListenersOfTheEngine,
  OvertakesWhatIsNotHandled,
  PublishesToTheFirstRoom,
  PublishesNoExceptions,
  HearsItself,
  DeliversInTheNextTurn,
};
