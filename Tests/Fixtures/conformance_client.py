"""A WebSocket client that breaks the rules.

It sends raw frames over a socket, each case with what RFC 6455 demands as the answer.
Takes host, port and path; prints a JSON object: how many cases were tried, and a line for each that went wrong.
A case is what is sent (a list; a number in it is a pause in seconds) and what must come: data and control frames in
their order, and at the end the close frame's code, or None for one without a code. Nothing may follow it but the end of
the connection.
"""
import json, os, socket, struct, sys, time

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, length=None):
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    head += (bytes([bit | size]) if size < 126
             else struct.pack(">BH", bit | 126, size) if size < 65536
             else struct.pack(">BQ", bit | 127, size))
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i & 3] for i, byte in enumerate(payload))


def close(code=None, reason=b""):
    return frame(CLOSE, (struct.pack(">H", code) if code is not None else b"") + reason)


bye = close(1000)
half, rest = "grüß".encode()[:3], "grüß".encode()[3:]
CASES = {
    "a text and a binary message": (
        [frame(TEXT, b"hello"), frame(BINARY, bytes(range(256))), bye],
        [(TEXT, b"hello"), (BINARY, bytes(range(256)))], 1000),
    "empty messages": ([frame(TEXT), frame(BINARY), bye], [(TEXT, b""), (BINARY, b"")], 1000),
    "a message in fragments with pings between": (
        [frame(TEXT, half, fin=False), frame(PING, b"1"), frame(0, b"", fin=False), frame(PING, b"2"), frame(0, rest),
         bye],
        [(PONG, b"1"), (PONG, b"2"), (TEXT, half + rest)], 1000),
    "bytes one by one": (
        [piece for byte in frame(TEXT, b"slow") for piece in (bytes([byte]), 0.002)] + [bye],
        [(TEXT, b"slow")], 1000),
    "a pong that nobody asked for": ([frame(PONG, b"x"), frame(PING, b"y" * 125), bye], [(PONG, b"y" * 125)], 1000),
    "ten pings": ([frame(PING, bytes([n])) for n in range(10)] + [bye], [(PONG, bytes([n])) for n in range(10)], 1000),
    "a large binary message": ([frame(BINARY, b"\x01\x02" * 65537), bye], [(BINARY, b"\x01\x02" * 65537)], 1000),
    "a close without a code": ([close()], [], None),
    "a close with a reason": ([close(1000, b"thank you")], [], 1000),
    "a close inside a message": ([frame(TEXT, b"half", fin=False), close(1000)], [], 1000),
    "data after a close": ([close(1000), 0.1, frame(TEXT, b"late"), 0.1, frame(PING)], [], 1000),
    "an unmasked frame": ([frame(TEXT, b"x", masked=False)], [], 1002),
    "a fragmented ping": ([frame(PING, b"x", fin=False)], [], 1002),
    "a ping of 126 bytes": ([frame(PING, b"x" * 126)], [], 1002),
    "a close of one byte": ([frame(CLOSE, b"\x03")], [], 1002),
    "a close of 126 bytes": ([frame(CLOSE, b"\x03\xe8" + b"x" * 124)], [], 1002),
    "a close reason that is not UTF-8": ([close(1000, b"\xff")], [], 1007),
    "a continuation of nothing": ([frame(0, b"x")], [], 1002),
    "a continuation after the last fragment": ([frame(TEXT, b"a"), frame(0, b"b")], [(TEXT, b"a")], 1002),
    "a message inside another": ([frame(TEXT, b"a", fin=False), frame(TEXT, b"b")], [], 1002),
    "a length in too long a form": ([b"\x82\xfe\x00\x05" + bytes(9)], [], 1002),
    "a length with its highest bit set": ([b"\x82\xff\x80" + bytes(11)], [], 1002),
    "text that is not UTF-8": ([frame(TEXT, b"\xce\xba\xe1\xed\xa0\x80")], [], 1007),
    "text that is not UTF-8, and is found before its end": ([frame(TEXT, b"ok \xf4\x90", length=20)], [], 1007),
    "text that is not UTF-8 in a first fragment": ([frame(TEXT, b"\xed\xa0", fin=False)], [], 1007),
    "text that ends inside a character": ([frame(TEXT, b"\xe2\x82")], [], 1007),
    "a binary message that is too large, by its length": ([frame(BINARY, b"", length=1 << 40)], [], 1009),
    "a text message that is too large, in fragments": (
        [frame(TEXT, b"a" * 65536, fin=False), frame(0, b"a")], [], 1009),
}
for bit in (1, 2, 4, 3, 5, 6, 7):
    CASES[f"reserved bits {bit} in a text frame"] = ([frame(TEXT, b"x", rsv=bit)], [], 1002)
    CASES[f"reserved bits {bit} in a ping"] = ([frame(PING, b"x", rsv=bit)], [], 1002)
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    CASES[f"opcode {opcode}"] = ([frame(TEXT, b"before"), frame(opcode, b"x")], [(TEXT, b"before")], 1002)
for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
    CASES[f"a close with {code}"] = ([close(code)], [], code)
for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
    CASES[f"a close with {code}, which may not be sent"] = ([close(code)], [], 1002)
for size in (0, 1, 125, 126, 127, 128, 65535, 65536):
    CASES[f"a binary message of {size} bytes"] = ([frame(BINARY, b"z" * size), bye], [(BINARY, b"z" * size)], 1000)


class Connection:
    def __init__(self, host, port, path):
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = (f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        self.socket.sendall(request.encode())
        self.stream = self.socket.makefile("rb")
        self.head = b""
        while line := self.stream.readline().strip():
            self.head += line.lower() + b"\n"

    def frame(self):
        head = self.stream.read(2)
        if len(head) < 2:
            return None
        size = head[1]
        if size == 126:
            size = struct.unpack(">H", self.stream.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.stream.read(8))[0]
        assert head[0] & 0x70 == 0 and head[1] & 0x80 == 0, "reserved bits or a mask in a server's frame"
        assert head[0] & 0x80, "the server fragments"
        return head[0] & 15, self.stream.read(size)


def run(case, *address):
    sent, expected, code = case
    connection = Connection(*address)
    assert b" 101 " in connection.head and b"s3pplmbitxaq9kygzzhzrbk+xoo=" in connection.head, connection.head
    assert b"sec-websocket-extensions" not in connection.head, "an extension was taken up"
    for piece in sent:
        if isinstance(piece, float):
            time.sleep(piece)
        else:
            connection.socket.sendall(piece)
    found = []
    while (last := connection.frame()) and last[0] != CLOSE:
        found.append(last)
    assert found == expected, f"{str(found)[:200]} came"
    assert last, "no close frame came"
    ended = struct.unpack(">H", last[1][:2])[0] if last[1] else None
    assert ended == code, f"closed with {ended}, not {code}: {last[1][2:]}"
    if sent[-1][0] != 0x80 | CLOSE:
        connection.socket.sendall(close(code))
    assert connection.frame() is None, "something follows the close frame"


problems = []
for name, case in CASES.items():
    try:
        run(case, *sys.argv[1:])
    except Exception as error:
        problems.append(f"{name}: {type(error).__name__} {error}")
print(json.dumps({"cases": len(CASES), "problems": problems}))
