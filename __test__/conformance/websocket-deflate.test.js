"use strict";

/**
 * permessage-deflate, RFC 7692: its negotiation, against ws's own, and Autobahn groups 12 and 13.
 *
 * SEED=<number> repeats a run.
 */

const assert = require("node:assert/strict");
const { after, before, describe, test } = require("node:test");
const turbo = require("../../index.js");
const { hasEngine } = require("../../lib/addon/index.js");
const { SEED, randomFrom } = require("../support/random.js");
const {
  WITHOUT_CONTEXT,
  compressedFragments,
  decodeExtension,
  deflated,
  deflating,
  inflated,
  offering,
} = require("../support/websocket/deflate.js");
const { assertEchoed } = require("../support/websocket/exchange.js");
const { BINARY, TEXT, piecesOf } = require("../support/websocket/frames.js");
const {
  RecordingServer,
  SERVERS,
  describeServers,
  echo,
  recordingServer,
} = require("../support/websocket/servers.js");

const KIB = 1024;
const { below, pick, chance, times } = randomFrom(SEED);

/** Returns integers from `first` to `last`. */
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

// --- Negotiation

const HEADERS = [
  "permessage-deflate",
  "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
  "permessage-deflate; client_max_window_bits",
  "permessage-deflate; client_max_window_bits=8; server_max_window_bits=8",
  'permessage-deflate; client_max_window_bits="10"; server_max_window_bits="15"',
  "permessage-deflate; server_max_window_bits=10, permessage-deflate",
  "permessage-deflate;server_max_window_bits=10,permessage-deflate;client_max_window_bits",
  "x-other; a=1, permessage-deflate; client_max_window_bits, x-another",
  "x-other",
  "Permessage-Deflate",
  "",
  // Refused.
  "permessage-deflate; server_max_window_bits",
  "permessage-deflate; server_max_window_bits=7",
  "permessage-deflate; server_max_window_bits=16",
  "permessage-deflate; client_max_window_bits=x",
  'permessage-deflate; client_max_window_bits=""',
  "permessage-deflate; client_max_window_bits=10; client_max_window_bits=11",
  "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
  "permessage-deflate; server_no_context_takeover=1",
  "permessage-deflate; client_no_context_takeover=true",
  "permessage-deflate; unknown",
  "permessage-deflate; unknown=1, permessage-deflate",
  "permessage-deflate;",
  "permessage-deflate,",
  "permessage-deflate; =10",
  "permessage-deflate; server_max_window_bits=10; ;",
  "permessage-deflate permessage-deflate",
  ";",
];

const BITS = ["8", "9", "12", "15", '"11"'];
const BAD_BITS = ["7", "16", "010", "9.5", "-9", "0x9", "1e1", ""];

/** Returns a parameter of an offer; a few are invalid. */
const parameter = () =>
  pick([
    () => "server_no_context_takeover",
    () => "client_no_context_takeover",
    () => `server_max_window_bits=${pick(chance(0.05) ? BAD_BITS : BITS)}`,
    () => (chance(0.5) ? "client_max_window_bits" : `client_max_window_bits=${pick(BITS)}`),
    () => (chance(0.05) ? pick(["x", "server_max_window_bits", "x=1"]) : "client_max_window_bits"),
  ])();

const SEPARATORS = ["; ", ";", " ; "];

/** Returns a header of a few offers; most do not repeat a parameter. */
function generatedHeader() {
  const offers = Array.from({ length: 1 + below(3) }, () => {
    const parameters = times(5, parameter);
    const named = new Map(parameters.map((each) => [each.split("=")[0], each]));
    const kept = chance(0.05) ? parameters : [...named.values()];
    return ["permessage-deflate", ...kept].join(pick(SEPARATORS));
  });
  return offers.join(pick([", ", ","]));
}

const OFFERS = [...HEADERS, ...Array.from({ length: 150 }, generatedHeader)];

/** The options of servers that negotiate. */
const NEGOTIATED = [
  true,
  {},
  { serverMaxWindowBits: 10 },
  { serverMaxWindowBits: 8, clientMaxWindowBits: 12 },
  { serverMaxWindowBits: false },
  { clientMaxWindowBits: 10 },
  { clientMaxWindowBits: false },
  { clientMaxWindowBits: true, serverMaxWindowBits: true },
];

/** Returns what a server does with an offer. */
async function negotiate(server, header) {
  const request = { headers: { "Sec-WebSocket-Extensions": header } };
  const { client, application } = await server.connect(request);
  const { status, headers, body } = client.response;
  const isOpen = status === 101;
  const extension = application.websocket?._extensions["permessage-deflate"];
  const outcome = {
    status,
    body,
    // A set: the order of parameters means nothing.
    header: headers["sec-websocket-extensions"]?.split("; ").sort(),
    extensions: application.websocket?.extensions,
    params: extension && { ...extension.params },
  };
  if (isOpen) await client.close();
  else await client.ended();
  client.destroy();
  return outcome;
}

