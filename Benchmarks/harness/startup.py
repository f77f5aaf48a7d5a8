"""How long Callreel takes to serve, and its page and API to answer, beside an archive of some size."""

import http.client
import json
import statistics
import time

from .archive import Archive
from .building import say

ASKED = 20


def request(port, path):
    """The answer to a request, and the seconds that it took."""
    begin = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered with {answer.status}")
    return body, time.monotonic() - begin


def start_beside(bench, archive, count):
    """Starts the server beside so many recordings; what was measured, and what was wrong."""
    server = bench.servers["callreel"]
    archive.grow_to(count)
    process = server.start(archive.folder, ("wav",), 100)
    try:
        begin, problems = time.monotonic(), []
        # While it still reads manifests it has to answer.
        _, first = request(process.port, "/api/calls?limit=50")
        while True:
            state = json.loads(request(process.port, "/api/calls?limit=1")[0])
            if not state["indexing"] and state["total"] >= count:
                break
            if time.monotonic() - begin > 300:
                break
            time.sleep(0.01 if count < 10_000 else 0.1)
        indexed = time.monotonic() - process.started
        if state["total"] != count:
            problems.append(f"start, callreel: {state['total']} recordings are known, not {count}")
        memory = process.memory()["rss"]
        newest = [request(process.port, "/api/calls?limit=50")[1] for _ in range(ASKED)]
        oldest = [request(process.port, f"/api/calls?limit=50&offset={max(0, count - 50)}")[1] for _ in range(ASKED)]
        page = [request(process.port, "/")[1] for _ in range(ASKED)]
        listed = json.loads(request(process.port, "/api/calls?limit=50")[0])["recordings"]
        if len(listed) != min(50, count):
            problems.append(f"start, callreel: {len(listed)} recordings on the first page of {count}")
        return {
            "problems": problems, "start": process.start_seconds, "indexed": indexed, "firstAnswer": first,
            "api": statistics.median(newest), "apiOldest": statistics.median(oldest), "page": statistics.median(page),
            "indexCPU": process.cpu_seconds(), "rss": memory,
        }
    finally:
        process.stop()


def run_recordings(bench, results, counts, repeat):
    """Measures beside archives of these sizes, from the smallest on.

    Those that are not empty are points of the plots too.
    """
    archive = Archive(bench)
    for count in sorted(counts):
        say(f"start: callreel, {count:,} recordings")
        name = f"start-{count}"
        for _ in range(repeat):
            results.add(name, f"start, {count:,} recordings", "callreel", (), start_beside(bench, archive, count))
        row = results.rows[name, "callreel"]
        if count == 0:
            continue
        for plot, line, key in (
            ("start", "serving", "start"), ("start", "all known", "indexed"),
            ("answers", "page", "page"), ("answers", "API, newest 50", "api"),
            ("answers", "API, oldest 50", "apiOldest"),
        ):
            results.add_point(plot, line, count, row.value(key) * 1000)
    bench.clear(archive.folder)
