"""Clients of python-socketio, driven by lines of JSON on the standard input.

Each client does what `__test__/support/clients/program.js` describes. A command names a client by
a number: {"id": 1, "open": {"url": …, "namespace": …, "auth": …, "transports": […]}} or
{"id": 1, "close": true}. Its fate comes back on the standard output: {"id": 1, "disconnected": …}
or {"id": 1, "refused": …}.
"""

import asyncio
import json
import sys

import socketio

PHRASE = (
    "Žluťoučký kůň úpěl ďábelské ódy. Щит 你好 😀 👩\u200d🚀 \u0000\u007f\u0080\u07ff\u0800\uffff"
)


def report(client_id, **fate):
    print(json.dumps({"id": client_id, **fate}), flush=True)


class Client:
    """One connection to one namespace."""

    def __init__(self, client_id, namespace):
        self.id = client_id
        self.namespace = namespace
        self.news_heard = []
        # Browsers offer permessage-deflate; aiohttp does if it is told how many bits a window has.
        self.socket = socketio.AsyncClient(
            reconnection=False, websocket_extra_options={"compress": 15}
        )
        for handler in (self.relay, self.news, self.heard, self.recite, self.leave):
            self.socket.on(handler.__name__, handler, namespace=namespace)
        self.socket.on("disconnect", self.disconnected, namespace=namespace)
        self.socket.on("connect_error", self.refused, namespace=namespace)

    async def open(self, url, auth, transports):
        try:
            await self.socket.connect(
                url, auth=auth, transports=transports, namespaces=[self.namespace]
            )
        except socketio.exceptions.ConnectionError:
            pass

    async def close(self):
        await self.socket.disconnect()

    async def relay(self, *args):
        async def pass_on():
            echoed = await self.socket.call("echo", args, namespace=self.namespace)
            await self.socket.emit("relayed", echoed, namespace=self.namespace)

        asyncio.create_task(pass_on())
        return args

    async def news(self, *args):
        self.news_heard.append(list(args))

    async def heard(self, start):
        return self.news_heard[start : start + 5]

    async def recite(self, phrase):
        return phrase == PHRASE, PHRASE

    async def leave(self):
        await self.socket.disconnect()

    async def disconnected(self, reason):
        report(self.id, disconnected=reason)

    async def refused(self, error):
        report(self.id, refused=error)


async def main():
    clients = {}
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        if "open" in command:
            options = command["open"]
            client = Client(command["id"], options["namespace"])
            clients[client.id] = client
            asyncio.create_task(
                client.open(options["url"], options["auth"], options["transports"])
            )
        else:
            await clients.pop(command["id"]).close()


asyncio.run(main())
