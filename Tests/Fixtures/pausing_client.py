"""A call that is paused and resumed over HTTP, with audio that says when it was spoken.

Arguments: the WebSocket's address, the server's address for HTTP, how often to pause, and a PEM file with the
certificate to trust where there is one. Audio of the value 1000 is spoken before the pauses, 2000 in them, and 3000
after them; just before each resume a burst of 2000 is sent, which the server has not read yet.
Prints the server's answers as a list of JSON objects.
"""
import asyncio, json, ssl, struct, sys, urllib.request

import websockets

url, http, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
FRAME = 320
trust = ssl.create_default_context(cafile=sys.argv[4]) if len(sys.argv) > 4 else None


def ask(path, method="GET"):
    request = urllib.request.Request(http + path, method=method)
    with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
        return json.load(answer)


async def main():
    loop = asyncio.get_running_loop()
    answers = []
    async with websockets.connect(url, ssl=trust, max_size=None, close_timeout=60, ping_interval=None) as socket:
        async def speak(value, seconds, live=True):
            for _ in range(int(seconds * 50)):
                await socket.send(struct.pack("<h", value) * FRAME)
                if live:
                    await asyncio.sleep(0.02)

        await socket.send(json.dumps({"event": "websocket:connected", "content-type": "audio/l16;rate=16000"}))
        await speak(1000, 0.5)
        live = []
        while not live:
            live = (await loop.run_in_executor(None, ask, "/api/calls"))["live"]
        path = "/api/calls/" + live[0]["id"]
        for number in range(rounds):
            answers.append(await loop.run_in_executor(None, ask, path + "/pause", "POST"))
            await socket.send(json.dumps({"event": "websocket:dtmf", "digit": "4711%d" % number}))
            await speak(2000, 0.3)
            await speak(2000, 0.16, live=False)
            answers.append(await loop.run_in_executor(None, ask, path + "/resume", "POST"))
            # What was on its way when the answer came.
            await speak(2000, 0.1, live=False)
            await speak(3000, 1.6)
            # A busy machine takes longer to read what had come: the next pause begins when this one is over.
            while (await loop.run_in_executor(None, ask, "/api/calls"))["live"][0]["paused"]:
                await speak(3000, 0.2)
    print(json.dumps(answers))


asyncio.run(main())
