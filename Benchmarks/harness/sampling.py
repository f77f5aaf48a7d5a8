"""Looks at a running server from outside, now and then: its memory, and how far its files are behind the callers."""

import os
import statistics
import threading
import time

from .audio import FRAME_BYTES

# Files of running calls that are looked at, forty times a second: enough to see a percentile, and no work worth
# speaking of.
WATCHED_FILES = 20
FILE_PERIOD = 0.025
MEMORY_PERIOD = 0.5


class Sampler:
    """Samples until it is stopped."""

    def __init__(self, process, paths):
        self.process = process
        self.memory = []
        self.positions = []
        step = max(1, len(paths) // WATCHED_FILES)
        self.files = [os.open(path, os.O_RDONLY) for path in sorted(paths)[::step][:WATCHED_FILES]]
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        next_memory = 0.0
        while not self.stopped.wait(FILE_PERIOD):
            now = time.monotonic()
            if now >= next_memory:
                next_memory = now + MEMORY_PERIOD
                try:
                    self.memory.append((now, self.process.resident()))
                except OSError:
                    return
            for file in self.files:
                status = os.fstat(file)
                self.positions.append((time.monotonic_ns(), status.st_ino, status.st_size))

    def stop(self):
        """Ends the sampling; the files that were looked at may go then."""
        if not self.stopped.is_set():
            self.stopped.set()
            self.thread.join()
            for file in self.files:
                os.close(file)

    def peak(self):
        """The most kilobytes that were seen."""
        return max((kilobytes for _, kilobytes in self.memory), default=0)

    def growth(self):
        """Kilobytes a second by which memory rose, as a straight line through the samples."""
        if len(self.memory) < 4:
            return None
        times, kilobytes = zip(*self.memory)
        return statistics.linear_regression(times, kilobytes).slope

    def behind(self, files, begins, header_bytes):
        """Milliseconds since the sending of the oldest frame that was not in its file, at the moments of the samples.

        That is how much audio of a call would be missing from its file if the machine stopped then.
        - files: what was recorded, as the server says it.
        - begins: when each call's first frame was due, in nanoseconds.
        - header_bytes: says, of a kind and a path, how many bytes stand before the first sample.
        """
        calls = {}
        for name, kinds in files.items():
            for kind, path in kinds.items():
                header = header_bytes(kind, path) if path.exists() and kind in ("wav", "raw") else None
                if header is not None:
                    calls[path.stat().st_ino] = (int(name.rsplit("-", 1)[1]), header)
        delays = []
        for moment, inode, size in self.positions:
            if inode in calls:
                call, header = calls[inode]
                written = max(0, size - header) // FRAME_BYTES
                delays.append(max(0.0, (moment - begins[call] - written * 20_000_000) / 1e6))
        if len(delays) < 20:
            return None
        delays.sort()
        return {name: delays[min(len(delays) - 1, int(share * len(delays)))]
                for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))}
