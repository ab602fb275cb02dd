"""A full disk under the file store, and under the queue: everything waits, nothing fails, and it goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab import Lab
from lab.commands import succeeds

from .course import Status
from .ordeal import PATIENCE, Runs, Strike, Tell, endure
from .pair import Pair, standing_pair

pytestmark = [pytest.mark.timeout(900), pytest.mark.faults]

DISKS = {"queue": 24, "files": 48}
"""The services whose disks are small, and MB."""
LONGER = 5.0
"""Seconds a disk is full after the long jobs have ended: they cannot be recorded before."""


@pytest.fixture(scope="module")
def narrow(lab: Lab, tmp_path_factory: pytest.TempPathFactory, long_seconds: float) -> Iterator[Pair]:
    """Two studies whose queue and file store have a small disk each. The disks go with the test."""
    disks: list[str] = []
    try:
        with standing_pair(lab, tmp_path_factory.mktemp("disks"), long_seconds) as made:
            for study in made.both:
                for service, megabytes in DISKS.items():
                    disks.append(f"{study.project.stack}_{service}")
                    lab.manager.small_volume(disks[-1], megabytes)
            for course in [study.begin("first", 12, seconds=0.1) for study in made.both]:
                course.finish(PATIENCE)
            yield made
    finally:
        for disk in disks:
            succeeds(*lab.manager.command("umount", place(disk)))
            succeeds(*lab.manager.command("docker", "volume", "rm", disk))


def place(volume: str) -> str:
    """Where a volume's disk is mounted, on its host."""
    return f"/var/lib/docker/volumes/{volume}/_data"


def fill(service: str) -> Strike:
    def strike(pair: Pair, runs: Runs) -> float:
        disks = [place(f"{study.project.stack}_{service}") for study in pair.both]
        for disk in disks:
            pair.lab.manager.fill(disk)
        time.sleep(pair.long.kind.seconds + LONGER)
        for run in runs:
            assert not run.course.status["failed"]
        if service == "queue":
            for run in runs:
                run.course.until(_says_so, "the full disk is told", 30)
        for disk in disks:
            pair.lab.manager.unfill(disk)
        return time.time()

    return strike


def _says_so(status: Status) -> bool:
    return any("cannot write to its disk" in problem for problem in status["problems"])


@pytest.mark.parametrize(
    ("service", "what"),
    [
        ("files", "the file store's disk is full, until after the long jobs have ended"),
        ("queue", "the queue's disk is full, until after the long jobs have ended"),
    ],
)
def test_a_full_disk_delays_and_loses_nothing(
    narrow: Pair, fragile: Lab, tell: Tell, service: str, what: str
) -> None:
    short, long = endure(narrow, f"{service}-full", fill(service))
    assert short.again == long.again == 0
    tell(what, short, long)
