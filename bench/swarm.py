"""A study on the lab's swarm (docs/lab.md): how soon its first job runs, and what three workers give beside one."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from measure import Line, beside_neighbours, completion_rate, progress

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lab import Host, Lab, missing
from lab.commands import until
from lab.studies import JOBS, Project, jobs_that_wait, standing

PAUSE = 0.2
"""Seconds a job waits: the lab's nodes share this machine's processors, so jobs that compute would not show."""
JOBS_OF_ONE_WORKER = 200
SOON = 15.0
"""Seconds from `apply` to the first job, on a swarm whose nodes have everything cached."""


def lacking() -> str:
    """Why this machine cannot have a lab, in a sentence; empty when it can."""
    reasons = missing()
    return f"swarm: not measured: {'; '.join(reasons)}" if reasons and not _chosen() else ""


def on_a_swarm(rounds: int) -> list[Line]:
    """First jobs, with the stack to be deployed and with the stack standing; then rates, with one worker and with three."""
    with _a_lab() as lab:
        return [*first_jobs(lab, rounds), *more_workers(lab, rounds)]


# ── how soon ─────────────────────────────────────────────────────────────────────────────────
def first_jobs(lab: Lab, rounds: int) -> list[Line]:
    """Seconds until the first job runs. Another study, with the same environment, stands all the while: what its
    nodes have in their caches stays there.
    """
    deployed, again = [], []
    with _project(lab, "before") as before:
        _first_job(before, 10)
        for number in range(1, rounds + 1):
            with _project(lab, f"first-{number}") as project:
                deployed.append(_first_job(project, 10))
                again.append(_first_job(project, 20))
            said = f"{deployed[-1]:.1f} s deployed, {again[-1]:.1f} s standing"
            progress(f"swarm: round {number} of {rounds}: {said}")
    target = f"< {SOON:g} s"
    return [
        Line("first job, the stack is deployed", "s", tuple(deployed), target=target),
        Line("first job, the stack stands", "s", tuple(again), target=target),
    ]


def _first_job(project: Project, count: int) -> float:
    """From the start of `apply`, with jobs among `count` that are not computed yet, to the start of the first of them."""
    project.write(jobs_that_wait(project.name, count, 0), {"jobs.py": JOBS})
    began = time.time()
    project.run("apply")
    return min(start for start in map(_started, project.table()) if start > began) - began


# ── how many ─────────────────────────────────────────────────────────────────────────────────
def more_workers(lab: Lab, rounds: int) -> list[Line]:
    """Rounds of one worker, three, one, …, one; each of three over the mean of its neighbours."""
    first, *others = lab.workers[:3]
    with _project(lab, "workers") as project, _alone(lab, others) as let:
        number = 0

        def rate(workers: int) -> float:
            nonlocal number
            number += 1
            let("active" if workers > 1 else "drain")
            until(lambda: len(_worker_tasks(project)) in (0, workers), f"{workers} workers run", 120)
            return _rate(project, JOBS_OF_ONE_WORKER * workers, workers, number)

        one, three = [rate(1)], []
        for turn in range(1, rounds + 1):
            three.append(rate(3))
            one.append(rate(1))
            progress(f"swarm: round {turn} of {rounds}: {three[-1]:.1f}/s beside {one[-1]:.1f}/s")
    return [
        Line(f"jobs that wait {PAUSE:g} s, one worker ({first.name})", "jobs/s", tuple(one)),
        Line(
            f"jobs that wait {PAUSE:g} s, three workers",
            "jobs/s",
            tuple(three),
            "one worker",
            beside_neighbours(three, one),
            ">= 2.7",
        ),
    ]


def _rate(project: Project, count: int, workers: int, number: int) -> float:
    """Of one run with jobs of its own: they wait a little longer in each round, by too little to matter."""
    project.write(jobs_that_wait(project.name, count, PAUSE + number * 1e-6), {"jobs.py": JOBS})
    project.run("apply")
    table = project.table()
    nodes = {row["worker"].split("/")[0] for row in table}
    if len(nodes) != workers:
        raise SystemExit(f"{workers} workers should have computed, and {', '.join(sorted(nodes))} did")
    return completion_rate(_started(row) + float(row["seconds"]) for row in table)


def _worker_tasks(project: Project) -> list[str]:
    """The workers whose containers run; none before the stack stands."""
    listed = project.lab.manager.docker(
        *("service", "ls", "--filter", f"name={project.stack}_worker", "--format", "{{.Replicas}}")
    )
    return ["worker"] * int(listed.split("/")[0]) if listed.strip() else []


@contextlib.contextmanager
def _alone(lab: Lab, others: list[Host]) -> Iterator[Callable[[str], None]]:
    """Says to the other nodes that they may work (`active`) or not (`drain`); in the end they may."""

    def let(availability: str) -> None:
        for host in others:
            lab.manager.docker("node", "update", "--availability", availability, host.name)

    try:
        yield let
    finally:
        let("active")


# ── the ground ───────────────────────────────────────────────────────────────────────────────
def _chosen() -> str:
    return os.environ.get("CLOUDBURST_LAB_ATTACH", "")


@contextlib.contextmanager
def _a_lab() -> Iterator[Lab]:
    """The lab that CLOUDBURST_LAB_ATTACH names, or one of its own."""
    if chosen := _chosen():
        yield Lab.attach(Path(chosen).resolve())
        return
    lab = Lab.start(tell=progress)
    try:
        yield lab
    finally:
        lab.stop()


@contextlib.contextmanager
def _project(lab: Lab, name: str) -> Iterator[Project]:
    with (
        tempfile.TemporaryDirectory(prefix="cloudburst-bench-") as place,
        standing(Project(lab, Path(place), f"bench-{name}")) as project,
    ):
        yield project


def _started(row: dict[str, str]) -> float:
    return datetime.fromisoformat(row["started"]).timestamp()
