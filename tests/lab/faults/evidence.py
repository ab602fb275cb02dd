"""What came of a case: what has to hold whatever happened, and how long it took."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .pair import POINTS, Begun, Study

STANDSTILL = 2.0
"""Seconds between two jobs on a slot that are more than its own work."""
LONGEST_WAIT = 90.0
"""Seconds within which what was lost runs again."""

Slots = dict[str, list[tuple[float, float]]]
"""Start and end of every job that is done, by the slot it ran on (`worker-1/0`)."""


@dataclass(frozen=True)
class Case:
    """The `jobs` of a study under the name of a fault, what was `recorded` already `then`, before it, and the
    `moment` from which recovery is counted. Seconds since the epoch."""

    name: str
    jobs: int
    recorded: frozenset[int]
    then: float
    moment: float


@dataclass(frozen=True)
class Evidence:
    """Of one study after a fault. `again` counts the jobs that had to begin anew. Seconds after the fault:
    `busy` when the last of the slots that had stood still began a job, `rerun` when the last of the jobs that
    were cut short began anew; None where there was no such slot or job."""

    again: int
    busy: float | None
    rerun: float | None


def examine(study: Study, case: Case) -> Evidence:
    """Asserts that every row is in table, InfluxDB and files exactly once, that nothing that was recorded ran
    again, and that nothing waited for too long."""
    _table_is_whole(study, case)
    _files_are_whole(study, case)
    _points_are_whole(study, case)
    begun = study.begun(case.name)
    later = {one.n for one in begun if one.at > case.then}
    assert not later & case.recorded, f"recorded, and ran again: {sorted(later & case.recorded)}"
    late = {n: wait for n, wait in waits(begun, case.moment).items() if wait >= LONGEST_WAIT}
    assert not late, f"waited for too long: {late}"
    last = {one.n: one.at for one in begun}
    anew = [last[n] - case.moment for n, times in Counter(one.n for one in begun).items() if times > 1]
    slots = _jobs_by_slot(study, case)
    if study.kind.is_many:
        _every_slot_is_back(study, slots, case.moment)
    return Evidence(len(anew), busy_again(slots, case.moment), max(anew, default=None))


def _table_is_whole(study: Study, case: Case) -> None:
    table = study.project.table()
    assert [int(line["n"]) for line in table] == list(range(1, case.jobs + 1)), "every row once, in order"
    assert {line["status"] for line in table} == {"done"}
    assert all(line["mark"] == f"{case.name} {line['n']}" for line in table)


def _files_are_whole(study: Study, case: Case) -> None:
    directory = study.project.place / "results" / "files"
    with open(directory / "index.csv", newline="") as file:
        index = list(csv.DictReader(file))
    expected = _returning(study, case)
    assert [int(line["row"]) + 1 for line in index] == expected
    texts = [(directory / line["file"]).read_text() for line in index]
    assert texts == [f"{case.name} {n}" for n in expected]
    assert len([one for one in directory.iterdir() if one.is_dir()]) == len(expected)


def _points_are_whole(study: Study, case: Case) -> None:
    study.until_fed()
    assert study.points("outputs", "square", case.name) == case.jobs
    assert study.points("wave", "value", case.name) == POINTS * len(_returning(study, case))


def _returning(study: Study, case: Case) -> list[int]:
    return list(range(study.kind.returns, case.jobs + 1, study.kind.returns))


def waits(begun: Sequence[Begun], moment: float) -> dict[int, float]:
    """How long each job waited since the fault, or since its turn when that came later: jobs are sent in the
    order of their numbers, so it was a job's turn when the first one after it began."""
    last = {one.n: one.at for one in begun}
    first: dict[int, float] = {}
    for one in begun:
        first.setdefault(one.n, one.at)
    found: dict[int, float] = {}
    turn = float("inf")
    for n in sorted(last, reverse=True):
        turn = min(turn, first[n])
        found[n] = last[n] - max(turn, moment)
    return found


def _every_slot_is_back(study: Study, slots: Slots, moment: float) -> None:
    """There was work enough to see it."""
    back = Counter(slot.split("/")[0] for slot, jobs in slots.items() if max(jobs)[0] > moment + STANDSTILL)
    assert back == {host.name: study.kind.slots for host in study.project.lab.workers}


def busy_again(slots: Slots, moment: float) -> float | None:
    """The end of the last standstill that any slot had after the fault."""
    return max(
        (
            start - moment
            for jobs in slots.values()
            for (_, end), (start, _) in pairwise(sorted(jobs))
            if start > moment and start - end > STANDSTILL
        ),
        default=None,
    )


def _jobs_by_slot(study: Study, case: Case) -> Slots:
    rows = study.project.ledger("SELECT worker, started, seconds, result FROM outcomes WHERE status = 'done'")
    slots: Slots = defaultdict(list)
    for worker, started, seconds, result in rows:
        if json.loads(result)["mark"].split()[0] == case.name:
            slots[worker].append((started, started + seconds))
    return slots
