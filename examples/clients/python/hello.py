"""A client of Socket.IO: it connects, sends an event, and prints the answer of the server."""

import sys

import socketio

url = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:3000"
with socketio.SimpleClient() as client:
    client.connect(url)
    print(client.call("hello", "Python"))
