"""What one run of the benchmark has: its programs, its folder, and its results."""

import shutil

from .audio import Audio
from .building import Programs
from .servers import known_servers


class Bench:
    """The work folder and everything in it."""

    def __init__(self, work, servers, callreel=None, fault=None, keep=False):
        self.work = work
        self.keep = keep
        self.fault = fault
        self.runs = work / "runs"
        shutil.rmtree(self.runs, ignore_errors=True)
        self.runs.mkdir(parents=True)
        self.programs = Programs(work / "build", servers, callreel)
        self.audio = Audio(self.programs.audio)
        known = known_servers(self.programs)
        self.servers = {name: known[name] for name in servers}
        self.count = 0

    def new_folder(self, name):
        """An empty folder for one server's files."""
        self.count += 1
        folder = self.runs / f"{self.count:03d}-{name}"
        folder.mkdir()
        return folder

    def clear(self, folder):
        """Removes a run's files, which are many gigabytes over a whole benchmark."""
        if not self.keep:
            shutil.rmtree(folder, ignore_errors=True)

    def end(self, clean):
        """Removes everything but what was compiled; that too when asked."""
        if not self.keep:
            shutil.rmtree(self.runs, ignore_errors=True)
        if clean:
            shutil.rmtree(self.work, ignore_errors=True)
