"""A carrier's side of a call that is not our code: Python's `websockets`.

Takes one JSON object as its argument and prints one JSON object:
  url, pcm (a file of 16-bit little-endian PCM), handshake (the first text; null sends none), cuts (how binary
  messages are cut: "frames" of 20 ms, "odd" lengths, "bytes" around every boundary, or a list of lengths that repeats),
  rate, texts ([[byte offset, text], ...] sent when so many bytes have gone), end ("close", "abort" or "eof"),
  calls (so many at once, each with its number as `from`), urls (one for each of them, instead of url),
  authorization (the header of that name), ca (a PEM file with the certificate to trust).
"""
import asyncio, inspect, json, random, ssl, sys

import websockets


def lengths(job):
    cuts = job.get("cuts", "frames")
    if cuts == "frames":
        while True:
            yield job["rate"] // 50 * 2
    if cuts == "odd":
        generator = random.Random(7)
        while True:
            yield generator.choice([0, 1, 2, 3, 5, 7, 319, 321, 639, 641, 1001, 70000])
    while True:
        yield from cuts


def options(job):
    more = {"subprotocols": [job["subprotocol"]]} if "subprotocol" in job else {}
    if "authorization" in job:
        # The parameter's name depends on the version.
        names = inspect.signature(websockets.connect.__init__).parameters
        name = "extra_headers" if "extra_headers" in names else "additional_headers"
        more[name] = {"Authorization": job["authorization"]}
    if "ca" in job:
        more["ssl"] = ssl.create_default_context(cafile=job["ca"])
    return more


async def call(job, number):
    pcm = open(job["pcm"], "rb").read() if job.get("pcm") else b""
    handshake = job.get("handshake")
    if handshake and job.get("calls"):
        handshake = json.dumps({**json.loads(handshake), "from": str(1000 + number)})
    result = {"code": None, "reason": ""}
    try:
        url = job["urls"][number] if "urls" in job else job["url"]
        socket = await websockets.connect(
            url, max_size=None, close_timeout=60, ping_interval=None, **options(job))
    except Exception as error:
        response = getattr(error, "response", None)
        status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
        return {"status": status, "reason": str(error)}
    try:
        if handshake is not None:
            await socket.send(handshake)
        texts, sent, piece = list(job.get("texts", [])), 0, lengths(job)
        while sent < len(pcm):
            while texts and texts[0][0] <= sent:
                await socket.send(texts.pop(0)[1])
            length = next(piece)
            if texts and sent + length > texts[0][0]:
                length = texts[0][0] - sent
            await socket.send(pcm[sent:sent + length])
            sent += length
        for _, text in texts:
            await socket.send(text)
        if job.get("fragments"):
            await socket.send([pcm[:1000], pcm[1000:1001], pcm[1001:]])
        if job.get("wait"):
            await asyncio.wait_for(socket.wait_closed(), 60)
        if job.get("hold"):
            print("ready", flush=True)
            await asyncio.wait_for(socket.wait_closed(), 60)
        if job.get("end", "close") == "abort":
            # An abort throws away what was not sent. The answer to a ping says that all before it was received.
            await asyncio.wait_for(await socket.ping(), 60)
            socket.transport.abort()
        elif job["end"] == "eof":
            socket.transport.write_eof()
            await asyncio.wait_for(socket.wait_closed(), 60)
        else:
            await socket.close()
    except websockets.ConnectionClosed:
        pass
    result["code"], result["reason"] = socket.close_code, socket.close_reason
    return result


async def main():
    job = json.loads(sys.argv[1])
    job.setdefault("end", "close")
    results = await asyncio.gather(*(call(job, number) for number in range(job.get("calls", 1))))
    print(json.dumps(results))


asyncio.run(main())
