"""What a client does that means harm, one deed for each name.

Takes the deed, host, port, a number and a target; prints a JSON object of what it saw.
"""
import json, os, resource, selectors, socket, struct, sys, time

deed, host, port, number = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
UPGRADE = ("GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
HANDSHAKE = b'{"event":"websocket:connected","content-type":"audio/l16;rate=8000"}'


def connect():
    return socket.create_connection((host, port), timeout=30)


def everything(connection):
    """What comes until the other side closes; what it reset after that is no matter."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def status(data):
    return int(data.split()[1]) if data.startswith(b"HTTP/1.1 ") else None


def frame(opcode, payload=b""):
    size = (bytes([0x80 | len(payload)]) if len(payload) < 126
            else struct.pack(">BH", 254, len(payload)) if len(payload) < 65536
            else struct.pack(">BQ", 255, len(payload)))
    return bytes([0x80 | opcode]) + size + bytes(4) + payload


def call(path="/cable"):
    connection = connect()
    connection.sendall((UPGRADE % path).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    if path == "/cable":
        connection.sendall(frame(1, HANDSHAKE) + frame(2, bytes(1600)))
    return connection


def closing(connection):
    """The code and reason of the close frame that comes last, answered."""
    data = everything(connection)
    at = max((i for i in range(len(data) - 3) if data[i] == 0x88 and data[i + 1] == len(data) - i - 2), default=None)
    if at is None:
        return {"code": None}
    return {"code": struct.unpack(">H", data[at + 2:at + 4])[0], "reason": data[at + 4:].decode()}


def asked(request):
    """A connection with a request, or a part of one, sent on it."""
    connection = connect()
    connection.sendall(request)
    return connection


def slowly(connection, data, seconds=0.05):
    """Sends a byte now and then until it is answered or cut off; returns what came."""
    connection.settimeout(seconds)
    began = time.monotonic()
    for byte in data * 1000:
        try:
            connection.send(bytes([byte]))
            piece = connection.recv(65536)
            break
        except socket.timeout:
            if time.monotonic() - began > 30:
                return {"status": None, "seconds": 30}
        except OSError:
            piece = b""
            break
    return {"status": status(piece), "seconds": time.monotonic() - began}


def flood(connection, data):
    try:
        for _ in range(number):
            connection.sendall(data)
    except OSError:
        pass
    return closing(connection)


def many():
    """Opens connections that say nothing, and keeps them for a minute.

    Says how many were refused when no more are for a second.
    """
    held, refused, waiting, patience = [connect() for _ in range(number)], 0, selectors.DefaultSelector(), 5
    for connection in held:
        waiting.register(connection, selectors.EVENT_READ)
    while answered := waiting.select(patience):
        for key, _ in answered:
            refused += status(key.fileobj.recv(4096)) == 503
            waiting.unregister(key.fileobj)
        patience = 1
    print(json.dumps({"open": len(held) - refused, "refused": refused}), flush=True)
    time.sleep(60)


def unread(request):
    """Asks for more than fits into any buffer and reads none of it; says how long the connection lived."""
    connection = connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(request)
    began = time.monotonic()
    while time.monotonic() - began < 30:
        time.sleep(0.05)
        try:
            connection.send(b"\r\n")
        except OSError:
            return {"seconds": time.monotonic() - began}
    return {"seconds": 30}


if deed == "many":
    many()
    sys.exit()
found = {
    "slow head": lambda: slowly(connect(), b"GET / HTTP/1.1\r\n" + b"X-More: and more\r\n"),
    "slow body": lambda: slowly(
        asked(b"POST /webhooks/event HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{"), b" "),
    "silence": lambda: {"status": status(everything(connect()))},
    "large header": lambda: {"status": status(everything(asked(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: " + b"x" * number + b"\r\n\r\n")))},
    "large target": lambda: {"status": status(everything(asked(
        b"GET /" + b"x" * number + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")))},
    "pings": lambda: flood(call(), frame(9, b"x")),
    "pongs": lambda: flood(call(), frame(10)),
    "texts": lambda: flood(call(), frame(1, b'{"digit":"1"}')),
    "long call": lambda: closing(call()),
    "unread file": lambda: unread(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % sys.argv[5].encode()),
}[deed]()
print(json.dumps(found))
