"""What the kernel knows of a process: memory, threads, CPU time, wake-ups."""
import os
import time
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Snapshot:
    """CPU time (utime + stime), the kernel's part of it, and voluntary context switches of each thread, so far."""

    def __init__(self, pid):
        self.at = time.monotonic()
        # The name of the process may hold spaces, and ends with the last parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        self.kernel_s = int(fields[12]) / TICKS_PER_S
        self.cpu_s = int(fields[11]) / TICKS_PER_S + self.kernel_s
        threads = Path(f"/proc/{pid}/task").glob("*/status")
        self.wake_ups = {thread.parent.name: _numbers(thread)["voluntary_ctxt_switches"] for thread in threads}


def between(first, last):
    """CPU and the kernel's part of it in percent of one core, and wake-ups per second. A thread that ended in between is
    not counted."""
    seconds = last.at - first.at
    wake_ups = sum(count - first.wake_ups.get(thread, 0) for thread, count in last.wake_ups.items())
    return {
        "cpu_percent": 100 * (last.cpu_s - first.cpu_s) / seconds,
        "kernel_percent": 100 * (last.kernel_s - first.kernel_s) / seconds,
        "wake_ups_per_s": wake_ups / seconds,
    }


def memory(pid):
    """Resident memory, how much of it nobody else maps, and with shared pages divided (smaps_rollup); threads."""
    pages = _numbers(Path(f"/proc/{pid}/smaps_rollup"))
    return {
        "rss_kb": pages["Rss"],
        "private_kb": pages["Private_Clean"] + pages["Private_Dirty"],
        "anonymous_kb": pages["Anonymous"],
        "pss_kb": pages["Pss"],
        "threads": len(list(Path(f"/proc/{pid}/task").iterdir())),
    }


def _numbers(path):
    lines = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    words = {name.strip(): value.split() for name, value in lines}
    return {name: int(value[0]) for name, value in words.items() if value and value[0].isdigit()}
