"""Stands where Palisade stood, and answers gateways otherwise than it does: as its argument says."""

import os
import socket
import sys
import threading

how, path, port, ready = sys.argv[1:]
ANSWERS = {
    "nothing": None,
    "hangs up": b"",
    "garbage": b"\x16\x03\x01 no HTTP at all\r\n\r\n",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "an error": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    "not found": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
}
kept = []


def serve(listener):
    while True:
        connection, _ = listener.accept()
        answer = ANSWERS[how]
        if answer is None:
            kept.append(connection)
            continue
        if answer:
            connection.recv(65536)
            connection.sendall(answer)
        connection.close()


if os.path.exists(path):
    os.unlink(path)
listeners = [
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    socket.socket(socket.AF_INET, socket.SOCK_STREAM),
]
listeners[1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
for listener, address in zip(listeners, [path, ("127.0.0.1", int(port))]):
    listener.bind(address)
    listener.listen(64)
    threading.Thread(target=serve, args=[listener], daemon=True).start()
os.chmod(path, 0o666)
with open(ready, "w", encoding="utf-8"):
    pass
threading.Event().wait()
