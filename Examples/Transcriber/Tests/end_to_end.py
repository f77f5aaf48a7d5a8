"""Transcribes recordings with the recorder of this example, and a program that fails once and hangs once.

    end_to_end.py RECORDER SPEECH
"""

import contextlib
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

PROGRAM = pathlib.Path(__file__).parent / "speech_to_text.py"


def wait(condition, what):
    """Waits until a condition holds. A minute is for a machine that does much else."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"there was no {what} within a minute")
        time.sleep(0.05)


@contextlib.contextmanager
def recording(recorder, work, trouble):
    """The recorder as a server, and the address to call."""
    configuration = work / "recorder.json"
    configuration.write_text(json.dumps({
        "recordings": {"directory": "recordings"},
        "sinks": [{"type": "wav", "partLength": 4}, {"type": "flac"}],
        "deliveries": [{"type": "transcriber", "name": "text", "command": [str(PROGRAM), str(trouble)]}],
    }))
    with open(work / "log", "ab") as log:
        server = subprocess.Popen([recorder, "serve", "--config", configuration, "--port", "0"], cwd=work,
                                  stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        for line in server.stdout:
            if " --to " in line:
                yield line.split(" --to ")[1].strip()
                break
        else:
            sys.exit(f"the recorder did not start: {(work / 'log').read_text()}")
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def call(recorder, speech, address):
    subprocess.run([recorder, "call", speech, "--to", address, "--speed", "max"], check=True,
                   stdout=subprocess.DEVNULL)


def deliveries(work):
    """The manifests' entries about the transcripts."""
    manifests = (json.loads(path.read_text()) for path in sorted((work / "recordings").glob("*/*.json")))
    return [(manifest, manifest["deliveries"][0]) for manifest in manifests]


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def frames(path):
    """The length of a file by another program's count."""
    ran = subprocess.run(["soxi", "-s", path], check=True, capture_output=True, text=True)
    return int(ran.stdout)


def main(recorder, speech):
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        trouble = work / "trouble"
        # The first attempt fails. Then it works.
        trouble.write_text("fail")
        with recording(recorder, work, trouble) as address:
            call(recorder, speech, address)
            wait(lambda: deliveries(work) and deliveries(work)[0][1]["state"] == "delivered", "transcript")
            # The server ends while the program is at work on a second call, and ends the program.
            trouble.write_text("hang")
            call(recorder, speech, address)
            wait(lambda: trouble.read_text().isdigit(), "program at work")
            pid = int(trouble.read_text())
        wait(lambda: not is_running(pid), "end of the program")
        trouble.unlink()
        with recording(recorder, work, trouble):
            wait(lambda: all(entry["state"] == "delivered" for _, entry in deliveries(work)), "second transcript")

        found = deliveries(work)
        if len(found) != 2 or [entry["attempts"] for _, entry in found] != [2, 1]:
            sys.exit(f"the attempts are others: {[entry for _, entry in found]}")
        for manifest, entry in found:
            wav = next(sink for sink in manifest["sinks"] if sink["name"] == "wav")
            parts = [work / "recordings" / file["name"] for file in wav["files"]]
            wanted = "".join(f"Für {frames(part)} frames lang sprach jemand.\n" for part in parts)
            if len(parts) != 3 or entry["details"] != {"files": 3, "words": 18}:
                sys.exit(f"of {len(parts)} parts, the manifest tells {entry['details']}")
            file, = entry["files"]
            content = (work / "recordings" / file["name"]).read_bytes()
            if file["name"] != f"{manifest['name']}.text.txt" or content.decode() != wanted:
                sys.exit(f"{file['name']} is not the transcript: {content.decode()}")
            if hashlib.sha256(content).hexdigest() != file["sha256"]:
                sys.exit(f"{file['name']} has another SHA-256 than its manifest says")
        subprocess.run([recorder, "verify", work / "recordings"], check=True, stdout=subprocess.DEVNULL)
        print(f"{len(found)} recordings have their transcripts, through a failure and an end of the server.")


main(*sys.argv[1:])
