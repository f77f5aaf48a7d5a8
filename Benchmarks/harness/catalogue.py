"""The scenarios by their names, at full length and in short."""

import dataclasses
import resource

from .building import say
from .scenarios import Scenario

EVERYBODY = ("floor", "floor-epoll", "callreel", "go", "node", "python")


def call_scenarios(short):
    """Scenarios that place calls, in the order in which they run."""
    if short:
        return [
            Scenario("wav", "paced, WAV", 1000, 4, ("wav",), ("floor", "callreel", "go", "node", "python")),
            Scenario("three", "paced, WAV + FLAC + raw", 500, 4, ("wav", "flac", "raw"), ("floor", "callreel")),
            Scenario("flood", "flood, raw", 16, 120, ("raw",), ("floor-epoll", "callreel", "go", "node", "python"),
                     flood=True),
            Scenario("many", "paced, WAV", 5000, 20, ("wav",), ("callreel",)),
            Scenario("syscalls", "system calls, WAV", 50, 3, ("wav",), ("callreel",), counts_syscalls=True),
        ]
    return [
        Scenario("wav", "paced, WAV", 1000, 30, ("wav",), EVERYBODY),
        Scenario("three", "paced, WAV + FLAC + raw", 500, 30, ("wav", "flac", "raw"),
                 ("floor", "floor-epoll", "callreel")),
        Scenario("flood", "flood, raw", 16, 1800, ("raw",), ("floor-epoll", "callreel", "go", "node", "python"),
                 flood=True),
        Scenario("many", "paced, WAV", 5000, 30, ("wav",), ("floor", "callreel", "go")),
        Scenario("syscalls", "system calls, WAV", 50, 8, ("wav",), EVERYBODY, counts_syscalls=True),
    ]


def adjusted(scenario, options):
    """A scenario as the command line wants it."""
    changes = {}
    if options.calls:
        changes["calls"] = options.calls
    if options.duration:
        changes["seconds"] = options.duration
    if options.servers:
        # A scenario that was asked for by its name is run with whom was asked for, and others with those of theirs.
        changes["servers"] = tuple(name for name in options.servers if options.scenario or name in scenario.servers)
    return fitting(dataclasses.replace(scenario, **changes))


def fitting(scenario):
    """A scenario with no more calls than descriptors allow.

    Callreel holds three for a call with a WAV: the socket, the locked directory and the file; and three for every
    further sink at the most. Where the system gives less than 5000 calls need, fewer are placed, and the table says how
    many.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = (limit - 100) // (3 + 3 * (len(scenario.sinks) - 1))
    if scenario.calls <= most:
        return scenario
    say(f"{scenario.name}: {limit} open files are allowed here, enough for {most} calls and not for {scenario.calls}")
    return dataclasses.replace(scenario, calls=most)
