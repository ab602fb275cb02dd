"""What this machine has, and its processes: CPUs, memory, the tree below a process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
_CGROUP = Path("/sys/fs/cgroup")


def cpus() -> float:
    """CPUs this process may use: its affinity, cut by the limit of its control group."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(float(usable), _cgroup_cpus() or float(usable))


def _cgroup_cpus() -> float | None:
    with contextlib.suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError):
        old = _CGROUP / "cpu"
        quota_us = int((old / "cpu.cfs_quota_us").read_text())
        return quota_us / int((old / "cpu.cfs_period_us").read_text()) if quota_us > 0 else None
    return None


def memory() -> int:
    """Bytes of memory this process may use."""
    total = PAGE * os.sysconf("SC_PHYS_PAGES")
    for file in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            total = min(total, int((_CGROUP / file).read_text()))
    return total


def free_memory() -> int:
    """Bytes that can be had without swapping and within the limit of the control group, as far as the system tells."""
    return max(0, min(_available(), _left_in_cgroup()))


def _available() -> int:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    return memory() // 2


def _left_in_cgroup() -> int:
    """The limit less what is in use; pages of files that nobody reads now do not count, they give way."""
    for usage, statistics, idle in (
        ("memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError, KeyError):
            used = int((_CGROUP / usage).read_text())
            lines = (_CGROUP / statistics).read_text().splitlines()
            gives_way = int(dict(line.split(maxsplit=1) for line in lines)[idle])
            return memory() - max(0, used - gives_way)
    return memory()


def slots(job_cpus: float, job_memory: int | None) -> int:
    """Jobs at a time: min(CPUs // cpus, RAM // memory), at least one."""
    by_cpu = int(cpus() / job_cpus + 1e-9)
    by_memory = memory() // job_memory if job_memory else by_cpu
    return max(1, min(by_cpu, by_memory))


# ── processes ────────────────────────────────────────────────────────────────────────────────
def family() -> Mapping[int, list[int]]:
    """For every process its children, at this moment."""
    found: dict[int, list[int]] = defaultdict(list)
    for pid, parent in _parents():
        found[parent].append(pid)
    return found


def _parents() -> list[tuple[int, int]]:
    if not os.path.isdir("/proc/self"):
        listing = subprocess.run(
            ["ps", "-ax", "-o", "pid=,ppid="], capture_output=True, check=False, text=True
        )
        return [(int(pid), int(parent)) for pid, parent in map(str.split, listing.stdout.splitlines())]
    pairs = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                state, parent = Path("/proc", entry, "stat").read_bytes().rpartition(b")")[2].split()[:2]
                if state != b"Z":  # dead already, only not waited for
                    pairs.append((int(entry), int(parent)))
    return pairs


def tree(root: int, children: Mapping[int, list[int]]) -> list[int]:
    """`root` and everything below it."""
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def resident(root: int) -> int:
    """Bytes of memory the tree below `root` holds.

    Pages that processes share count once for each of them; only a tree that looks too large is worth
    the exact look, `resident_exactly`.
    """
    pids = tree(root, family())
    if os.path.isdir("/proc/self"):
        return sum(_resident_pages(pid) for pid in pids) * PAGE
    listing = subprocess.run(
        ["ps", "-o", "rss=", "-p", ",".join(map(str, pids))], capture_output=True, check=False, text=True
    )
    return 1024 * sum(int(line) for line in listing.stdout.split())


def resident_exactly(root: int) -> int:
    """Bytes the tree below `root` holds, a page shared by n processes counted as 1/n for each."""
    pids = tree(root, family())
    if len(pids) == 1:
        return resident(root)
    sizes = [_proportional(pid) for pid in pids]
    return (
        sum(size for size in sizes if size is not None)
        if all(s is not None for s in sizes)
        else resident(root)
    )


def _resident_pages(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    return 0


def _proportional(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return None


def end_tree(root: int) -> None:
    """Kills the process group `root` leads and everything below it, also what left the group.

    The leader goes last: it adopts the orphans of those that go first, so that they are found.
    """
    for _ in range(10):
        below = tree(root, family())[1:]
        if not below:
            break
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(root, signal.SIGKILL)
