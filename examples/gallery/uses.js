/**
 * The fifteen uses: what carries each, in three lines. Figures are those of the benchmark report,
 * with stock Socket.IO as the other figure.
 */

const { readdirSync } = require("node:fs");
const path = require("node:path");
const facts = require("./facts.js");

const TEXT = `
chat | Chat | rooms, private messages
Rooms, private messages, images, typing: the whole chat is linked, and this is its lobby.
A message has an id of the page. If it is sent again after a lost connection, it is shown once.
To send to a room of ten takes ${facts.room}.
game | Game | volatile binary broadcasts
The server owns the arena: players only send where they want to go.
20 times a second <code>volatile.emit()</code> sends one binary frame. A slow player skips frames.
To send to 1,000 players takes ${facts.broadcast}.
sheet | Spreadsheet | presence, conflicts
A write has the version that its author has seen. If another was faster, it is refused.
Presence is in <code>socket.data</code>: the cell in which each person is.
To receive an event takes ${facts.received}.
feed | Feed | connection state recovery
Topics are rooms. Each person has one, too, so that notifications reach all tabs.
Lose the connection: what was missed is sent, in order, once. Our adapter does it as the official one.
To send to a room of ten takes ${facts.room}.
iot | Devices | acknowledgements with timeout
Four devices, which are clients in Node.js: a middleware asks for their token, readings are volatile.
A command is <code>timeout(1000).emitWithAck()</code>: the device answers, or is offline.
An idle connection takes ${facts.idle}.
map | Tracking | rooms for areas, volatile
Each area is a room. Leave one, and its positions are not sent to you.
Areas take turns, because of several volatile events in one turn only the first goes out.
To send to a room of ten takes ${facts.room}.
stocks | Stocks | rooms, many small broadcasts
Each share has a room for its ticks. Trades reach everybody, and move the price.
After a lost connection, the acknowledgement of <code>watch</code> has the history.
As fast as it goes, 1,000 clients get ${facts.saturated.turbo} messages/s instead of ${facts.saturated.ws}.
auction | Auction | acknowledgements
Only the server knows the highest bid. The acknowledgement says at once whether yours is.
A bid in the last seconds extends the time. Clocks of visitors do not count.
To receive an event and to acknowledge it takes ${facts.ack}.
whiteboard | Whiteboard | binary events
A stroke is binary, 4 bytes for a point. <code>{"x":123,"y":45}</code> has 16.
Drafts are volatile, finished strokes are not. Those who come later get all of them.
To decode an event with a Buffer of 4 KiB is ${facts.decoding} times as fast as with socket.io-parser.
poll | Poll | at least once, counted once
<code>retries</code> sends a vote until it is acknowledged. The server keeps one for each person.
Results go out ten times a second at most, however many votes come.
To receive a vote takes ${facts.received}.
ride | Rides | private rooms
A ride is a room with all tabs of rider and driver: <code>socketsJoin()</code> moves them.
All drivers get an offer, and the first who accepts gets the ride. Take one in another browser.
To send to a room of ten takes ${facts.room}.
support | Support | middleware, private rooms
A room for each customer. Agents have a namespace, whose middleware asks for “open sesame”.
The messages of a ticket go to both namespaces. Without an agent a robot answers.
With JavaScript busy for three ping timeouts, ${facts.lost.turbo} of 200 clients are lost instead of ${facts.lost.ws}.
webinar | Webinar | dynamic namespaces
A talk is a namespace that comes into being with its first listener, and goes with the last.
Reactions are volatile; slides and questions are not.
Ten broadcasts to 1,000 listeners in one turn take ${facts.burst}, for each.
sports | Scores | offsets
Events have numbers. The page says in <code>auth</code> which it has, and gets the rest, hours later, too.
Cheers are counted at once, and sent ten times a second at most.
To send to 1,000 fans takes ${facts.broadcast}.
code | Code | binary, Yjs
Yjs merges what several people write, also without a connection. Its updates are binary events.
After a loss, page and server exchange only what the other lacks.
To receive a message of 1 KiB takes ${facts.received1K}.
`;

/** Name of folder and namespace, title, feature of Socket.IO, three lines of HTML, files to show. */
const USES = TEXT.trim()
  .split(/\n(?=\w+ \|)/)
  .map((block) => {
    const [head, ...lines] = block.split("\n");
    const [name, title, feature] = head.split(" | ");
    const own = readdirSync(path.join(__dirname, "uses", name))
      .sort()
      .reverse();
    const files = own.map((file) => `uses/${name}/${file}`);
    if (name === "chat") files.unshift("../chat/conversation.js");
    return { name, title, feature, lines, files };
  });

module.exports = { USES };
