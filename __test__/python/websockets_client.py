"""A client of the package websockets, for a server that echoes messages.

For each set of parameters of permessage-deflate it opens a connection to the URL of its argument, sends
messages, and prints a line of JSON: {"extensions": […], "echoed": true if all came back unchanged}.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

PARAMETERS = [
    {"client_max_window_bits": True},
    {"server_max_window_bits": 9, "client_max_window_bits": True},
    {"server_max_window_bits": 10, "client_max_window_bits": 10},
    {"server_no_context_takeover": True, "client_no_context_takeover": True},
]

MESSAGES = ["", "short", "žluťoučký kůň " * 1000, b"", bytes(range(256)) * 500, "x" * 500_000]


async def all_at_once(socket):
    """Sends all messages before it reads; returns whether they come back in order."""
    sending = asyncio.create_task(send_all(socket))
    received = [await socket.recv() for _ in MESSAGES]
    await sending
    return received == MESSAGES


async def send_all(socket):
    for message in MESSAGES:
        await socket.send(message)


async def in_fragments(socket):
    """Sends a message of several fragments; returns whether it comes back whole."""
    await socket.send(["fragments ", "of " * 100, "", "a message"])
    return await socket.recv() == "fragments " + "of " * 100 + "a message"


async def main(url):
    for parameters in PARAMETERS:
        offers = [ClientPerMessageDeflateFactory(**parameters)]
        async with connect(url, compression=None, extensions=offers, max_size=None) as socket:
            echoed = await all_at_once(socket) and await in_fragments(socket)
            extensions = [extension.name for extension in socket.protocol.extensions]
            print(json.dumps({"extensions": extensions, "echoed": echoed}), flush=True)


asyncio.run(main(sys.argv[1]))
