"""Measures Callreel beside other servers under the same calls, and checks every file of every run.

Scenarios, of which --scenario picks some:
  wav        1000 calls in real time, recorded as WAV
  three      500 calls in real time, recorded as WAV, FLAC and raw
  flood      16 calls as fast as TCP takes them, recorded raw
  many       5000 calls in real time, recorded as WAV
  syscalls   system calls for each second of a call; a run of its own, since counting slows a server down
  start      from exec to the first answer, with none and with 100,000 published recordings
  micro      the pieces that each frame passes through, by themselves; only when asked for, as it builds them first
  growth     cost as work grows: CPU from 10 to 5000 calls, memory over 10 hours of a call, start and page with up to
             100,000 recordings; only when asked for, or with --plots

The exit code is 1 when a check failed.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import shlex
import signal
import sys

from .bench import Bench
from .building import HERE, REPOSITORY, run_micro, say
from .catalogue import EVERYBODY, adjusted, call_scenarios
from .faults import NAMES as FAULTS
from .growth import run_growth
from .plots import draw_all
from .process import raise_descriptor_limit
from .report import Results, describe_machine, markdown, pictures, revision
from .scenarios import run_calls
from .startup import run_recordings

SCENARIOS = ("wav", "three", "flood", "many", "syscalls", "start", "micro", "growth")
# Published recordings beside which growth measures.
ARCHIVES = (10, 100, 1000, 10_000, 100_000)
# What 5000 calls need of the hungriest server, with room.
DESCRIPTORS = 65536


def names(known):
    """A parser for a list of names with commas between them."""
    def parse(text):
        found = text.split(",")
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return found
    return parse


def read_options(arguments):
    """The command line; ends the program with a word about what is wrong with it."""
    parser = argparse.ArgumentParser(
        prog="Benchmarks/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true",
                        help="fewer servers and shorter calls: under two minutes, and less to be trusted")
    parser.add_argument("--scenario", type=names(SCENARIOS), metavar="NAME,…", help="only these scenarios")
    parser.add_argument("--servers", type=names(EVERYBODY), metavar="NAME,…",
                        help=f"only these of {', '.join(EVERYBODY)}")
    parser.add_argument("--calls", type=int, help="calls at once, in place of each scenario's own number")
    parser.add_argument("--duration", type=float, metavar="SECONDS",
                        help="audio of each call, in place of each scenario's own length")
    parser.add_argument("--repeat", type=int, default=1, metavar="N",
                        help="run everything N times, and show medians and spread")
    parser.add_argument("--callreel", metavar="PATH", help="measure this binary instead of building one")
    parser.add_argument("--recordings", type=int, default=None, metavar="N",
                        help="the most recordings that start and growth make")
    parser.add_argument("--hours", type=float, help="audio of the long call in growth, in place of ten hours")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE",
                        help="write the table, with machine, date and command")
    parser.add_argument("--plots", type=pathlib.Path, metavar="DIR",
                        help="measure growth too, and draw it as SVG files")
    parser.add_argument("--work", type=pathlib.Path, default=HERE / ".work", metavar="DIR",
                        help="where everything is written meanwhile")
    parser.add_argument("--keep", action="store_true",
                        help="leave recordings and logs of the servers in the work folder")
    parser.add_argument("--clean", action="store_true", help="remove what was compiled as well, at the end")
    parser.add_argument("--plant", choices=sorted(FAULTS), metavar="FAULT",
                        help="do something wrong, which the check must find: "
                        + "; ".join(f"{name}: {text}" for name, text in sorted(FAULTS.items())))
    return parser.parse_args(arguments)


def measure(bench, options, results):
    """Runs every scenario that was asked for."""
    wanted = options.scenario or [name for name in SCENARIOS if name not in ("micro", "growth")]
    if options.plots and "growth" not in wanted:
        wanted.append("growth")
    for _ in range(options.repeat):
        for scenario in (adjusted(one, options) for one in call_scenarios(options.short) if one.name in wanted):
            for name in scenario.servers:
                server = bench.servers[name]
                if not server.offers(scenario.sinks):
                    say(f"{scenario.name}: {name} cannot do {'+'.join(scenario.sinks)}")
                    continue
                say(f"{scenario.name}: {name}, {scenario.calls} calls of {scenario.seconds:g} s")
                result = run_calls(bench, server, scenario)
                for problem in result["problems"][:3]:
                    say(f"FAILED: {problem}")
                results.add(scenario.name, scenario.label, name, scenario.servers, result)
    if "micro" in wanted:
        results.micro = run_micro(bench.programs.folder)
    if "growth" in wanted:
        run_growth(bench, results, options)
    most = options.recordings or (5_000 if options.short else 100_000)
    counts = {0, most} if "start" in wanted else set()
    if "growth" in wanted:
        counts |= {count for count in ARCHIVES if count <= most}
    if counts and "callreel" in bench.servers:
        run_recordings(bench, results, counts, options.repeat)


def main():
    """Measures, prints, writes what was asked for, and ends with 1 when anything was wrong."""
    options = read_options(sys.argv[1:])
    descriptors = raise_descriptor_limit(DESCRIPTORS)
    if descriptors < DESCRIPTORS:
        say(f"Only {descriptors} files may be open at once here: scenarios with thousands of calls may fail.")
    bench = Bench(options.work.resolve(), options.servers or EVERYBODY, options.callreel, options.plant, options.keep)
    results = Results()
    # Being told to end is an end like any other: servers are stopped, and what was written is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # Peers whose files are made through the umask must be readable here whoever runs this.
    os.umask(0o022)
    try:
        measure(bench, options, results)
    finally:
        bench.end(options.clean)
    command = "Benchmarks/run " + shlex.join(sys.argv[1:])
    about = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "command": command.strip(),
        "commit": revision(REPOSITORY), "machine": describe_machine(), "python": platform.python_version(),
        "harnessCPU": round(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), 1),
    }
    table = markdown(results, about)
    print(table)
    if options.markdown:
        columns = os.path.relpath(REPOSITORY / "Benchmarks/README.md", options.markdown.parent)
        heading = f"# Benchmarks\n\nWhat each column means stands in [Benchmarks/README.md]({columns}).\n\n"
        drawn = ""
        if options.plots:
            drawn = pictures(results, os.path.relpath(options.plots, options.markdown.parent)) + "\n"
        options.markdown.write_text(heading + table + ("\n" + drawn if drawn else ""))
    if options.json:
        options.json.write_text(json.dumps({"about": about, "results": results.as_json()}, indent=1) + "\n")
    if options.plots:
        draw_all(results, options.plots)
    problems = results.problems()
    for problem in problems[:40]:
        say(f"FAILED: {problem}")
    if len(problems) > 40:
        say(f"FAILED: and {len(problems) - 40} more")
    sys.exit(1 if problems else 0)


main()
