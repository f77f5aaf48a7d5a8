"""A receiver of pieces, on Python's own HTTP server. Keeps the bodies in memory.

    receiver.py

Prints its address. Under /refuse/STATUS/ every request gets this status.
"""

import http.server


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The bodies by their paths, and the number of requests.
    bodies, requests = {}, 0
    # What a test wants to go wrong: requests by their numbers, with the status to answer, or None to store the piece
    # and hang up without an answer.
    faults = {}

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Receiver.requests += 1
        status = Receiver.faults.get(Receiver.requests, 204)
        path = self.path.split("?")[0]
        if path.startswith("/refuse/"):
            status = int(path.split("/")[2])
        if status in (204, None):
            Receiver.bodies[path] = body
        if status is None:
            self.close_connection = True
        else:
            self.answer(status)

    def do_HEAD(self):
        self.answer(int(self.path.split("/")[2]) if self.path.startswith("/refuse/") else 204)

    def answer(self, status):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


def serve():
    """The server, and its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    return server, f"http://127.0.0.1:{server.server_port}"


if __name__ == "__main__":
    server, address = serve()
    print(address, flush=True)
    server.serve_forever()
