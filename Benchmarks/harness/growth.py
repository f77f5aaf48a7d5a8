"""Cost as work grows: a line for each server, from little to much of one thing."""

import time

from .building import say
from .catalogue import fitting
from .checks import check, wait_for_files
from .load import Load, load_problems
from .scenarios import Scenario, run_calls

CALLS = (10, 30, 100, 300, 1000, 3000, 5000)
LONG_CALL_HOURS = 10
# How much faster than real the long call is: ten hours in thirty seconds.
LONG_CALL_SPEED = 1200


def run_growth(bench, results, options):
    """Measures the cost of calls by their number, and of one call by its length. Archives are startup.py's."""
    servers = [name for name in ("floor", "callreel", "go") if name in bench.servers]
    grow_calls(bench, results, servers, options)
    # A floor that reads by a clock would take no more of a call than fits into a socket's buffer each time.
    for name in servers:
        grow_one_call(bench, results, "floor-epoll" if name == "floor" else name, options)


def grow_calls(bench, results, servers, options):
    """CPU of each call, by the number of calls at once."""
    seconds = options.duration or (6 if options.short else 15)
    for calls in CALLS:
        if calls > (options.calls or CALLS[-1]):
            break
        for name in servers:
            scenario = fitting(Scenario(f"growth-{calls}", "growth, WAV", calls, seconds, ("wav",), tuple(servers)))
            say(f"growth: {name}, {scenario.calls} calls")
            result = run_calls(bench, bench.servers[name], scenario)
            results.add(scenario.name, scenario.label, name, scenario.servers, result)
            results.add_point("cpu", name, scenario.calls, result.get("cpu"))
            results.add_point("memory", name, scenario.calls, result.get("megabytes"))


def grow_one_call(bench, results, name, options):
    """Memory of the server while one call goes on for hours, from its first minute on.

    The recording is checked as any other.
    """
    server = bench.servers[name]
    hours = options.hours or (1 if options.short else LONG_CALL_HOURS)
    say(f"growth: {name}, one call of {hours:g} hours, {LONG_CALL_SPEED} times as fast")
    folder = bench.new_folder(f"long-call-{name}")
    process = server.start(folder, ("wav",), 1)
    load = None
    problems, points = [], []
    try:
        load = Load(bench.programs, process.port, 1, hours * 3600, speed=LONG_CALL_SPEED, ramp=0)
        begin = load.wait("begun", 60)["at"] / 1e9
        due, length = 60.0, hours * 3600
        while due <= length * 0.999:
            # What was sent by now, by the schedule that the load generator keeps.
            played = (time.monotonic() - begin) * LONG_CALL_SPEED
            if played >= due:
                points.append((played, process.resident()))
                due = max(due * 1.15, played)
            time.sleep(0.005)
        done = load.wait("done", 600)
        wait_for_files(server, 1, ("wav",), load.frames)
        problems = load_problems(done, 1, load.frames) + check(server, bench.audio, 1, ("wav",), load.frames)
        if done["lateness"]["p99"] > 1000:
            say(f"growth: {name} did not keep up with {LONG_CALL_SPEED} times real time: "
                f"frames were {done['lateness']['p99'] / 1000:.1f} s late, so that memory is shown for too much audio")
    except RuntimeError as error:
        problems = [str(error)]
    finally:
        if load:
            load.stop()
        process.stop()
    bench.clear(folder)
    for played, kilobytes in points:
        results.add_point("long-call", name, played / 60, kilobytes / 1024)
    problems = [f"long call, {name}: {problem}" for problem in problems]
    measured = {"problems": problems, "start": process.start_seconds}
    results.add("long-call", f"one call of {hours:g} h", name, (), measured)
