"""How many jobs run at a time on the cluster a file names, as far as that is known without asking it.

The worker counts for itself (cloudburst_worker/machine.py); this is the same rule, for a plan.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..spec.ensemble import Ensemble

_CGROUP = Path("/sys/fs/cgroup")


def slots_of(ensemble: Ensemble) -> int | None:
    """None where machines would have to be asked: those of a swarm, and rented ones."""
    cluster, needs = ensemble.cluster, ensemble.worker.needs
    match cluster.provider:
        case "local":
            return slots_here(needs.cpus, needs.memory) if cluster.slots == "auto" else cluster.slots
        case "ssh":
            hosts = cluster.options["hosts"]
            if cluster.slots == "auto" or not isinstance(hosts, list):
                return None
            return cluster.slots * max(1, len(hosts) - 1)
        case _:
            return None


def slots_here(job_cpus: float, job_memory: int | None) -> int:
    """Jobs at a time on this machine: min(CPUs // cpus, RAM // memory), at least one."""
    by_cpu = int(_cpus() / job_cpus + 1e-9)
    return max(1, min(by_cpu, _memory() // job_memory) if job_memory else by_cpu)


def _cpus() -> float:
    """CPUs this process may use: its affinity, cut by the limit of its control group."""
    usable = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return usable if quota == "max" else min(usable, int(quota) / int(period))
    return usable


def _memory() -> int:
    """Bytes of memory this process may use."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        return min(total, int((_CGROUP / "memory.max").read_text()))
    return total