describe(`negotiation, SEED=${SEED}`, () => {
  for (const options of NEGOTIATED) {
    describe(`with the options ${JSON.stringify(options)}`, () => {
      const servers = SERVERS.map((kind) => {
        const stock = { ...WITHOUT_CONTEXT, ...(options === true ? {} : options) };
        return new RecordingServer(kind, {
          perMessageDeflate: kind.compressesAll ? stock : options,
        });
      });
      before(() => Promise.all(servers.map((server) => server.listening())));
      after(() => Promise.all(servers.map((server) => server.stop())));

      test("our server does what ws does", async () => {
        const statuses = new Set();
        for (const header of OFFERS) {
          const outcomes = [];
          for (const server of servers) outcomes.push(await negotiate(server, header));
          assert.deepEqual(outcomes[1], outcomes[0], header);
          statuses.add(`${outcomes[0].status} ${outcomes[0].extensions}`);
        }
        assert.deepEqual([...statuses].sort(), ["101 ", "101 permessage-deflate", "400 undefined"]);
      });
    });
  }
});

describeServers("negotiation", (kind) => {
  const server = recordingServer(kind, { perMessageDeflate: { ...WITHOUT_CONTEXT } });

  test("RFC 7692 §7.1: neither end may keep a context", async () => {
    const { client } = await server.connect(offering(["client_max_window_bits"]));
    assert.deepEqual(decodeExtension(client.response.headers["sec-websocket-extensions"]), {
      server_no_context_takeover: true,
      client_no_context_takeover: true,
    });
    await client.close();
  });

  test("a client that offers nothing is served without compression", async () => {
    const { client, application } = await server.connect();
    assert.equal(client.response.headers["sec-websocket-extensions"], undefined);
    assert.equal(application.websocket.extensions, "");
    application.websocket.send("x".repeat(5000));
    await client.hasReceived(1);
    assert.equal(client.transfers[0].compressed, false);
    await client.close();
  });
});

// --- Autobahn

const WORDS = "der die und in ich ist nicht zu Faust Mephistopheles Geist Welt Menschen will mir";

/** Returns text of random words, with numbers, between a prefix and a suffix. */
const words = (count) =>
  Array.from({ length: count }, () =>
    chance(0.1) ? String(below(1e6)) : pick(WORDS.split(" ")),
  ).join(" ");

/** Returns about 150 KiB that a function makes piece by piece. */
function dataOf(make) {
  const pieces = [];
  for (let length = 0; length < 150 * KIB; length += pieces.at(-1).length) {
    pieces.push(Buffer.from(make(pieces.length)));
  }
  return Buffer.concat(pieces);
}

const randomBytes = (length) => Buffer.from(Array.from({ length }, () => below(256)));
const RANDOM = randomBytes(150 * KIB);

/** The kinds of data of Autobahn's files. */
const DATA = {
  prose: { opcode: BINARY, bytes: dataOf(() => `${words(9)}\r\n`) },
  "a bitmap": {
    opcode: BINARY,
    bytes: dataOf((row) =>
      Buffer.from(range(0, 511).map((x) => 128 + ((x * row) >> 9) + below(4))),
    ),
  },
  "data that is compressed already": { opcode: BINARY, bytes: RANDOM },
  JSON: {
    opcode: TEXT,
    bytes: dataOf((id) => `${JSON.stringify({ id, name: words(2), tags: times(5, () => id) })},\n`),
  },
  HTML: {
    opcode: TEXT,
    bytes: dataOf((id) => `<li class="item"><a href="#${id}">${words(4)}</a>`),
  },
};

/** The lengths of Autobahn's messages, and of their fragments. */
const LENGTHS = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map((length) => [length]),
  ...[8192, 16_384, 32_768, 65_536, 131_072].map((length) => [length, 256]),
  ...[1024, 4096, 32_768].map((fragment) => [131_072, fragment]),
];

/** How many messages of a length are sent, where Autobahn sends 1,000. */
function countOf(length) {
  if (length <= 1024) return 50;
  return length <= 16_384 ? 10 : 3;
}

/** Returns messages, one after the other out of the data, as Autobahn sends them. */
function messagesOf({ opcode, bytes, windowBits }, length, fragment = length) {
  let at = 0;
  return Array.from({ length: countOf(length) }, () => {
    if (at + length > bytes.length) at = 0;
    const payload = bytes.subarray(at, at + length);
    at += length;
    const onWire = deflated(payload, { windowBits });
    const size = Math.ceil(onWire.length / (length / fragment));
    return { payload, frames: compressedFragments(opcode, piecesOf(onWire, size)) };
  });
}

/**
 * Asserts that messages of all lengths are echoed, and that they are compressed unless they would grow.
 * The client decompresses them with a window as was negotiated.
 */
async function assertAllEchoed(server, data, ...offers) {
  const name = data.opcode === TEXT ? "text" : "binary";
  const offeringServer = deflating(server, ...offers);
  for (const [length, fragment] of LENGTHS) {
    const messages = messagesOf(data, length, fragment);
    const wire = Buffer.concat(messages.flatMap(({ frames }) => frames));
    const echoed = messages.map(({ payload }) => [name, payload]);
    const transfers = await assertEchoed(offeringServer, piecesOf(wire, 64 * KIB), echoed);
    for (const transfer of transfers) {
      assert.ok(transfer.compressed || (!server.kind.compressesAll && transfer.length === length));
      assert.ok(transfer.length <= length || server.kind.compressesAll);
    }
    // Short pieces of any data may grow.
    if (length >= KIB && data.bytes !== RANDOM)
      assert.ok(transfers.every((each) => each.compressed));
  }
}

