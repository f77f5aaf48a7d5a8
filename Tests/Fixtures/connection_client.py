"""A client that uses a connection in the less common ways of HTTP, one deed for each name.

Takes the deed, host, port and the target of a call, and prints a JSON object of what it saw.
"""
import json, os, socket, struct, sys, time

deed, host, port, target = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
HELLO = b'{"event":"websocket:connected","content-type":"audio/l16;rate=16000"}'


def frame(opcode, payload=b""):
    size = bytes([0x80 | len(payload)]) if len(payload) < 126 else struct.pack(">BH", 254, len(payload))
    return bytes([0x80 | opcode]) + size + bytes(4) + payload


def get(path, *headers, version="1.1"):
    return ("GET %s HTTP/%s\r\nHost: x\r\n%s\r\n" % (path, version, "".join(h + "\r\n" for h in headers))).encode()


def upgrade(path=target, *headers):
    return get(path, "Upgrade: websocket", "Connection: Upgrade", KEY.strip(), *headers)


CALL = frame(1, HELLO) + frame(2, bytes(640)) * 5 + frame(8, struct.pack(">H", 1000))


class Connection:
    def __init__(self, window=None):
        """A window is the most bytes that the system keeps for this side."""
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.settimeout(30)
        self.socket.connect((host, port))
        self.data = b""

    def send(self, data):
        self.socket.sendall(data)
        return self

    def more(self):
        """Waits for more; false at the end of the connection."""
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            piece = b""
        self.data += piece
        return bool(piece)

    def response(self):
        """One response: its status, headers and body; None where the connection ends before it."""
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                return None
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        status = int(lines[0].split()[1])
        size = int(headers.get("content-length", 0)) if status >= 200 else 0
        while len(self.data) < size:
            if not self.more():
                return {"status": status, "headers": headers, "missing": size - len(self.data)}
        body, self.data = self.data[:size], self.data[size:]
        return {"status": status, "version": lines[0][:8], "headers": headers, "body": body}

    def status(self):
        response = self.response()
        return response and response["status"]

    def ended(self):
        """Whether the server ends the connection, with nothing more on it."""
        while self.more():
            pass
        return not self.data

    def code(self):
        """The code of the close frame that comes last."""
        while self.more():
            pass
        return struct.unpack(">H", self.data[-2:])[0] if self.data[-4:-2] == b"\x88\x02" else None


def call_after(first, together=False):
    """A call on a connection that was used before: statuses, and the code that it was closed with."""
    c = Connection()
    if together:
        c.send(first + upgrade() + CALL)
        return {"statuses": [c.status(), c.status()], "code": c.code()}
    statuses = [c.send(first).status()]
    statuses.append(c.send(upgrade()).status())
    return {"statuses": statuses, "code": c.send(CALL).code()}


def several(*requests, together=False):
    """The statuses of requests on one connection, and whether it ended behind them."""
    c = Connection()
    if together:
        c.send(b"".join(requests))
        return {"statuses": [c.status() for _ in requests]}
    return {"statuses": [c.send(r).status() for r in requests]}


def answered(request):
    """The status of one answer, and whether the connection ended behind it."""
    c = Connection().send(request)
    return {"status": c.status(), "ended": c.ended()}


def refused_behind(request):
    """A download, and behind it in the same bytes a request that is refused."""
    c = Connection().send(get(target) + request)
    time.sleep(0.3)
    first = c.response()
    second = c.response()
    return {"first": first["status"], "missing": first.get("missing", 0), "intact": set(first.get("body", b"x")) <= {0},
            "second": second and second["status"], "ended": c.ended()}


def version_1_0(*headers):
    c = Connection().send(get(target, *headers, version="1.0"))
    r = c.response()
    found = {"status": r["status"], "connection": r["headers"].get("connection"),
             "chunked": "transfer-encoding" in r["headers"]}
    if headers:
        found["again"] = c.send(get(target, version="1.0")).status()
    found["ended"] = c.ended()
    return found


def expecting(first=b""):
    body = b'{"uuid":"1"}'
    head = b"POST /webhooks/event HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
    c = Connection().send(first + head)
    statuses = [c.status() for _ in range(2 if first else 1)]
    statuses.append(c.send(body).status())
    return {"statuses": statuses}


