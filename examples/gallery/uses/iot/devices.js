/** The devices: clients of the server, as they would run elsewhere. They use our parser, too. */

const { io } = require("socket.io-client");
const { parser } = require("../../../..");

/** Each has a unit, a value to swing around, how far, and the value if it is switched off. */
const DEVICES = {
  boiler: { unit: "°C", middle: 64, swing: 7, off: 18 },
  pump: { unit: "l/min", middle: 32, swing: 12, off: 0 },
  fan: { unit: "rpm", middle: 900, swing: 160, off: 0 },
  lamp: { unit: "W", middle: 11, swing: 2, off: 0 },
};
const [INTERVAL, RESTART] = [250, 1500];

/** Starts all devices; returns a function that stops them. */
function startDevices(url, token) {
  const stops = Object.entries(DEVICES).map(([name, kind]) => startDevice(url, token, name, kind));
  return () => stops.forEach((stop) => void stop());
}

function startDevice(url, token, name, { middle, swing, off }) {
  const options = { auth: { name, token }, parser, forceNew: true, transports: ["websocket"] };
  const device = io(`${url}/iot-devices`, options);
  let isOn = true;
  let value = off;
  let starting;

  device.on("switch", (wanted, acknowledge) => {
    isOn = wanted;
    acknowledge();
  });
  device.on("restart", (_value, acknowledge) => {
    acknowledge();
    setImmediate(() => device.disconnect());
    starting = setTimeout(() => device.connect(), RESTART);
  });

  const timer = setInterval(() => {
    const goal = isOn ? middle + swing * Math.sin(Date.now() / 4000) : off;
    value += (goal - value) * 0.2 + (isOn ? (Math.random() - 0.5) * swing * 0.2 : 0);
    device.volatile.emit("reading", Math.round(value));
  }, INTERVAL);

  return () => {
    clearInterval(timer);
    clearTimeout(starting);
    device.disconnect();
  };
}

module.exports = { DEVICES, startDevices };
