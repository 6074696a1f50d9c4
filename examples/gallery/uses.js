"use strict";

/**
 * The fifteen uses: what carries each, in three lines. Figures are those of the benchmark report,
 * with stock Socket.IO as the other figure.
 */

const facts = require("./facts.js");

/**
 * @typedef {object} Use
 * @property {string} name of its folder and its namespace
 * @property {string} title
 * @property {string} feature of Socket.IO that carries it
 * @property {string[]} lines three, as HTML
 * @property {string[]} files that `/source/NAME` shows
 */

const TEXT = `
chat | Chat | rooms, private messages
Rooms, private messages, images, typing: the whole chat is linked, and this is its lobby.
A message has an id of the page, so that one that is sent again after a lost connection is shown once.
<code>io.to(room).emit()</code> to one of many rooms takes ${facts.room} of the event loop.
game | Game | volatile binary broadcasts
The server owns the arena: players only send where they want to go.
20 times a second <code>volatile.emit()</code> sends one binary frame. A slow player skips frames instead of lagging behind.
A broadcast to 1,000 players blocks the event loop for ${facts.broadcast}.
sheet | Spreadsheet | presence, conflicts
A write carries the version that its author has seen. If another was faster, the acknowledgement says so, and nothing is overwritten.
<code>socket.data</code> has the cell in which each person is.
Received events reach JavaScript in batches: ${facts.received} of the event loop for each.
feed | Feed | connection state recovery
Topics are rooms, and each person has one for notifications, which reaches all tabs.
Lose the connection: <code>connectionStateRecovery</code> sends what was missed, in order, once.
Our adapter recovers as the official one does, and costs ${facts.room} for a broadcast to a room.
iot | Devices | acknowledgements with timeout
Four devices, which are clients in Node.js: volatile readings, and a middleware that asks for their token.
A command is <code>timeout(1000).emitWithAck()</code> to one device: it answers, or it is offline.
An idle connection takes ${facts.idle} of memory.
map | Tracking | rooms for areas, volatile
Each area of the city is a room. Leave those that you do not look at, and their positions are not sent to you.
Positions are volatile: an old one is worth nothing. Areas take turns, since of several in one turn only the first would go out.
A broadcast to one of many rooms takes ${facts.room} of the event loop.
stocks | Stocks | rooms, many small broadcasts
Each share has a room for its ticks. Trades reach everybody, and move the price.
After a lost connection the acknowledgement of <code>watch</code> has the history.
At its limit, one server delivers ${facts.saturated.turbo} messages/s to 1,000 clients instead of ${facts.saturated.ws}.
auction | Auction | acknowledgements
A bid is an event with an acknowledgement: only the server knows the highest bid, and says at once whether yours is.
A bid in the last seconds extends the time. Clocks of visitors do not count.
An event with its acknowledgement takes ${facts.ack} of the event loop.
whiteboard | Whiteboard | binary events
A stroke is binary: two 16-bit numbers for each point, a ninth of the same as JSON with names.
Drafts are volatile, finished strokes are not; those who come later get all of them.
An event with a 4&nbsp;KiB Buffer is decoded ${facts.parserSpeed("decode", "4 KiB Buffer")} times as fast as by socket.io-parser.
poll | Poll | at least once, counted once
<code>retries</code> sends a vote until it is acknowledged, and the server keeps one for each person, in all tabs.
Results go out ten times a second at most, however many votes come.
A vote that is received takes ${facts.received} of the event loop.
ride | Rides | private rooms
Each ride has a room with its rider and its driver. <code>socketsJoin()</code> and <code>socketsLeave()</code> move all tabs of a person.
All drivers get an offer; the first acknowledgement wins. Take one in a second browser.
Rooms are bitmaps on the I/O threads: ${facts.room} of the event loop for a broadcast to one.
support | Support | middleware, private rooms
A room for each customer. Agents have a namespace behind a middleware, with “open sesame”.
Without an agent a robot answers. The messages of a ticket are sent to both namespaces.
While JavaScript was busy for too long, ${facts.lost.turbo} of 200 clients were lost instead of ${facts.lost.ws}: heartbeats are answered by I/O threads.
webinar | Webinar | dynamic namespaces
A talk is a namespace that comes into being with its first listener, and goes with the last.
Reactions are volatile; slides and questions are not.
Five events in one turn, to all: ${facts.burst} of the event loop each, because they leave together.
sports | Scores | offsets
Events are numbered, and the page says in <code>auth</code> which it has. So it gets the rest, also hours later.
Cheers are counted at once, and sent ten times a second at most.
A broadcast to 1,000 fans blocks the event loop for ${facts.broadcast}.
code | Code | binary, Yjs
Yjs merges what several people write, also without a connection. Updates are small binary events.
After a loss, page and server exchange only what the other lacks.
A received message of 1&nbsp;KiB takes ${facts.received1K} of the event loop.
`;

/** @type {Use[]} */
const USES = TEXT.trim()
  .split(/\n(?=\w+ \|)/)
  .map((block) => {
    const [head, ...lines] = block.split("\n");
    const [name, title, feature] = head.split(" | ");
    const server = name === "chat" ? "../chat/conversation.js" : `uses/${name}/server.js`;
    return { name, title, feature, lines, files: [server, `uses/${name}/client.js`] };
  });

module.exports = { USES };
