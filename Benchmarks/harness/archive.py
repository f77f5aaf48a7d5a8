"""Makes an archive of published recordings, cheaply: one real call, over and over under other names."""

import copy
import json
import os
import re
import shutil
import time

from .load import Load

# Recordings of one day, and so in one directory.
PER_DAY = 1000
# File systems limit the names of one file; ext4 allows 65,000.
NAMES_PER_FILE = 30_000
PLACE = re.compile("<(ID|NAME|FROM|UUID|TIME)>")


def real_recording(bench):
    """Has Callreel record a call of two seconds; returns the manifest, and the path of its audio."""
    server = bench.servers["callreel"]
    folder = bench.new_folder("one-recording")
    process = server.start(folder, ("wav",), 1)
    load = Load(bench.programs, process.port, 1, 2.0, speed=20, ramp=0)
    try:
        load.wait("done", 60)
        end = time.monotonic() + 30
        while not server.manifests():
            if time.monotonic() > end:
                raise RuntimeError("the recording did not appear")
            time.sleep(0.05)
    finally:
        load.stop()
        process.stop()
    return server.manifests()[0][1], server.recorded()["call-00000"]["wav"]


class Archive:
    """A recordings directory that grows to the sizes that are measured."""

    def __init__(self, bench):
        manifest, self.audio = real_recording(bench)
        self.template = self._template(manifest)
        self.folder = bench.new_folder("archive")
        self.recordings = self.folder / "recordings"
        self.recordings.mkdir()
        self.count = 0

    def grow_to(self, count):
        """Adds recordings until there are so many.

        Each is a manifest, which is the real one with another id, name, caller and time.
        """
        while self.count < count:
            number = self.count
            day = self._day(number // PER_DAY)
            if number % PER_DAY == 0:
                (self.recordings / day).mkdir()
            if number % NAMES_PER_FILE == 0:
                self.link = self.folder / f"audio-{number}.wav"
                shutil.copy(self.audio, self.link)
            clock = number % PER_DAY * 86
            time_of_day = f"{clock // 3600:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}"
            identifier = f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}"
            caller = str(447700900000 + number)
            name = f"{day}/{time_of_day.replace(':', '')}Z-{caller}-{identifier[:8]}"
            facts = {
                "ID": identifier, "NAME": name, "FROM": caller, "UUID": f"call-{number}",
                "TIME": f"{day}T{time_of_day}.000Z",
            }
            path = f"{self.recordings}/{name}"
            os.link(self.link, path + ".wav")
            with open(path + ".json", "w") as file:
                file.write(PLACE.sub(lambda found: facts[found.group(1)], self.template))
            self.count += 1

    @staticmethod
    def _template(manifest):
        """The manifest's text, with places for what is each recording's own.

        Its writing once is what makes many of them cheap.
        """
        manifest = copy.deepcopy(manifest)
        manifest["id"], manifest["name"] = "<ID>", "<NAME>"
        manifest["call"]["from"], manifest["call"]["uuid"] = "<FROM>", "<UUID>"
        manifest["startedAt"] = manifest["endedAt"] = "<TIME>"
        manifest["sinks"][0]["files"][0]["name"] = "<NAME>.wav"
        return json.dumps(manifest, indent=2, sort_keys=True) + "\n"

    @staticmethod
    def _day(number):
        return time.strftime("%Y-%m-%d", time.gmtime(1735689600 + number * 86400))
