let petals = 2;
let drawn = [];

/** Returns a stroke that is longer with each call, and begins anew once it is a whole flower. */
function flower() {
  if (drawn.length > 100) {
    petals = (petals % 6) + 2;
    drawn = [];
  }
  const angle = (2 * Math.PI * drawn.length) / 100;
  const radius = 60 + 40 * Math.cos(angle * petals);
  drawn.push([340 + radius * Math.cos(angle), 150 + radius * Math.sin(angle)]);
  const points = Buffer.from(Uint16Array.from(drawn.flat()).buffer);
  return { points, isDone: drawn.length > 100 };
}

module.exports = { flower };
