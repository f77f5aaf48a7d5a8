"""Counts the system calls of a running program, with perf where that may be used and with strace elsewhere.

Both slow the program down, strace many times over: what else is measured meanwhile is worth nothing.
"""

import re
import shutil
import signal
import subprocess


# The last line of `strace -c`: share, seconds, microseconds a call, calls, and errors where there were any.
TOTAL = r"^100\.00\s+\S+\s+\d+\s+(\d+)\s+(?:\d+\s+)?total"


class SyscallCount:
    """Counts from now on, in all threads of a process."""

    def __init__(self, pid, folder):
        self.report = folder / "syscalls.txt"
        tools = (["perf", "stat", "-e", "raw_syscalls:sys_enter", "-x", ",", "-o", self.report, "-p", pid],
                 ["strace", "-c", "-f", "-o", self.report, "-p", pid])
        self.tool = next((tool for tool in tools if self.can(tool)), None)
        self.process = None
        if self.tool:
            self.process = subprocess.Popen(
                [str(part) for part in self.tool], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @staticmethod
    def can(tool):
        """Whether a program is installed and may do this here."""
        if not shutil.which(tool[0]):
            return False
        if tool[0] == "strace":
            return True
        probe = subprocess.run(["perf", "stat", "-e", "raw_syscalls:sys_enter", "true"], capture_output=True)
        return probe.returncode == 0

    def stop(self):
        """The number of calls, or None where it could not be counted."""
        if not self.process:
            return None
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        text = self.report.read_text() if self.report.exists() else ""
        found = re.search(r"^(\d+),", text, re.M) if self.tool[0] == "perf" else re.search(TOTAL, text, re.M)
        return int(found.group(1)) if found else None
