"""Callers: good ones, too many, slow ones, strangers."""

import json
import socket
import threading
import time
from http.client import HTTPException

from servers import fetch

PATH = "/access/v1/evaluation"


def question(who, action, kind, what, context=None):
    return {
        "subject": {"type": "Member", "id": f"acme/{who}"},
        "action": {"name": action},
        "resource": {"type": kind, "id": f"acme/{what}"},
        "context": context or {},
    }


# One of every outcome, about the example organization.
OUTCOMES = {
    "permitted": question("mona", "data.export", "Project", "cats"),
    "forbidden": question("olivia", "project.view", "Project", "mona-tryout"),
    "not_permitted": question("mona", "data.export", "Project", "voices"),
    "error": question("ben", "workspace.view", "Workspace", "vision"),
}
# For small sets, which permit whatever is asked.
ANYTHING = question("anna", "anything", "Thing", "any")


class Again(threading.Thread):
    """Does something again and again until it is told to stop."""

    running = []

    def __init__(self, does, pause=0.1):
        super().__init__(daemon=True)
        self.does, self.pause = does, pause
        self.over = threading.Event()
        Again.running.append(self)
        self.start()

    def run(self):
        while not self.over.wait(self.pause):
            try:
                self.does()
            except (OSError, HTTPException):
                # Whoever is asked may be gone by design.
                pass

    def stop(self):
        self.over.set()
        self.join()

    @classmethod
    def stop_all(cls):
        for one in cls.running:
            one.over.set()
        for one in cls.running:
            one.join(15)


def everything(demo):
    """A little of whatever an application asks."""
    for asked in OUTCOMES.values():
        demo.ask(asked)
    items = {"evaluations": list(OUTCOMES.values()) * 5}
    demo.ask(items, "/access/v1/evaluations")
    demo.ask({**OUTCOMES["permitted"], "resource": {"type": "Project"}}, "/access/v1/search/resource")
    demo.ask({}, "/nowhere")
    demo.ask(b"{", PATH)


def large_batch():
    """As many as are taken, of those that there is something to decide about."""
    return json.dumps({"evaluations": [OUTCOMES["permitted"]] * 4000}).encode()


def crowd(address, count, path, body):
    """Many who ask at once, again and again."""
    return [Again(lambda: fetch(f"http://{address}{path}", body, timeout=30), 0.01) for _ in range(count)]


def held(address, count, text=b""):
    """Connections that say this much and then nothing."""
    host, port = address.split(":")
    connections = []
    for _ in range(count):
        connection = socket.create_connection((host, int(port)), timeout=10)
        connection.sendall(text)
        connections.append(connection)
    return connections


def head(address, length):
    """What comes before the body of a question."""
    headers = f"Host: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    return f"POST {PATH} HTTP/1.1\r\n{headers}\r\n".encode()


def late(address):
    """A question whose body comes well over ten milliseconds after its head."""
    body = json.dumps(ANYTHING).encode()
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head(address, len(body)))
        time.sleep(0.05)
        connection.sendall(body)
        connection.recv(1000)
