"""What is measured: calls of a number, a length and a pace, recorded by one server, watched and then checked."""

import dataclasses
import time

from .checks import check, wait_for_files, wav_data
from .faults import plant
from .load import Load, load_problems
from .sampling import Sampler
from .syscalls import SyscallCount

# Seconds after the last call has begun before anything is measured: first writes and first buffers are over then.
SETTLING = 1.0


@dataclasses.dataclass
class Scenario:
    """Calls that are placed, and the servers that take them."""

    name: str
    title: str
    calls: int
    seconds: float
    sinks: tuple
    servers: tuple
    flood: bool = False
    speed: float = 1.0
    counts_syscalls: bool = False

    @property
    def label(self):
        """The title for tables, with what the command line and the system's limits have made of the number of calls."""
        return f"{self.title}, {self.calls} calls"

    @property
    def ramp(self):
        """Seconds over which the calls begin: 1000 a second, but no more than a quarter of a call's length."""
        return 0.0 if self.flood else max(min(self.calls / 1000, self.seconds / 4), 0.2)


def header_bytes(kind, path):
    """Bytes before the first sample of a file; None when it is not what it should be, which the check will say."""
    if kind == "raw":
        return 0
    try:
        with open(path, "rb") as file:
            return wav_data(file)[0]
    except (OSError, ValueError):
        return None


def run_calls(bench, server, scenario):
    """Runs a scenario against one server, and returns everything that was measured and every problem that was found."""
    folder = bench.new_folder(f"{scenario.name}-{server.name}")
    process = load = sampler = counter = None
    try:
        process = server.start(folder, scenario.sinks, scenario.calls)
        time.sleep(0.5)
        idle_memory, idle_cpu = process.memory(), process.cpu_seconds()
        load = Load(bench.programs, process.port, scenario.calls, scenario.seconds, flood=scenario.flood,
                    speed=scenario.speed, ramp=scenario.ramp, drop=bench.fault == "drop")
        begun = load.wait("begun", 120)
        if not scenario.flood:
            time.sleep(min(SETTLING, scenario.seconds / 5))
        growing = [] if scenario.flood else server.growing("raw" if "raw" in scenario.sinks else "wav")
        sampler = Sampler(process, growing)
        if scenario.counts_syscalls:
            counter = SyscallCount(process.pid, folder)
        first = (time.monotonic(), process.cpu_seconds(), load.cpu_seconds())
        load.wait("ending", 600 + scenario.seconds * 2)
        last = (time.monotonic(), process.cpu_seconds(), load.cpu_seconds())
        syscalls = counter.stop() if counter else None
        memory = process.memory()
        sampler.stop()
        done = load.wait("done", 600)
        frames = load.frames
        publishing = wait_for_files(server, scenario.calls, scenario.sinks, frames)
        total_cpu = process.cpu_seconds() - idle_cpu
        facts = server.facts(process)
        behind = sampler.behind(server.recorded(), done["begins"], header_bytes)
        if bench.fault:
            plant(bench.fault, server, scenario.sinks)
        problems = load_problems(done, scenario.calls, frames)
        problems += check(server, bench.audio, scenario.calls, scenario.sinks, frames)
        problems = [f"{scenario.name}, {server.name}: {problem}" for problem in problems]
    except RuntimeError as error:
        words = process.last_words() if process else ""
        said = f"; the server said: {words}" if words else ""
        return {"problems": [f"{scenario.name}, {server.name}: {error}{said}"]}
    finally:
        if sampler:
            sampler.stop()
        if load:
            load.stop()
        if process:
            process.stop()
        bench.clear(folder)

    call_hours = scenario.calls * scenario.seconds / 3600
    window = last[0] - first[0]
    result = {
        "problems": problems,
        "start": process.start_seconds,
        "cpuWhole": total_cpu / call_hours,
        "generatorCores": (last[2] - first[2]) / window if window > 0 else None,
        "publishing": publishing,
        **facts,
    }
    if scenario.flood:
        flooding = (done["at"] - begun["at"]) / 1e9
        result |= {
            "framesPerSecond": done["frames"] / flooding,
            "seconds": flooding,
            "cpu": total_cpu / call_hours,
            "kilobytesPerCall": max(0, sampler.peak() - idle_memory["rss"]) / scenario.calls,
            "generatorCores": done["cpu"] / done["seconds"],
        }
        return result
    running = (last[1] - first[1]) / (scenario.calls * window / 3600)
    result |= {
        "cpu": running,
        # What is left of the whole is what beginnings and endings cost, and publishing.
        "millisecondsPerCall": max(0.0, total_cpu - running * call_hours) / scenario.calls * 1000,
        "kilobytesPerCall": (memory["pss"] - idle_memory["pss"]) / scenario.calls,
        "rssPerCall": (memory["rss"] - idle_memory["rss"]) / scenario.calls,
        "megabytes": memory["rss"] / 1024,
        "growth": (sampler.growth() or 0) * 60 / scenario.calls,
        "behind": behind,
        "pings": done["pings"],
        "lateness": done["lateness"],
        "window": window,
    }
    if counter:
        result["syscalls"] = syscalls and syscalls / (scenario.calls * window)
        result["syscallsCountedBy"] = counter.tool and counter.tool[0]
    return result
