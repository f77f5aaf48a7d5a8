"""Judges what Examples/LevelMeter measured of a recording by what sox measures of its FLAC file.

    levels_judge.py FLAC CSV MANIFEST
"""

import csv
import json
import subprocess
import sys

# Both sides round to a hundredth of a decibel.
TOLERANCE = 0.0101


def measure(flac, *effects):
    """What sox says about a file, or about a part of it."""
    ran = subprocess.run(["sox", flac, "-n", *effects, "stats"], capture_output=True, text=True, check=True)
    words = [line.rsplit(None, 1) for line in ran.stderr.splitlines() if line.strip()]
    facts = {name: value for name, value in (pair for pair in words if len(pair) == 2)}
    return {"peak": float(facts["Pk lev dB"]), "rms": float(facts["RMS lev dB"]), "length": float(facts["Length s"])}


def compare(what, ours, theirs, mistakes):
    for name in ("peak", "rms"):
        found = float("-inf") if ours[name] is None else float(ours[name])
        if found != theirs[name] and not abs(found - theirs[name]) <= TOLERANCE:
            mistakes.append(f"{what}: {name} is {found} by the meter and {theirs[name]} by sox")


def main(flac, table, manifest):
    with open(table, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with open(manifest, encoding="utf-8") as file:
        recording = json.load(file)
    meter = next(sink for sink in recording["sinks"] if sink["type"] == "levelMeter")
    mistakes = []
    whole = measure(flac)
    compare("the call", meter["details"], whole, mistakes)
    starts = [float(row["seconds"]) for row in rows]
    if not starts or starts[0] != 0:
        sys.exit(f"{table} does not begin with the call")
    ends = starts[1:] + [whole["length"]]
    quiet = 0.0
    for row, start, end in zip(rows, starts, ends):
        theirs = measure(flac, "trim", f"={start}", f"={end}")
        compare(f"{start} s to {end} s", row, theirs, mistakes)
        quiet += end - start if theirs["rms"] < -50 else 0
    if max(end - start for start, end in zip(starts, ends)) > 1:
        mistakes.append(f"the intervals are longer than the second that was asked for: {starts}")
    if abs(meter["details"]["quietSeconds"] - quiet) > 0.001:
        mistakes.append(f"{meter['details']['quietSeconds']} s are quiet by the meter and {quiet} s by sox")
    if meter["state"] != "complete" or meter["written"] != recording["framesReceived"]:
        mistakes.append(f"the meter's part of the call is {meter['state']}, "
                        f"with {meter['written']} of {recording['framesReceived']} frames")
    if mistakes:
        sys.exit("\n".join(mistakes))
    print(f"{len(rows)} intervals and the whole call are as loud as sox says, to a hundredth of a decibel.")


main(*sys.argv[1:])
