"use strict";

const { isFullyReported, isWatchableMap, unwatchMap, watchMap } = require("./watched.js");

/** The three maps that hold an adapter's sockets and rooms, while they are watched. */
class WatchedMaps {
  #adapter;
  #observers;

  /**
   * Watches the maps of an adapter.
   *
   * @param {import("socket.io-adapter").Adapter} adapter
   * @param {{ rooms: object, sids: object, sockets: object }} observers one for each map, see
   *   `watchMap()`
   * @returns {WatchedMaps | null} `null` if one of the maps cannot be watched
   */
  static of(adapter, observers) {
    const maps = [adapter.rooms, adapter.sids, adapter.nsp.sockets];
    return maps.every(isWatchableMap) ? new WatchedMaps(adapter, observers) : null;
  }

  /** @private called by `WatchedMaps.of()` */
  constructor(adapter, observers) {
    this.#adapter = adapter;
    this.#observers = observers;
    this.rooms = adapter.rooms;
    this.sids = adapter.sids;
    this.sockets = adapter.nsp.sockets;
    watchMap(this.rooms, observers.rooms);
    watchMap(this.sids, observers.sids);
    watchMap(this.sockets, observers.sockets);
  }

  /** Returns whether the adapter still has these maps, and all their changes have been reported. */
  get areCurrent() {
    const { rooms, sids, sockets } = this;
    return (
      rooms === this.#adapter.rooms &&
      sids === this.#adapter.sids &&
      sockets === this.#adapter.nsp.sockets &&
      isFullyReported(rooms) &&
      isFullyReported(sids) &&
      isFullyReported(sockets)
    );
  }

  /** Ends the reports. */
  stop() {
    unwatchMap(this.rooms, this.#observers.rooms);
    unwatchMap(this.sids, this.#observers.sids);
    unwatchMap(this.sockets, this.#observers.sockets);
  }
}

module.exports = { WatchedMaps };
