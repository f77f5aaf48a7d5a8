"""Reads what Callreel counts of itself."""

import re
import urllib.request

LINE = re.compile(r'callreel_sink_lag_seconds_bucket\{sink="([^"]+)".*le="([^"]+)"\} (\d+)')


def lag_quantiles(port):
    """For each sink, the seconds within which half, and 99 of 100, batches were written.

    They count from when a batch had been read from the socket. The histogram has steps: the numbers are the upper edges
    of the steps that the quantiles fall into. What a batch waited in the socket before it was read, listen.readInterval
    at the most, comes on top.
    """
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    buckets = {}
    for sink, edge, count in LINE.findall(text):
        buckets.setdefault(sink, []).append((float(edge), int(count)))
    quantiles = {}
    for sink, steps in buckets.items():
        total = steps[-1][1]
        if total:
            quantiles[sink] = {name: next(edge for edge, count in steps if count >= share * total)
                               for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
    return quantiles
