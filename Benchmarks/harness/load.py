"""Runs the load generator and listens to it."""

import json
import queue
import subprocess
import threading
import time

from .audio import FRAMES_PER_SECOND


class Load:
    """One run of the load generator; its events come as it prints them."""

    def __init__(self, programs, port, calls, seconds, *, flood=False, speed=1.0, ramp=1.0, pingers=50, drop=False):
        self.calls = calls
        self.frames = round(seconds * FRAMES_PER_SECOND)
        command = [
            programs.loadgen, "--port", port, "--audio", programs.audio, "--calls", calls, "--frames", self.frames,
            "--speed", speed, "--ramp", ramp, "--pingers", 0 if flood else pingers, "--linger", 120]
        if flood:
            command.append("--flood")
        if drop:
            command += ["--drop-call", 0, "--drop-frame", self.frames // 2]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.events = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))
        self.events.put(None)

    def wait(self, name, limit):
        """The next event of this name; others before it are passed over."""
        end = time.monotonic() + limit
        while True:
            try:
                event = self.events.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                self.stop()
                raise RuntimeError(f"the load generator did not say \"{name}\" within {limit:.0f} s") from None
            if event is None:
                raise RuntimeError(f"the load generator ended before \"{name}\": {self.process.stderr.read().strip()}")
            if event["event"] == "ending" and name == "begun":
                raise RuntimeError("the first call ended before the last one had begun: "
                                   "more calls than this machine takes in this time")
            if event["event"] == "done" and name != "done":
                raise RuntimeError(f"all calls were over before \"{name}\": {event['failures']}")
            if event["event"] == name:
                return event

    def cpu_seconds(self):
        """CPU time that the load generator has used so far."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def stop(self):
        """Ends the load generator if it runs still."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def load_problems(done, calls, frames):
    """What went wrong on the carrier's side."""
    problems = [f"{count} calls: {text}" for text, count in done["failures"].items()]
    if done["closeCodes"].get("1000", 0) != calls:
        problems.append(f"close codes are {done['closeCodes']}, not {calls} times 1000")
    if done["frames"] != calls * frames:
        problems.append(f"{done['frames']} frames were sent, not {calls * frames}")
    if done["notHungUp"]:
        problems.append(f"{done['notHungUp']} connections were not ended by the server after the closing handshake")
    return problems