describeServers("Autobahn 12, kinds of data", (kind) => {
  const perMessageDeflate = { threshold: 0, ...WITHOUT_CONTEXT };
  const server = recordingServer(kind, { perMessageDeflate }, echo);

  for (const [what, data] of Object.entries(DATA)) {
    test(`compressed messages of all lengths are echoed: ${what}`, () =>
      assertAllEchoed(server, data, []));
  }
});

/** The offers of Autobahn's clients, and the parameters that its servers then ask for. */
const PARAMETERS = [
  ["13.1", {}, []],
  ["13.2", {}, ["server_no_context_takeover"]],
  ["13.3", { clientMaxWindowBits: 9 }, ["client_max_window_bits", "server_max_window_bits=9"]],
  [
    "13.3, 8 bits",
    { clientMaxWindowBits: 8 },
    ["client_max_window_bits", "server_max_window_bits=8"],
  ],
  ["13.4", { clientMaxWindowBits: 15 }, ["client_max_window_bits", "server_max_window_bits=15"]],
  [
    "13.5",
    { clientMaxWindowBits: 9 },
    ["client_max_window_bits", "server_no_context_takeover", "server_max_window_bits=9"],
  ],
  [
    "13.6",
    { clientMaxWindowBits: 15 },
    ["client_max_window_bits", "server_no_context_takeover", "server_max_window_bits=15"],
  ],
  [
    "13.7",
    {},
    ["client_no_context_takeover", "server_no_context_takeover", "server_max_window_bits=9"],
    ["server_no_context_takeover"],
    [],
  ],
];

describeServers("Autobahn 13, parameters", (kind) => {
  for (const [number, options, ...offers] of PARAMETERS) {
    describe(number, () => {
      const perMessageDeflate = { threshold: 0, ...WITHOUT_CONTEXT, ...options };
      const server = recordingServer(kind, { perMessageDeflate }, echo);

      test("compressed messages of all lengths are echoed", () => {
        // zlib compresses with 9 bits at least, so that distances stay below 2^8.
        const windowBits = Math.max(9, options.clientMaxWindowBits ?? 15);
        return assertAllEchoed(server, { ...DATA.JSON, windowBits }, ...offers);
      });
    });
  }
});

// --- Windows

/** Bytes that are repeated at distances of all windows, and no others. */
const REPEATED = randomBytes(200);
const GAPS = [10, 60, 400, 700, 1500, 3500, 7500, 15_000, 31_000];
const AT_ALL_DISTANCES = Buffer.concat([
  REPEATED,
  ...GAPS.flatMap((gap) => [randomBytes(gap), REPEATED]),
]);

test("a distance beyond a window of fewer bits is detected", () => {
  for (const windowBits of range(9, 15)) {
    const payload = deflated(AT_ALL_DISTANCES, { windowBits });
    assert.deepEqual(inflated(payload, windowBits), AT_ALL_DISTANCES);
    const tooFew = windowBits === 9 ? undefined : windowBits - 1;
    if (tooFew) assert.throws(() => inflated(payload, tooFew), { code: "Z_DATA_ERROR" });
  }
});

describeServers("windows", (kind) => {
  const limit = { threshold: 0, ...WITHOUT_CONTEXT };
  const offered = recordingServer(kind, { perMessageDeflate: limit }, echo);

  for (const bits of range(8, 15)) {
    const perMessageDeflate = { ...limit, serverMaxWindowBits: bits, clientMaxWindowBits: bits };
    const asked = recordingServer(kind, { perMessageDeflate }, echo);

    for (const [how, server, ...parameters] of [
      ["offered", offered, `server_max_window_bits=${bits}`],
      ["set by the server", asked, `client_max_window_bits=${bits}`],
    ]) {
      test(`RFC 7692 §7.1.2.1: a window of ${bits} bits is kept to, ${how}`, async () => {
        const payload = deflated(AT_ALL_DISTANCES, { windowBits: Math.max(9, bits) });
        const wire = Buffer.concat(compressedFragments(BINARY, [payload]));
        const [transfer] = await assertEchoed(deflating(server, parameters), wire, [
          ["binary", AT_ALL_DISTANCES],
        ]);
        assert.ok(transfer.compressed);
        // The wider the window, the fewer bytes.
        const narrower = deflated(AT_ALL_DISTANCES, { windowBits: Math.max(9, bits - 1) }).length;
        if (bits > 9) assert.ok(transfer.length < narrower, `${transfer.length} bytes`);
      });
    }
  }
});

describe("the servers of these tests", () => {
  test("have compressed connections on workers", { skip: !hasEngine }, () => {
    const { opened, fallback } = turbo.stats().connections;
    assert.deepEqual(fallback, {});
    assert.ok(opened > OFFERS.length);
  });
});
