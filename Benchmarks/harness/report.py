"""Gathers what was measured, and writes it as one table."""

import json
import os
import pathlib
import platform
import statistics
import subprocess

from .plots import PLOTS


def describe_machine():
    """Processor, cores, memory and kernel."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.lower().startswith(("model name", "hardware")):
            model = line.split(":", 1)[1].strip()
            break
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{model}, {os.cpu_count()} cores, {gigabytes:.0f} GB, Linux {platform.release()}"


def median(values):
    """The median of numbers, key by key where the values are dictionaries; the first of anything else."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    if isinstance(values[0], dict):
        return {key: median([value.get(key) for value in values]) for key in values[0]}
    if isinstance(values[0], (int, float)):
        return statistics.median(values)
    return values[0]


class Row:
    """All runs of one scenario against one server."""

    def __init__(self, scenario, title, server, servers):
        self.scenario, self.title, self.server = scenario, title, server
        self.servers = servers
        self.runs = []

    def value(self, *path):
        """The median of a number of the runs, or None."""
        values = []
        for run in self.runs:
            found = run
            for key in path:
                found = found.get(key) if isinstance(found, dict) else None
            values.append(found)
        return median(values)

    def spread(self, key):
        """The smallest and the largest of a number, when there were several runs."""
        values = [run[key] for run in self.runs if run.get(key) is not None]
        return (min(values), max(values)) if len(values) > 1 else None

    def problems(self):
        """Everything that was wrong in any run."""
        return [problem for run in self.runs for problem in run["problems"]]


class Results:
    """Everything that was measured, by scenario and server."""

    def __init__(self):
        self.rows = {}
        # Lines for plots: name to list of (x, y), by plot.
        self.lines = {}
        self.configurations = {}
        # What the micro-benchmarks printed.
        self.micro = None

    def add(self, scenario, title, server, servers, result):
        """Takes the result of a run. What failed is no number: it is shown as failed and counted as a problem."""
        row = self.rows.setdefault((scenario, server), Row(scenario, title, server, servers))
        row.runs.append(result)
        if "configuration" in result:
            self.configurations[scenario] = result["configuration"]

    def add_point(self, plot, line, x, y):
        """Takes a point of a plot."""
        if y is not None:
            self.lines.setdefault(plot, {}).setdefault(line, []).append((x, y))

    def problems(self):
        """Everything that was wrong in any run of any server."""
        return [problem for row in self.rows.values() for problem in row.problems()]

    def ratio(self, row, key, prefix):
        """A row's number divided by that of the same scenario's server whose name begins so."""
        base = next((name for name in row.servers if name.startswith(prefix)), None)
        other = self.rows.get((row.scenario, base))
        mine, theirs = row.value(key), other.value(key) if other else None
        return mine / theirs if mine is not None and theirs else None

    def as_json(self):
        """Every run, and the medians."""
        rows = [{"scenario": row.scenario, "title": row.title, "server": row.server, "median": median(row.runs),
                 "runs": row.runs}
                for row in self.rows.values()]
        return {"rows": rows, "lines": self.lines, "micro": self.micro}


def text(value, digits=2):
    """A number for a table: about three digits of it, and a dash for none."""
    if value is None:
        return "–"
    if abs(value) >= 1000 or digits == 0:
        return f"{value:,.0f}"
    return f"{value:.{0 if abs(value) >= 100 else 1 if abs(value) >= 10 else digits}f}"


def with_spread(row, key):
    """A median, with the least and the most behind it where there were several runs."""
    spread = row.spread(key)
    return text(row.value(key)) + (f" ({text(spread[0])}–{text(spread[1])})" if spread else "")


def cells(results, row):
    """One line of the table."""
    milliseconds = row.value("start")
    counts = "syscalls" in row.runs[0]
    # Numbers of a run that was slowed down by counting would be taken for measured ones.
    nothing = "–"
    return [
        row.title, row.server,
        nothing if counts else with_spread(row, "cpu"),
        nothing if counts else text(results.ratio(row, "cpu", "floor")),
        nothing if counts else text(results.ratio(row, "cpu", "go")),
        with_spread(row, "framesPerSecond"), text(results.ratio(row, "framesPerSecond", "floor")),
        nothing if counts else text(row.value("millisecondsPerCall")),
        nothing if counts else text(row.value("kilobytesPerCall")), nothing if counts else text(row.value("growth")),
        nothing if counts else text(row.value("behind", "p99"), 0),
        nothing if counts else text(row.value("pings", "p99"), 1),
        text(row.value("syscalls"), 1),
        text(milliseconds * 1000 if milliseconds is not None else None, 0),
        nothing if counts else text(row.value("lateness", "p99"), 1), text(row.value("generatorCores")),
        "FAILED" if row.problems() else "ok",
    ]


