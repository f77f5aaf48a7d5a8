"""Compiles what a benchmark needs: load generator, floor, peers, and Callreel itself."""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent
REPOSITORY = HERE.parent
SPEECH_SECONDS = 300


def say(text):
    """Tells whoever waits what goes on, beside the table and not in it."""
    print(text, file=sys.stderr, flush=True)


def run(command, **options):
    """Runs a compiler, and ends the benchmark with its words when it fails; what it printed."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(str(part) for part in command)}\n{result.stdout}{result.stderr}")
    return result.stdout


def is_older(target, sources):
    """Whether a target is missing, or was made before one of its sources."""
    return not target.exists() or target.stat().st_mtime < max(source.stat().st_mtime for source in sources)


def compile_c(target, sources, *libraries):
    """Compiles a program of C files where it is older than they are."""
    if is_older(target, [*sources, *sources[0].parent.glob("*.h")]):
        say(f"Compiling {target.name}")
        run(["gcc", "-O3", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-o", target, *sources, *libraries])


def run_micro(folder):
    """Builds and runs the micro-benchmarks; what they print."""
    say("Building the micro-benchmarks for release; the first time takes some minutes")
    return run(
        ["swift", "run", "-c", "release", "-j", "2", "--package-path", REPOSITORY, "--scratch-path", folder / "micro",
         "callreel-micro"],
        env={**os.environ, "CALLREEL_MICRO": "build"})


class Programs:
    """Where everything that was compiled stands, and the audio."""

    def __init__(self, folder, servers, callreel=None):
        """Compiles what is missing in the folder, for these servers.

        `callreel` is a binary to use instead of building one.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.loadgen = folder / "loadgen"
        self.floor = folder / "floor"
        self.go = folder / "go-peer"
        load = HERE / "load"
        compile_c(self.loadgen, [load / name for name in ("main.c", "call.c", "receive.c", "ring.c", "histogram.c")])
        compile_c(folder / "speech", [load / "speech.c"])
        compile_c(self.floor, sorted((HERE / "peers/floor").glob("*.c")), "-lsndfile", "-lFLAC")
        if "go" in servers:
            self.build_go()
        self.audio = folder / "speech.pcm"
        if is_older(self.audio, [folder / "speech"]):
            run([folder / "speech", self.audio, SPEECH_SECONDS, REPOSITORY / "Tests/Fixtures/jfk.wav"])
        self.callreel = pathlib.Path(callreel).resolve() if callreel else None
        if "callreel" in servers and not callreel:
            self.build_callreel()

    def build_go(self):
        """Compiles the Go peer with what Debian has packaged."""
        source = HERE / "peers/go"
        if is_older(self.go, list(source.glob("*.go"))):
            say("Compiling go-peer")
            # Debian's packages of Go libraries are a GOPATH of their own: nothing is downloaded.
            environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
            run(["go", "build", "-o", self.go, "."], cwd=source, env=environment)

    def build_callreel(self):
        """Builds the server of this repository for release."""
        say("Building Callreel for release; the first time takes some minutes")
        command = ["swift", "build", "-c", "release", "-j", "2", "--product", "callreel"]
        run(command, cwd=REPOSITORY)
        self.callreel = REPOSITORY / ".build/release/callreel"
