"""Records calls with the recorder of this example, kills it with SIGKILL in a call, and decrypts what there is.

    end_to_end.py RECORDER SPEECH

Each call is recorded as bare samples too, by which the decrypted ones are judged.
"""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import wave

DECRYPT = pathlib.Path(__file__).parent.parent / "decrypt.py"


def wait(condition, what):
    """Waits until a condition holds. A minute is for a machine that does much else."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"there was no {what} within a minute")
        time.sleep(0.05)


@contextlib.contextmanager
def recording(recorder, work, key):
    """The recorder as a server, and the address to call."""
    configuration = work / "recorder.json"
    configuration.write_text(json.dumps({
        "recordings": {"directory": "recordings"},
        "sinks": [{"type": "encrypted", "publicKey": key}, {"type": "raw"}],
    }))
    with open(work / "log", "ab") as log:
        server = subprocess.Popen([recorder, "serve", "--config", configuration, "--port", "0"], cwd=work,
                                  stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        for line in server.stdout:
            if " --to " in line:
                yield server, line.split(" --to ")[1].strip()
                break
        else:
            sys.exit(f"the recorder did not start: {(work / 'log').read_text()}")
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def decrypt(secret, source, status):
    """The samples in a file, which the reader must call whole (0), cut (3) or damaged (1)."""
    target = source.with_suffix(".wav")
    ran = subprocess.run([sys.executable, DECRYPT, "decrypt", secret, source, target], capture_output=True, text=True)
    if ran.returncode != status:
        sys.exit(f"{source.name}: the reader ends with {ran.returncode}, not {status}: {ran.stderr}")
    if not target.exists():
        return b""
    with wave.open(str(target)) as file:
        samples = file.readframes(file.getnframes())
    target.unlink()
    return samples


def only(directory, pattern):
    path, = directory.rglob(pattern)
    return path


def main(recorder, speech):
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        secret, recordings, partial = work / "secret", work / "recordings", work / "recordings/.partial"
        key = subprocess.run([sys.executable, DECRYPT, "keygen", secret], check=True, capture_output=True,
                             text=True).stdout.strip()

        # A whole call.
        with recording(recorder, work, key) as (process, address):
            subprocess.run([recorder, "call", speech, "--to", address, "--speed", "max"], check=True,
                           stdout=subprocess.DEVNULL)
        whole, raw = only(recordings, "*.encrypted"), only(recordings, "*.raw")
        if decrypt(secret, whole, 0) != raw.read_bytes() or not raw.stat().st_size:
            sys.exit("a whole call decrypts into other samples")
        if raw.read_bytes()[20_000:20_064] in whole.read_bytes():
            sys.exit("the encrypted file has samples of the call")

        # Cut at a message's end and in a message, and with one bit changed.
        content = whole.read_bytes()
        for cut, label in [(21, "the last message"), (30, "half a message")]:
            (work / "cut.encrypted").write_bytes(content[:-cut])
            if not raw.read_bytes().startswith(decrypt(secret, work / "cut.encrypted", 3)):
                sys.exit(f"a file without {label} decrypts into other samples")
        # In the rate, the channels, the sealed key, the stream's header, the first message and the last.
        places = (8, 12, 60, 110, 130, len(content) - 1)
        for place in places:
            (work / "bad.encrypted").write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1:])
            if not raw.read_bytes().startswith(decrypt(secret, work / "bad.encrypted", 1)):
                sys.exit(f"with a bit changed at {place}, a file decrypts into other samples")
        whole.unlink()
        raw.unlink()

        # Killed in a call: the file as it stands, and after the next start.
        with recording(recorder, work, key) as (process, address):
            caller = subprocess.Popen([recorder, "call", speech, "--to", address], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            wait(lambda: any(path.stat().st_size > 80_000 for path in partial.rglob("*.encrypted")), "audio of a call")
            process.kill()
            caller.wait()
        torn, beside = only(partial, "*.encrypted"), only(partial, "*.raw")
        standing, heard = decrypt(secret, torn, 3), beside.read_bytes()
        # A kill may come between the two sinks' writes of one chunk, of at most a second.
        if standing[:len(heard)] != heard[:len(standing)] or abs(len(standing) - len(heard)) > 32_000:
            sys.exit(f"a killed call has {len(standing)} bytes of samples, and {len(heard)} in the raw file")
        with open(torn, "ab") as file:
            file.write((5000).to_bytes(4, "little") + bytes(range(1, 200)))
        with recording(recorder, work, key):
            wait(lambda: list(recordings.glob("*/*.encrypted")), "recovery")
        found = only(recordings, "*.encrypted")
        manifest = json.loads(sorted(recordings.glob("*/*.json"))[-1].read_text())
        sink = next(sink for sink in manifest["sinks"] if sink["name"] == "encrypted")
        if decrypt(secret, found, 3) != standing or sink["written"] * 2 != len(standing):
            sys.exit(f"the recovered file differs from the one before: {sink}")
        print(f"A whole call and {len(standing)} bytes of a killed one decrypt into the call. The reader knows a cut "
              f"file, and one with a bit changed, in {len(places)} places.")


main(*sys.argv[1:])
