"""A program that is measured: started, watched from outside through the kernel's numbers, and ended."""

import os
import resource
import signal
import socket
import subprocess
import time


def free_port():
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_descriptor_limit(wanted):
    """Lets programs that are started from now on open so many files, as far as the system allows.

    Says how many that is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), max(hard, wanted)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class ServerProcess:
    """One running program, with its children."""

    def __init__(self, command, log, environment=None):
        self.log = log
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL, stdout=open(log, "ab"), stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})}, start_new_session=True)
        self.pid = self.process.pid

    def wait_until(self, is_ready, limit=60.0):
        """Asks again and again, and returns the seconds from the start to the first yes."""
        while True:
            if is_ready():
                return time.monotonic() - self.started
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.last_words()}")
            if time.monotonic() - self.started > limit:
                raise RuntimeError(f"the server was not ready within {limit:.0f} s: {self.last_words()}")
            time.sleep(0.001)

    def tree(self):
        """The process and all its descendants."""
        found = [self.pid]
        for pid in found:
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children") as file:
                        found += [int(child) for child in file.read().split()]
            except OSError:
                continue
        return found

    def cpu_seconds(self):
        """CPU time of the tree, user and system, to the nanosecond.

        It is the kernel's CPU clock of each process (clock_getcpuclockid(3)): the same time as utime and stime in
        /proc/PID/stat, which are rounded to hundredths of a second, too coarse for ten calls.
        """
        total = 0.0
        for pid in self.tree():
            try:
                total += time.clock_gettime((~pid << 3) | 2)
            except OSError:
                continue
        return total

    def memory(self):
        """Kilobytes of the tree in memory: all that it maps (rss), and its share of what others map as well (pss)."""
        sums = {"rss": 0, "pss": 0}
        for pid in self.tree():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    for line in file:
                        key = line.split(":")[0].lower()
                        if key in sums:
                            sums[key] += int(line.split()[1])
            except OSError:
                continue
        return sums

    def resident(self):
        """Kilobytes in memory, by the kernel's counter: cheap, for samples during a measurement."""
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)

    def last_words(self):
        """The end of what the program printed."""
        try:
            with open(self.log, errors="replace") as file:
                return file.read()[-600:].strip()
        except OSError:
            return ""

    def stop(self, limit=60.0):
        """Asks the program to end, and makes it when it does not; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.process.wait()
        return self.process.returncode


def answers(port, request=None):
    """Whether a server takes connections; and, for a request, whether its answer has status 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if request is None:
                return True
            connection.sendall(f"GET {request} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
