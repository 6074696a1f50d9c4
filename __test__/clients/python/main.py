"""
The program of python-socketio: `main.py sync|asyncio URL TRANSPORT RECOVERY-URL`. It does what
../javascript/program.js does, and prints one line of JSON for each feature.
"""

import asyncio
import json
import os
import queue
import sys
import threading

import socketio

KIND, URL, TRANSPORT, RECOVERY_URL = sys.argv[1:]
TRANSPORTS = ["polling", "websocket"] if TRANSPORT == "upgrade" else [TRANSPORT]
PATIENCE = 30
HEARTBEATS = 6
MIB = 1024 * 1024
TEXT = "žluťoučký kůň 你好 😀 \u0000\u2028"
VALUES = [TEXT, 0, -1.5, True, None, [1, [2, {"three": TEXT}]], {}]
BYTES = bytes(range(256))

loop = asyncio.new_event_loop()


async def new_async_client(**options):
    return socketio.AsyncClient(**options)


def do(result):
    """Waits for the result of a call, which is a coroutine with asyncio."""
    if KIND == "sync":
        return result
    return asyncio.run_coroutine_threadsafe(result, loop).result(PATIENCE * 2)


class Client:
    """A client with a connection of its own."""

    def __init__(self, namespace="/"):
        options = {"reconnection_delay": 0.02, "reconnection_delay_max": 0.1}
        if KIND == "sync":
            self.client = socketio.Client(**options)
        else:
            self.client = do(new_async_client(**options))
        self.namespace = namespace

    def connect(self, url=URL, auth=None):
        namespaces = [self.namespace]
        options = {"namespaces": namespaces, "auth": auth, "wait_timeout": PATIENCE}
        do(self.client.connect(url, transports=TRANSPORTS, **options))
        return self

    def inbox(self, event):
        """Returns the arguments of each event that is received from now on."""
        events = queue.Queue()
        handler = lambda *args: events.put(list(args))
        self.client.on(event, handler, namespace=self.namespace)
        return events

    def emit(self, event, *args):
        do(self.client.emit(event, args, namespace=self.namespace))

    def call(self, event, *args):
        options = {"namespace": self.namespace, "timeout": PATIENCE}
        return do(self.client.call(event, args, **options))


def same(actual, expected):
    if actual != expected:
        raise ValueError(f"{str(actual)[:200]} is not {str(expected)[:200]}")


def take(events):
    return events.get(timeout=PATIENCE)


def test_transport(client):
    same(client.call("carrier", TRANSPORTS[-1]), TRANSPORTS[-1])


def test_events(client):
    said = client.inbox("said")
    client.emit("say", *VALUES)
    same(take(said), VALUES)


def test_acknowledgements(client):
    same(list(client.call("echo", *VALUES)), VALUES)


def test_answers(client):
    client.client.on("question", lambda question: question + "!")
    same(client.call("ask", TEXT), TEXT + "!")


def test_rooms(client):
    other = Client().connect()
    told = [client.inbox("told"), other.inbox("told")]
    client.call("join", "room")
    client.emit("tell", "room", "not to me")
    client.emit("announce", "nobody", "to nobody")
    client.emit("announce", "room", "to one")
    client.call("echo")
    other.call("join", "room")
    client.emit("tell", "room", "to the other")
    client.emit("announce", "room", "to both")
    same([take(told[0]), take(told[0])], [["to one"], ["to both"]])
    same([take(told[1]), take(told[1])], [["to the other"], ["to both"]])


def test_binary(client, data=BYTES):
    said = client.inbox("said")
    client.emit("say", data)
    same(take(said), [data])


def test_nested_binary(client):
    deep = {"deep": [BYTES]}
    same(client.call("echo", deep), deep)


def test_namespaces(_client):
    same(Client("/news").connect().call("where"), "/news")


def test_refusal(_client):
    client = Client("/private")
    errors = client.inbox("connect_error")
    try:
        client.connect(auth={"token": "wrong"})
        raise ValueError("admitted")
    except socketio.exceptions.ConnectionError:
        same(take(errors), [{"message": "wrong token, žluťoučký", "data": {"code": 7}}])
    same(Client("/private").connect(auth={"token": "right"}).call("where"), "/private")


def test_dynamic_namespaces(_client):
    same(Client("/room-42").connect().call("where"), "/room-42")


def test_large(client):
    text = TEXT * (MIB // len(TEXT))
    same(client.call("echo", text), text)
    test_binary(client, BYTES * 4096)


def test_recovery(_client):
    raise ValueError("not in this library")


def test_heartbeats(_client):
    same(take(alive), [HEARTBEATS])


def test_disconnection(_client):
    client = Client().connect()
    gone = client.inbox("disconnect")
    client.emit("leave")
    return take(gone)[0]


def test_restart(client):
    gone, back = client.inbox("disconnect"), client.inbox("connect")
    client.emit("restart")
    take(gone)
    take(back)
    same(client.call("echo", TEXT), TEXT)


FEATURES = {
    "transport": test_transport,
    "events": test_events,
    "acknowledgements": test_acknowledgements,
    "answers": test_answers,
    "rooms": test_rooms,
    "binary": test_binary,
    "nested binary": test_nested_binary,
    "namespaces": test_namespaces,
    "refusal": test_refusal,
    "dynamic namespaces": test_dynamic_namespaces,
    "1 MiB": test_large,
    "recovery": test_recovery,
    "heartbeats": test_heartbeats,
    "disconnection": test_disconnection,
    "restart": test_restart,
}

threading.Thread(target=loop.run_forever, daemon=True).start()
main = Client().connect()
idle = Client().connect()
alive = idle.inbox("alive")
idle.emit("idle", HEARTBEATS)
for feature, run in FEATURES.items():
    try:
        line = {"feature": feature, "ok": True, "note": run(main) or ""}
    except Exception as error:
        line = {"feature": feature, "ok": False, "note": str(error) or type(error).__name__}
    print(json.dumps(line), flush=True)
# Threads of the library would keep the process.
os._exit(0)
