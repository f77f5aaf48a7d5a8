"""The servers that are compared. Each says how it is started, and which files it makes of which call."""

import json
import pathlib

from .building import HERE
from .metrics import lag_quantiles
from .process import ServerProcess, answers, free_port

PYTHON = "/usr/bin/python3" if pathlib.Path("/usr/bin/python3").exists() else "python3"


class Peer:
    """A program that takes --port, --out and --sinks, and names its files after the call's uuid."""

    def __init__(self, name, sinks, command, environment=None):
        self.name = name
        self.sinks = sinks
        self.command = command
        self.environment = environment

    def offers(self, sinks):
        """Whether it can do this combination."""
        return set(sinks) <= self.sinks and (len(sinks) == 1 or "flac" in self.sinks)

    def start(self, folder, sinks, calls):
        """Starts the server; returns the running one, with `port` and `start_seconds`."""
        self.folder = folder / "out"
        self.folder.mkdir()
        port = free_port()
        command = [*self.command, "--port", port, "--out", self.folder, "--sinks", ",".join(sinks)]
        server = ServerProcess(command, folder / "server.log", self.environment)
        server.port = port
        server.start_seconds = server.wait_until(lambda: answers(port))
        return server

    def growing(self, sink):
        """Files of this sink that calls are being written to."""
        return list(self.folder.glob(f"*.{sink}"))

    def recorded(self):
        """What is there of each call: its files by sink. Nothing else may be in the folder."""
        calls = {}
        for path in self.folder.iterdir():
            calls.setdefault(path.stem, {})[path.suffix[1:]] = path
        return calls

    def problems(self, calls, frames):
        """What is wrong beside the audio."""
        return []

    def facts(self, server):
        """What the server says of itself."""
        return {}


class Callreel:
    """The server that this benchmark is about, with its defaults but for what many calls from one address need."""

    name = "callreel"

    def __init__(self, binary):
        self.binary = binary

    def offers(self, sinks):
        """It can do every combination."""
        return True

    def configuration(self, folder, port, sinks, calls):
        """Everything that differs from the defaults."""
        return {
            "listen": {"port": port},
            "recordings": {"directory": str(folder)},
            "vonage": {"requireToken": False},
            "limits": {"calls": calls + 100, "connections": calls * 2 + 1000, "connectionsPerAddress": calls * 2 + 1000,
                       "aheadOfTime": None},
            "sinks": [{"type": sink} for sink in sinks],
        }

    def start(self, folder, sinks, calls):
        """As of a peer; ready is whoever answers at /healthz."""
        self.folder = folder / "recordings"
        port = free_port()
        self.used = self.configuration(self.folder, port, sinks, calls)
        path = folder / "callreel.json"
        path.write_text(json.dumps(self.used, indent=2) + "\n")
        server = ServerProcess([self.binary, "serve", "--config", path], folder / "server.log")
        server.port = port
        server.start_seconds = server.wait_until(lambda: answers(port, "/healthz"))
        return server

    def growing(self, sink):
        """Files of this sink that calls are being written to."""
        found = []
        for call in (self.folder / ".partial").glob("[0-9a-f]*"):
            # A call that has just ended takes its directory with it.
            try:
                found += call.glob(f"*.{sink}")
            except FileNotFoundError:
                continue
        return found

    def manifests(self):
        """The published manifests, with their paths."""
        return [(path, json.loads(path.read_text())) for path in self.folder.glob("[!.]*/*.json")]

    def recorded(self):
        """What the manifests name: the files of each call, by sink."""
        calls = {}
        for path, manifest in self.manifests():
            files = calls.setdefault(manifest["call"]["uuid"], {})
            for sink in manifest["sinks"]:
                for file in sink["files"]:
                    files[sink["name"]] = self.folder / file["name"]
        return calls

    def problems(self, calls, frames):
        """What a manifest says that it should not; and files that nobody names."""
        found, named = [], set()
        for path, manifest in self.manifests():
            named.add(path)
            for sink in manifest["sinks"]:
                named.update(self.folder / file["name"] for file in sink["files"])
                lengths = sum(file["frames"] for file in sink["files"])
                is_whole = sink["state"] == "complete" and sink["written"] == lengths == frames * 320
                if not is_whole or sink["lost"] or sink["silence"]:
                    found.append(f"{path.name}: sink {sink['name']} is {sink['state']}, "
                                 f"{sink['written']} frames written, {sink['lost']} lost, {sink['silence']} silence")
        extra = {path for path in self.folder.glob("[!.]*/*")} - named
        found += [f"{path.name}: no manifest names it" for path in sorted(extra)]
        return found

    def facts(self, server):
        """The configuration that it ran with, and its own measurement of its lag."""
        # Reports are published: where somebody's work folder stands is nobody's business.
        shown = {**self.used, "recordings": {"directory": "recordings"}}
        return {"configuration": shown, "lag": lag_quantiles(server.port)}


def known_servers(programs):
    """Every server by its name, in the order in which they stand in tables."""
    floor = [programs.floor]
    servers = [
        Peer("floor", {"wav", "flac", "raw"}, [*floor, "--interval", 200]),
        Peer("floor-epoll", {"wav", "flac", "raw"}, floor),
        Callreel(programs.callreel),
        Peer("go", {"wav", "raw"}, [programs.go]),
        Peer("node", {"wav", "raw"}, ["node", HERE / "peers/node/server.js"], {"NODE_PATH": "/usr/share/nodejs"}),
        Peer("python", {"wav", "raw"}, [PYTHON, HERE / "peers/python/server.py"]),
    ]
    return {server.name: server for server in servers}
