"""Records real speech with the recorder of this example, and compares its events with ffmpeg's silence detector.

    end_to_end.py RECORDER SPEECH

The call has two channels: the speech, and the same speech five seconds later over the noise of a bad line.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

# The part of a call in which the two detectors must agree. They measure differently: samples and windows.
AGREEMENT = 0.93
# The level of ffmpeg's detector for the speech alone, and for the speech over the noise: between noise and speech.
LEVELS = ["-28dB", "-22dB"]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **options)


def make_call(speech, call, work):
    """A WAV file of 16 s with the speech on the left, and on the right the speech after 5 s in noise."""
    left, late, noise, right = (work / f"{name}.wav" for name in ("left", "late", "noise", "right"))
    run("sox", speech, left, "pad", 0, 5)
    run("sox", speech, late, "pad", 5, 0)
    run("sox", "-R", "-r", 16000, "-n", "-b", 16, noise, "synth", 16, "whitenoise", "gain", -38)
    run("sox", "-m", "-v", 1, late, "-v", 1, noise, right)
    run("sox", "-M", left, right, call)


def silences(path, channel, level):
    """The silent stretches that ffmpeg finds in a channel, in seconds."""
    found = run("ffmpeg", "-hide_banner", "-nostats", "-i", path, "-af",
                f"pan=mono|c0=c{channel},silencedetect=noise={level}:d=0.3", "-f", "null", "-").stderr
    starts = [float(time) for time in re.findall(r"silence_start: (-?[\d.]+)", found)]
    ends = [float(time) for time in re.findall(r"silence_end: ([\d.]+)", found)]
    return list(zip(starts, ends + [float("inf")] * (len(starts) - len(ends))))


def stretches(manifest, sink, channel):
    """The stretches of speech that a sink found in a channel, in seconds."""
    events = [event for event in manifest["events"]
              if event.get("sink") == sink and event["data"]["channel"] == channel]
    rate = manifest["format"]["sampleRate"]
    begins = [event["frame"] / rate for event in events if event["type"] == "speechBegan"]
    ends = [event["frame"] / rate for event in events if event["type"] == "speechEnded"]
    if len(begins) != len(ends) or not begins:
        sys.exit(f"{sink}, channel {channel}: {len(begins)} beginnings and {len(ends)} ends of speech")
    return list(zip(begins, ends))


def within(time, spans):
    return any(start <= time < end for start, end in spans)


def main(recorder, speech):
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        call, configuration = work / "call.wav", work / "recorder.json"
        make_call(speech, call, work)
        # The second entry records in parts of three seconds, and must find the same.
        configuration.write_text(json.dumps({
            "recordings": {"directory": "recordings"},
            "sinks": [{"type": "voiceActivity"}, {"type": "voiceActivity", "name": "parts", "partLength": 3}],
        }))
        run(recorder, "replay", call, "--config", configuration, cwd=work)
        path, = (work / "recordings").rglob("*Z-*.json")
        manifest = json.loads(path.read_text())
        for channel, level in enumerate(LEVELS):
            ours, quiet = stretches(manifest, "voiceActivity", channel), silences(call, channel, level)
            if stretches(manifest, "parts", channel) != ours:
                sys.exit(f"channel {channel}: the parts have {stretches(manifest, 'parts', channel)}, not {ours}")
            times = [index / 100 for index in range(1600)]
            same = sum(within(time, ours) != within(time, quiet) for time in times) / len(times)
            print(f"channel {channel}: {len(ours)} stretches of speech, {same:.1%} as ffmpeg says")
            if same < AGREEMENT:
                sys.exit(f"speech: {ours}\nsilence by ffmpeg: {quiet}")


main(*sys.argv[1:])
