"""The scenarios by their names, at full length and in short."""

import dataclasses

from .scenarios import Scenario

EVERYBODY = ("floor", "floor-epoll", "callreel", "go", "node", "python")


def call_scenarios(short):
    """Scenarios that place calls, in the order in which they run."""
    if short:
        return [
            Scenario("wav", "paced, WAV", 1000, 5, ("wav",), ("floor", "callreel", "go", "node", "python")),
            Scenario("three", "paced, WAV + FLAC + raw", 500, 5, ("wav", "flac", "raw"), ("floor", "callreel")),
            Scenario("flood", "flood, raw", 16, 120, ("raw",), ("floor-epoll", "callreel", "go", "node", "python"), flood=True),
            Scenario("many", "paced, WAV, many", 5000, 6, ("wav",), ("callreel",)),
            Scenario("syscalls", "system calls, WAV", 100, 3, ("wav",), ("callreel",), counts_syscalls=True),
        ]
    return [
        Scenario("wav", "paced, WAV", 1000, 30, ("wav",), EVERYBODY),
        Scenario("three", "paced, WAV + FLAC + raw", 500, 30, ("wav", "flac", "raw"), ("floor", "floor-epoll", "callreel")),
        Scenario("flood", "flood, raw", 16, 1800, ("raw",), ("floor-epoll", "callreel", "go", "node", "python"), flood=True),
        Scenario("many", "paced, WAV, many", 5000, 30, ("wav",), ("floor", "callreel", "go")),
        Scenario("syscalls", "system calls, WAV", 200, 8, ("wav",), EVERYBODY, counts_syscalls=True),
    ]


def adjusted(scenario, options):
    """A scenario as the command line wants it."""
    changes = {}
    if options.calls:
        changes["calls"] = options.calls
    if options.duration:
        changes["seconds"] = options.duration
    if options.servers:
        changes["servers"] = tuple(options.servers)
    return dataclasses.replace(scenario, **changes)
