"""Streams calls from the recorder of this example to a server that fails now and then, and compares what arrived with
the recording.

    end_to_end.py RECORDER SPEECH
"""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

from receiver import Receiver, serve


@contextlib.contextmanager
def recording(recorder, work, url):
    """The recorder as a server, and the address to call."""
    configuration = work / "recorder.json"
    configuration.write_text(json.dumps({
        "recordings": {"directory": "recordings"},
        "listen": {"readInterval": 0.05},
        "sinks": [{"type": "raw"}, {"type": "httpStream", "url": url, "retry": 0.3}],
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


def record(recorder, speech, url, work):
    """Records a call in real time. Returns its manifest and its samples."""
    work.mkdir()
    with recording(recorder, work, url) as address:
        subprocess.run([recorder, "call", speech, "--to", address], check=True, stdout=subprocess.DEVNULL)
    path, = (work / "recordings").glob("*/*.json")
    return json.loads(path.read_text()), path.with_suffix(".raw").read_bytes()


def main(recorder, speech):
    server, address = serve()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        short = work / "short.wav"
        subprocess.run(["sox", speech, short, "trim", "0", "3"], check=True)

        # Trouble three times: before a piece is kept, twice in a row, and after one was kept, without an answer.
        Receiver.faults = {6: 503, 7: 500, 20: None}
        manifest, samples = record(recorder, short, f"{address}/live", work / "trouble")
        Receiver.faults = {}
        sink = next(sink for sink in manifest["sinks"] if sink["name"] == "httpStream")
        place = f"/live/{manifest['id']}"
        pieces = {int(path.rsplit("/", 1)[1]): body for path, body in Receiver.bodies.items()
                  if path.startswith(place) and not path.endswith("/end")}
        arrived = b""
        for start in sorted(pieces):
            if start * 2 != len(arrived):
                sys.exit(f"the piece at frame {start} comes after {len(arrived) // 2} frames")
            arrived += pieces[start]
        if arrived != samples or len(samples) != 96_000:
            sys.exit(f"{len(arrived)} bytes arrived of {len(samples)}, or others than were recorded")
        end = json.loads(Receiver.bodies[f"{place}/end"])
        if end != {"frames": 48_000, "reason": manifest["endReason"]}:
            sys.exit(f"the end of the call arrived as {end}")
        if sink["state"] != "complete" or sink["written"] != 48_000 or "503" not in sink["error"]:
            sys.exit(f"the manifest tells something else: {sink}")

        # A server that refuses: the rest is lost for this sink, which does not come again. The call goes on.
        before = Receiver.requests
        manifest, samples = record(recorder, short, f"{address}/refuse/403", work / "refused")
        raw, sink = manifest["sinks"]
        if sink["state"] != "failed" or sink["lost"] != 48_000 or sink["blame"] != "options":
            sys.exit(f"the manifest tells something else of a refusal: {sink}")
        if Receiver.requests != before + 1 or raw["state"] != "complete" or len(samples) != 96_000:
            sys.exit(f"after a refusal there were {Receiver.requests - before} requests, and the recording is {raw}")
        print(f"{len(pieces)} pieces of a call arrived through three faults. A refusal cost the other sink nothing.")


main(*sys.argv[1:])
