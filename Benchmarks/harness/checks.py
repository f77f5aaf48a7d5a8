"""Compares every file that a server left with what the calls had said.

A benchmark of a recorder that loses audio says nothing.
"""

import pathlib
import subprocess
import time

from .audio import FRAME_BYTES, RATE

# Files that `flac` decodes as well; of the others the header's checksum of the audio is compared, which covers every
# sample that the encoder was given.
DECODED_FLACS = 40


def wav_data(file):
    """The place and length of a WAV's samples, by its header; raises ValueError when the header is wrong."""
    head = file.read(12)
    file.seek(0, 2)
    length = file.tell()
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise ValueError("is not a WAV")
    if int.from_bytes(head[4:8], "little") + 8 != length:
        raise ValueError(f"its header says {int.from_bytes(head[4:8], 'little') + 8} bytes, and it has {length}")
    at = 12
    while at + 8 <= length:
        file.seek(at)
        chunk = file.read(8)
        size = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"fmt ":
            shape = file.read(16)
            if shape != bytes.fromhex("01000100803e0000007d000002001000"):
                raise ValueError("is not 16-bit mono at 16 kHz")
        if chunk[:4] == b"data":
            return at + 8, size
        at += 8 + size + size % 2
    raise ValueError("has no samples")


def check_wav(path, audio, call, frames):
    """What is wrong with a WAV, or None."""
    with open(path, "rb") as file:
        try:
            place, length = wav_data(file)
        except ValueError as error:
            return str(error)
        if length != frames * FRAME_BYTES:
            return f"holds {length} bytes of audio, not {frames * FRAME_BYTES}"
        file.seek(place)
        return audio.difference(file, call, frames)


def check_raw(path, audio, call, frames):
    """What is wrong with a file of bare samples, or None."""
    with open(path, "rb") as file:
        problem = audio.difference(file, call, frames)
        return problem or ("is longer than the call" if file.read(1) else None)


def check_flac(path, audio, call, frames, decode):
    """What is wrong with a FLAC, or None."""
    with open(path, "rb") as file:
        head = file.read(42)
    if head[:4] != b"fLaC" or head[4] & 0x7F != 0:
        return "is not a FLAC"
    # STREAMINFO (RFC 9639, section 8.2): 20 bits of rate, 3 of channels, 5 of depth, 36 of length, then the MD5 of the
    # samples.
    packed = int.from_bytes(head[18:26], "big")
    if packed >> 44 != RATE or packed & (1 << 36) - 1 != frames * FRAME_BYTES // 2:
        return f"its header says {packed & (1 << 36) - 1} samples at {packed >> 44} Hz"
    if head[26:42] != audio.md5(call, frames):
        return "its MD5 is not the call's"
    if not decode:
        return None
    test = subprocess.run(["flac", "-t", "-s", str(path)], capture_output=True, text=True)
    if test.returncode != 0:
        return f"flac -t: {test.stderr.strip()}"
    options = ["-d", "-s", "-c", "--force-raw-format", "--endian=little", "--sign=signed"]
    with subprocess.Popen(["flac", *options, str(path)], stdout=subprocess.PIPE) as decoder:
        problem = audio.difference(decoder.stdout, call, frames)
        rest = decoder.stdout.read(1)
    return problem or ("is longer than the call" if rest else None)


def wait_for_files(server, calls, sinks, frames, limit=180.0):
    """Waits until every call's files are there and no longer change; the seconds that took.

    What is missing then, the check finds.
    """
    begin = time.monotonic()
    while True:
        recorded = server.recorded()
        whole = [files for files in recorded.values() if set(files) == set(sinks)]
        is_whole = len(whole) == calls
        if is_whole and "wav" in sinks:
            is_whole = all(is_finished_wav(files["wav"], frames) for files in whole)
        if is_whole and "raw" in sinks:
            is_whole = all(files["raw"].stat().st_size == frames * FRAME_BYTES for files in whole)
        elapsed = time.monotonic() - begin
        # Where audio is missing the sizes never come right: after a while without calls that is what there is.
        if is_whole or elapsed > limit or (len(whole) == calls and elapsed > 15):
            return elapsed
        time.sleep(0.2)


def is_finished_wav(path, frames):
    """Whether a WAV's header says already that the whole call is in it."""
    with open(path, "rb") as file:
        try:
            return wav_data(file)[1] == frames * FRAME_BYTES
        except ValueError:
            return False


def check(server, audio, calls, sinks, frames):
    """Every problem with what a server recorded, in words."""
    recorded = server.recorded()
    problems = server.problems(calls, frames)
    wanted = {f"call-{call:05d}": call for call in range(calls)}
    problems += [f"{name}: nobody made this call" for name in sorted(set(recorded) - set(wanted))]
    step = max(1, calls // DECODED_FLACS)
    for name, call in wanted.items():
        files = recorded.get(name, {})
        for sink in sinks:
            path = files.get(sink, pathlib.Path(f"{name}.{sink}"))
            if not path.exists():
                problem = "is missing"
            elif sink == "wav":
                problem = check_wav(path, audio, call, frames)
            elif sink == "raw":
                problem = check_raw(path, audio, call, frames)
            else:
                problem = check_flac(path, audio, call, frames, decode=call % step == 0)
            if problem:
                problems.append(f"{name}, {path.name}: {problem}")
        problems += [f"{name}: {sink} was not asked for" for sink in sorted(set(files) - set(sinks))]
    return problems