HEAD = ["scenario", "server", "CPU-s per call-hour", "÷ floor", "÷ go", "frames/s", "÷ floor", "ms per call",
        "KB per call", "KB per call and minute", "behind p99 ms", "ping p99 ms", "syscalls per call-s", "start ms",
        "late p99 ms", "load cores", "check"]


def table(head, lines):
    """A Markdown table, padded so that it can be read as it is; columns that say nothing are left out."""
    used = [index for index in range(len(head)) if any(line[index] not in ("–", "") for line in lines)]
    grid = [[line[index] for index in used] for line in [head, *lines]]
    widths = [max(len(line[index]) for line in grid) for index in range(len(used))]
    rows = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in grid]
    return "\n".join([rows[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rows[1:]])


def lag_table(results):
    """What Callreel says of its own lag, for each sink."""
    lines = []
    for row in results.rows.values():
        for sink, lag in (row.value("lag") or {}).items():
            lines.append([row.title, sink, *(f"≤ {lag[name] * 1000:g}" for name in ("p50", "p99", "max"))])
    if not lines:
        return ""
    return "\n\n" + table(["scenario", "sink", "lag p50 ms", "lag p99 ms", "lag max ms"], lines)


def archive_table(results):
    """What an archive costs at the start and in answers."""
    lines = []
    for row in results.rows.values():
        if row.value("indexed") is not None:
            numbers = [row.value(key)
                       for key in ("start", "firstAnswer", "indexed", "indexCPU", "page", "api", "apiOldest")]
            lines.append([row.title,
                          *(text(number * 1000, 1 if index > 3 else 0) for index, number in enumerate(numbers)),
                          text(row.value("rss") / 1024, 0)])
    if not lines:
        return ""
    head = ["scenario", "start ms", "first answer ms", "all known ms", "CPU ms", "page ms", "API newest ms",
            "API oldest ms", "MB in memory"]
    return "\n\n" + table(head, lines)


def growth_table(results):
    """The ends of every line that is drawn."""
    lines = []
    for plot, named in results.lines.items():
        _, title, x_name, y_name, _ = PLOTS[plot]
        for name, points in named.items():
            ends = [f"{text(y)} at {text(x, 0)}" for x, y in (points[0], points[-1])]
            lines.append([title, f"{y_name}, by {x_name}", name, *ends])
    return "\n\n" + table(["growth", "what", "line", "first", "last"], lines) if lines else ""


def markdown(results, about):
    """The whole report. README.md beside this folder says what each column means."""
    revision = f", commit {about['commit']}" if about["commit"] else ""
    parts = [f"`{about['command']}`\n{about['date']}{revision}\n{about['machine']}"]
    if results.rows:
        calls = [cells(results, row) for row in results.rows.values() if row.value("indexed") is None]
        parts.append((table(HEAD, calls) if calls else "")
                     + lag_table(results) + archive_table(results) + growth_table(results))
    if results.micro:
        parts.append(f"```\n{results.micro.strip()}\n```")
    used = [f"// {scenario}\n{json.dumps(configuration)}" for scenario, configuration in results.configurations.items()
            if not scenario.startswith("growth")]
    if used:
        parts.append("Callreel's configurations; everything that is not in them has its default:\n\n"
                     "```json\n" + "\n".join(used) + "\n```")
    return "\n\n".join(parts) + "\n"


def pictures(results, folder):
    """The plots that were drawn, for a Markdown file from which they stand in this folder."""
    return "\n\n".join(f"![{PLOTS[plot][1]}]({folder}/{PLOTS[plot][0]})" for plot in results.lines)


def revision(repository):
    """The commit that is measured, with a plus where the tree has changes; empty where there is no git."""
    try:
        name = subprocess.run(
            ["git", "-C", repository, "describe", "--always", "--dirty=+"], capture_output=True, text=True)
    except OSError:
        return ""
    return name.stdout.strip()
