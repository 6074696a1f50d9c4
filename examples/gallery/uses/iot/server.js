/**
 * Devices and dashboards, each on a namespace of their own. Devices prove who they are, and send
 * readings, which are volatile: only the newest counts. A command goes to one device, which
 * acknowledges it, or is offline.
 */

const { randomBytes } = require("node:crypto");
const { bool, demand, handle, integer, oneOf, shape } = require("../../input.js");
const { startDevices, DEVICES } = require("./devices.js");

const [SAMPLES, PATIENCE] = [60, 1000];

module.exports = (dashboards, { io, url, every, onClose }) => {
  const token = randomBytes(16).toString("hex");
  const names = Object.keys(DEVICES);
  const states = new Map(names.map((name) => [name, { isOnline: false, isOn: true, values: [] }]));
  const isDevice = ({ name, token: given }) => states.has(name) && given === token;

  const devices = io.of("/iot-devices").use((socket, next) => {
    next(isDevice(socket.handshake.auth) ? undefined : new Error("Unknown device"));
  });

  /** Not volatile: a dashboard must not miss the last state of a device. */
  function report(state, isOnline) {
    state.isOnline = isOnline;
    dashboards.emit("readings", [...states]);
  }
  devices.on("connection", (device) => {
    const { name } = device.handshake.auth;
    const state = states.get(name);
    report(state, true);
    device.join(name);
    handle(device, "reading", 20, integer(-1000, 10_000), (value) => {
      state.values = [...state.values.slice(1 - SAMPLES), value];
    });
    device.on("disconnect", () => report(state, false));
  });
  /** Sends a command to a device, and waits until the device has acknowledged it. */
  async function command(name, event, value) {
    const command = devices.to(name).timeout(PATIENCE);
    const answers = await command.emitWithAck(event, value).catch(() => []);
    demand(answers.length > 0, `The ${name} is offline`);
  }

  dashboards.on("connection", (socket) => {
    socket.emit("devices", DEVICES);
    handle(socket, "switch", 5, shape({ name: oneOf(names), isOn: bool }), async (order) => {
      const { name, isOn } = order;
      await command(name, "switch", isOn);
      states.get(name).isOn = isOn;
      dashboards.emit("switched", { name, isOn, by: socket.data.person.name });
    });
    handle(socket, "restart", 2, oneOf(names), (name) => command(name, "restart"));
  });

  every(500, () => dashboards.volatile.emit("readings", [...states]));
  onClose(startDevices(url, token));
};
