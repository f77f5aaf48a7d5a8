"""A call recorder with websockets, as one would write it in Python.

It has a coroutine for each call, and the wave module for the file. Writing blocks the loop, as it does in most programs
of this kind; there is one thread.
"""

import argparse
import asyncio
import json
import pathlib
import wave

import websockets


def open_wav(path):
    """A WAV of 16-bit mono at 16 kHz, whose header is completed when it is closed."""
    file = wave.open(str(path), "wb")
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(16000)
    return file, file.writeframesraw


def open_raw(path):
    """The samples and nothing else."""
    file = open(path, "wb")
    return file, file.write


async def record(socket, directory, kind):
    """Serves one call until it ends."""
    hello = json.loads(await socket.recv())
    path = directory / (pathlib.PurePath(hello["uuid"]).name + "." + kind)
    file, write = (open_wav if kind == "wav" else open_raw)(path)
    try:
        async for message in socket:
            if isinstance(message, bytes):
                write(message)
    finally:
        file.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--sinks", choices=["wav", "raw"], default="wav")
    options = parser.parse_args()

    async def serve(socket):
        await record(socket, options.out, options.sinks)

    async with websockets.serve(serve, "127.0.0.1", options.port, backlog=4096):
        await asyncio.Future()


asyncio.run(main())
