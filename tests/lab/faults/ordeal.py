"""One case of the matrix from its beginning to its evidence: both studies at work, a fault, and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..host import Host
from .course import Course, Status
from .evidence import Case, Evidence, examine
from .pair import Pair, Study

PATIENCE = 300.0
"""Seconds an `apply` may take."""
LONG_JOBS = 6
"""Fewer than there are slots, so that what is lost need not wait for one."""
SHORT_JOBS = 1500
"""More than can be done before every slot is back."""

Tell = Callable[[str, Evidence, Evidence], None]
"""What was survived: what happened, and what came of it for short jobs and for long ones. For docs/faults.md."""
Strike = Callable[[Pair, "Runs"], float]
"""Breaks something, and mends what does not mend itself; the moment from which recovery is counted."""


@dataclass
class Run:
    """An `apply` of one of the two studies."""

    study: Study
    case: str
    jobs: int
    course: Course

    def until_under_way(self) -> None:
        """Until every node is at work: many of the short jobs are done, all of the few long ones run."""
        nodes, kind = len(self.study.project.lab.workers), self.study.kind

        def under_way(status: Status) -> bool:
            ready = sum(node["state"] == "ready" for node in status["nodes"])
            at_work = status["running"] == self.jobs or status["done"] >= 10 * kind.slots * nodes
            return bool(ready == nodes and at_work)

        self.course.until(under_way, f"{kind.name} jobs run on {nodes} nodes", PATIENCE)

    def so_far(self) -> Case:
        """What is recorded now."""
        recorded, now = frozenset(self.study.recorded(self.case)), time.time()
        return Case(self.case, self.jobs, recorded, then=now, moment=now)


Runs = tuple[Run, Run]
"""Of the short jobs and of the long ones."""


def begin(pair: Pair, case: str, short_jobs: int = SHORT_JOBS) -> Runs:
    """Both studies at work on new rows."""
    short = Run(pair.short, case, short_jobs, pair.short.begin(case, short_jobs))
    long = Run(pair.long, case, LONG_JOBS, pair.long.begin(case, LONG_JOBS))
    for run in (short, long):
        run.until_under_way()
    return short, long


def endure(pair: Pair, name: str, strike: Strike, short_jobs: int = SHORT_JOBS) -> tuple[Evidence, Evidence]:
    """What came of it for the short jobs and for the long ones. Fails when anything was lost, or is there twice."""
    runs = begin(pair, name, short_jobs)
    cases = [run.so_far() for run in runs]
    moment = strike(pair, runs)
    for run in runs:
        run.course.finish(PATIENCE)
    short, long = (
        examine(run.study, replace(case, moment=moment)) for run, case in zip(runs, cases, strict=True)
    )
    return short, long


def victims(pair: Pair, run: Run) -> tuple[Host, ...]:
    """The worker nodes, those first on which most jobs of this run began: a fault there is felt."""
    count = Counter(one.host for one in run.study.begun(run.case))
    return tuple(sorted(pair.lab.workers, key=lambda host: -count[host.name]))
