"""Nodes that join later, nodes that leave for good, and a command that is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab import Host, Lab
from lab.commands import until

from .course import Course
from .ordeal import Runs, Tell, endure
from .pair import Pair

pytestmark = [pytest.mark.timeout(600), pytest.mark.faults]


@pytest.fixture(scope="module")
def fourth(lab: Lab) -> Iterator[list[Host]]:
    """For the worker node that joins; whatever happens it is gone afterwards."""
    joined: list[Host] = []
    yield joined
    for host in joined:
        if host.name in {one.name for one in lab.hosts}:
            lab.remove_worker(host)


def test_a_node_that_joins_takes_jobs(pair: Pair, fragile: Lab, fourth: list[Host], tell: Tell) -> None:
    moments: list[float] = []

    def join(pair: Pair, _: Runs) -> float:
        moments.append(time.time())
        fourth.append(pair.lab.add_worker())
        return moments[0]

    short, long = endure(pair, "joins", join, 3000)
    (host,) = fourth
    taken = [one.at for one in pair.short.begun("joins") if one.host == host.name]
    tell(
        "a fourth worker node joins (busy: with its first job)",
        replace(short, busy=taken[0] - moments[0]),
        long,
    )


def test_a_node_that_leaves_for_good_takes_nothing_with_it(
    pair: Pair, fragile: Lab, fourth: list[Host], tell: Tell
) -> None:
    if not fourth:
        fourth.append(pair.lab.add_worker())
    (host,) = fourth

    def leave(pair: Pair, runs: Runs) -> float:
        moment = time.time()
        host.power_off()
        for study in pair.both:
            study.keep_notes(host)
        assert host.name in {one.host for one in pair.short.begun(runs[0].case)}, "it was at work"
        pair.lab.remove_worker(host)
        return moment

    tell(
        "a worker node loses power and is removed (`docker node rm --force`)",
        *endure(pair, "leaves", leave, 2000),
    )


def test_apply_is_killed_and_the_study_goes_on(pair: Pair, fragile: Lab, tell: Tell, tmp_path: Path) -> None:
    """Another directory, with the file and the code alone, joins and brings everything home."""
    before = [study.project for study in pair.both]

    def kill(pair: Pair, runs: Runs) -> float:
        moment = time.time()
        for run in runs:
            run.course.kill()
        done = len(pair.short.recorded(runs[0].case))
        until(lambda: len(pair.short.recorded(runs[0].case)) > done + 50, "the study goes on by itself", 30)
        for run in runs:
            run.study.project = run.study.project.elsewhere(tmp_path / run.study.kind.name)
            run.course = Course(run.study.project.start("apply", "--json"))
        return moment

    try:
        short, long = endure(pair, "apply-killed", kill)
    finally:
        for study, project in zip(pair.both, before, strict=True):
            study.project.end()
            study.project = project
    assert short.again == long.again == 0
    tell("`apply` is killed, and applied again from another directory", short, long)
