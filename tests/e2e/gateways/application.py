"""The application behind the gateways: answers everything, and keeps a line of what it has seen."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port_file, seen_file = sys.argv[1:]
# What nobody but a gateway may say, and what no gateway lets through.
KEPT = ["X-Auth-User", "X-Palisade-Authorization", "X-HTTP-Method-Override", "X-Original-URL"]


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = [f"{name}={value}" for name in KEPT for value in self.headers.get_all(name) or []]
        line = " ".join([self.command, self.path, *said, f"body={len(body)}"])
        with open(seen_file, "a", encoding="utf-8") as seen:
            seen.write(line + "\n")
        text = f"application: {line}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
with open(port_file, "w", encoding="utf-8") as file:
    file.write(f"{server.server_port}\n")
server.serve_forever()
