"""A store for uploads, on Python's own HTTP server: keeps what is put under its path in a directory.

    store.py DIRECTORY

Prints its address. It wants the bearer token TOKEN. A file counts as stored once the whole body has come. With the word
"fail" in the file DIRECTORY/mode, every request gets 503. With "hang", the server reads the beginning of a body, and no
more until the word is gone.
"""

import http.server
import os
import pathlib
import sys
import time
import urllib.parse

TOKEN = "a-token-for-tests"


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory = None
    # All requests, as (path, key), and the paths stored, in order.
    requests, stored = [], []

    @property
    def mode(self):
        try:
            return (Store.directory / "mode").read_text()
        except FileNotFoundError:
            return ""

    def do_PUT(self):
        path, length = urllib.parse.unquote(self.path), int(self.headers["Content-Length"])
        Store.requests.append((path, self.headers["Idempotency-Key"]))
        body = self.rfile.read(min(length, 1000))
        while self.mode == "hang":
            time.sleep(0.01)
        body += self.rfile.read(length - len(body))
        if len(body) < length:
            self.close_connection = True
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(401, "who are you?")
        elif self.mode == "fail":
            self.answer(503, "come\r\nagain", {"Retry-After": "1"})
        else:
            self.store(path, body)

    def store(self, path, body):
        target = Store.directory / path.strip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".new")
        temporary.write_bytes(body)
        os.rename(temporary, target)
        Store.stored.append(path)
        self.answer(201, "stored")

    def answer(self, status, text, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, address):
        """A client that hangs up is no error."""


def serve(directory):
    """A server for a directory, and its address."""
    Store.directory = pathlib.Path(directory)
    Store.directory.mkdir(exist_ok=True)
    server = Server(("127.0.0.1", 0), Store)
    return server, f"http://127.0.0.1:{server.server_port}"


if __name__ == "__main__":
    server, address = serve(sys.argv[1])
    print(address, flush=True)
    server.serve_forever()