def slow(before, head):
    """A request that comes a byte at a time behind another."""
    c = Connection()
    if before:
        c.send(before).response()
    c.socket.settimeout(0.05)
    try:
        for byte in head * 2000:
            try:
                c.socket.send(bytes([byte]))
                c.more()
                break
            except socket.timeout:
                pass
    except OSError:
        pass
    c.socket.settimeout(30)
    return {"status": c.status(), "ended": c.ended()}


def silent():
    c = Connection()
    return {"status": c.status(), "ended": c.ended()}


def bad_then_good():
    """A call right behind refused ones whose connections are still open."""
    bad = [Connection().send(upgrade(target + "x")) for _ in range(5)]
    statuses = [c.status() for c in bad]
    good = Connection().send(upgrade())
    return {"bad": statuses, "good": good.status(), "code": good.send(CALL).code()}


def slow_download(seconds):
    """Reads a file slowly without a pause that is as long as the limit, and says how much of it came."""
    c = Connection(window=8192)
    c.send(get(target, "Connection: close"))
    got, began = 0, time.monotonic()
    while piece := c.socket.recv(20_000 if time.monotonic() - began < seconds else 1 << 20):
        got += len(piece)
        if time.monotonic() - began < seconds:
            time.sleep(0.1)
    return {"bytes": got}


def shrinking(path):
    """What comes until the connection ends, of a file that becomes shorter while it is downloaded.

    A request is behind it.
    """
    c = Connection(window=8192)
    c.send(get(target) + get("/healthz"))
    while len(c.data) < 4096:
        c.more()
    os.truncate(path, 65536)
    response = c.response()
    return {"status": response["status"], "isShort": "missing" in response, "mixed": b"HTTP/1.1" in c.data}


def flood(count):
    """Sends wrong webhooks as fast as they are answered."""
    request = b"POST /webhooks/event HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{]}"
    c, statuses = Connection(), {}
    for _ in range(count // 50):
        c.send(request * 50)
        for _ in range(50):
            status = str(c.status())
            statuses[status] = statuses.get(status, 0) + 1
    return statuses


large = frame(2, bytes(60000))
found = {
    "call behind a request": lambda: call_after(get("/healthz")),
    "call behind a POST": lambda: call_after(
        b"POST /webhooks/event HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
    "call in the same bytes": lambda: call_after(get("/healthz"), together=True),
    "call behind h2c": lambda: call_after(
        get("/healthz", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: x")),
    "h2c": lambda: several(get("/healthz", "Upgrade: h2c", "Connection: Upgrade"), get("/healthz"), get("/healthz")),
    "h2c in the same bytes": lambda: several(
        get("/healthz", "Upgrade: h2c", "Connection: upgrade"), get("/nowhere"), get("/healthz"), together=True),
    "bad upgrade behind a download": lambda: refused_behind(upgrade("/elsewhere")),
    "nonsense behind a download": lambda: refused_behind(b"nonsense\r\n\r\n"),
    "HTTP/1.0": version_1_0,
    "HTTP/1.0 kept alive": lambda: version_1_0("Connection: keep-alive"),
    "expect": expecting,
    "expect behind a request": lambda: expecting(get("/healthz")),
    "slow second head": lambda: slow(get("/healthz"), b"GET / HTTP/1.1\r\nHost: x\r\nX-More: and more"),
    "slow second body": lambda: slow(
        get("/healthz") + b"POST /webhooks/event HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", b" "),
    "silent": silent,
    "idle": lambda: answered(get("/healthz")),
    "bad then good": bad_then_good,
    "shrinking": lambda: shrinking(sys.argv[5]),
    "no host": lambda: several(b"GET /healthz HTTP/1.1\r\n\r\n"),
    "two hosts": lambda: several(get("/healthz", "Host: y")),
    "no host in 1.0": lambda: several(b"GET /healthz HTTP/1.0\r\n\r\n"),
    "slow download": lambda: slow_download(4),
    "flood": lambda: flood(2000),
    "version 2": lambda: answered(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "close": lambda: answered(get("/healthz", "Connection: close") + get("/healthz")),
}[deed]()
print(json.dumps(found))
