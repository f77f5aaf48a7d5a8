"""A store for uploads, on Python's own HTTP server: keeps what is put under its path in a directory.

    store.py DIRECTORY

Prints its address. It wants the bearer token TOKEN. A file counts as stored once the whole body has come. The first
two requests get 503, so an uploader has to come again.
"""

import http.server
import os
import pathlib
import sys

TOKEN = "a-token-for-tests"


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory = None
    # All requests, as (path, key), the paths stored, in order, and the number of requests still to be refused.
    requests, stored, refusals = [], [], 2
    # Bytes after which a body is read no further, for a test that kills the sender; None reads all.
    stop_after = None
    stopped = None

    def do_PUT(self):
        length, key = int(self.headers["Content-Length"]), self.headers["Idempotency-Key"]
        Store.requests.append((self.path, key))
        if Store.stop_after is not None and length > Store.stop_after:
            self.rfile.read(Store.stop_after)
            Store.stopped.set()
            # Until the sender is gone.
            while self.rfile.read1(1 << 16):
                pass
            return self.close()
        body = self.rfile.read(length)
        if len(body) < length:
            return self.close()
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.answer(401, "who are you?")
        if Store.refusals > 0:
            Store.refusals -= 1
            return self.answer(503, "come again", {"Retry-After": "1"})
        target = Store.directory / self.path.strip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".new")
        temporary.write_bytes(body)
        os.rename(temporary, target)
        Store.stored.append(self.path)
        self.answer(201, "stored")

    def answer(self, status, text, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def close(self):
        self.close_connection = True

    def log_message(self, *words):
        pass


def serve(directory):
    """A server for a directory, and its address."""
    Store.directory = pathlib.Path(directory)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    return server, f"http://127.0.0.1:{server.server_port}"


if __name__ == "__main__":
    server, address = serve(sys.argv[1])
    print(address, flush=True)
    server.serve_forever()
