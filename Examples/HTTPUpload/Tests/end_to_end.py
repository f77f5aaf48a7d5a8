"""Uploads recordings from the recorder of this example, and kills it with SIGKILL during a call and during an upload.

    end_to_end.py RECORDER SPEECH
"""

import contextlib
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

from store import Store, TOKEN, serve


def wait(condition, what):
    """Waits until a condition holds. A minute is for a machine that does much else."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"there was no {what} within a minute")
        time.sleep(0.05)


@contextlib.contextmanager
def recording(recorder, work, store):
    """The recorder as a server, and the address to call. At the end it must be dead, or ends in order."""
    configuration = work / "recorder.json"
    configuration.write_text(json.dumps({
        "recordings": {"directory": "recordings"},
        "sinks": [{"type": "flac"}, {"type": "wav"}],
        "deliveries": [{"type": "httpUpload", "url": f"{store}/calls", "token": TOKEN}],
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


def manifests(directory):
    return sorted(path for path in directory.rglob("*.json") if ".callreel" not in path.parts)


def is_delivered(path):
    return all(entry["state"] == "delivered" for entry in json.loads(path.read_text())["deliveries"])


def main(recorder, speech):
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        recordings, stored = work / "recordings", work / "stored"
        server, store = serve(stored)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        # Killed in the middle of a call.
        with recording(recorder, work, store) as (process, address):
            caller = subprocess.Popen([recorder, "call", speech, "--to", address], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            wait(lambda: any(path.stat().st_size > 50_000 for path in recordings.rglob("*.wav")), "audio of a call")
            process.kill()
            caller.wait()
        # Killed in the middle of an upload: of the interrupted call, or of the next one.
        (stored / "mode").write_text("hang")
        with recording(recorder, work, store) as (process, address):
            subprocess.run([recorder, "call", speech, "--to", address, "--speed", "max"], check=True,
                           stdout=subprocess.DEVNULL)
            wait(lambda: Store.requests, "upload")
            process.kill()
        (stored / "mode").write_text("fail")
        if Store.stored:
            sys.exit(f"something was stored by half an upload: {Store.stored}")
        # A third call, at first to a server that refuses, and then no more trouble.
        count = len(Store.requests)
        with recording(recorder, work, store) as (process, address):
            subprocess.run([recorder, "call", speech, "--to", address, "--speed", "max"], check=True,
                           stdout=subprocess.DEVNULL)
            wait(lambda: len(Store.requests) > count, "attempt")
            (stored / "mode").unlink()
            wait(lambda: len(manifests(recordings)) == 3 and all(map(is_delivered, manifests(recordings))),
                 "delivery of three calls")

        arrived = manifests(stored)
        if len(arrived) != 3:
            sys.exit(f"{len(arrived)} manifests were stored, not 3")
        files = 0
        for path in arrived:
            manifest = json.loads(path.read_text())
            if manifest["id"] != path.parent.name:
                sys.exit(f"{path} is of {manifest['id']}")
            for file in (file for sink in manifest["sinks"] for file in sink["files"]):
                content = (path.parent / pathlib.Path(file["name"]).name).read_bytes()
                if content != (recordings / file["name"]).read_bytes():
                    sys.exit(f"{file['name']} is not what was recorded")
                if hashlib.sha256(content).hexdigest() != file["sha256"]:
                    sys.exit(f"{file['name']} has another SHA-256 than its manifest says")
                files += 1
                if not any(file["name"].endswith(pathlib.Path(target).name)
                           for target in Store.stored[:Store.stored.index("/" + str(path.relative_to(stored)))]):
                    sys.exit(f"{file['name']} was stored after its manifest")
        keys = {}
        for target, key in Store.requests:
            keys.setdefault(target, set()).add(key)
        for target, found in keys.items():
            if not target.endswith(".json") and len(found) != 1:
                sys.exit(f"{target} was put with the keys {found}")
        print(f"{len(arrived)} manifests and {files} files arrived in {len(Store.requests)} requests, "
              "through a kill in a call and a kill in an upload.")


main(*sys.argv[1:])
