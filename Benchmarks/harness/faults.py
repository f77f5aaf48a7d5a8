"""Does something wrong on purpose, to see that the check finds it: a check that never failed is not known to work."""

import os
import shutil

NAMES = {
    "drop": "the load generator leaves out one frame of the first call and says nothing",
    "flip": "one bit in each file of one call is changed before the check",
    "cut": "the last 100 bytes of one file are taken away",
    "swap": "two calls' files change places",
    "remove": "one file is removed",
    "stray": "there is one file more than there should be",
}


def plant(fault, server, sinks):
    """Spoils what was recorded, where that is what the fault does."""
    recorded = server.recorded()
    names = sorted(recorded)
    first = recorded[names[0]]
    if fault == "flip":
        for sink in sinks:
            flip_bit(first[sink])
    elif fault == "cut":
        path = first[sinks[0]]
        os.truncate(path, path.stat().st_size - 100)
    elif fault == "swap":
        one, other = first[sinks[0]], recorded[names[1]][sinks[0]]
        aside = one.with_name("aside")
        one.rename(aside)
        other.rename(one)
        aside.rename(other)
    elif fault == "remove":
        first[sinks[0]].unlink()
    elif fault == "stray":
        shutil.copy(first[sinks[0]], first[sinks[0]].with_name(f"stray.{sinks[0]}"))


def flip_bit(path):
    """Turns one bit in the middle of a file over."""
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
