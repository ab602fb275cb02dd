"""The rows of a study joined with what the ledger holds: one `Result` a row, in plan order.

Reads only; how a table is written is `sinks/table.py`'s business, how it is shown the views'.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Protocol

from ..compile.jobs import Job

Outcome = Mapping[str, Any]
"""What became of one attempt, as `schemas/row.schema.json` says."""

Lookup = Callable[[Sequence[str]], Mapping[str, Outcome]]
"""ids -> the outcome that counts for each; an id nothing is recorded for is absent (`Ledger.outcomes`)."""

Status = Literal["done", "failed", "stale", "to do"]


class Indexed(Protocol):
    """The jobs of a study by row (`compile.jobs.Jobs`, or a list of them)."""

    def __getitem__(self, row: int, /) -> Job: ...
    def __iter__(self) -> Iterator[Job]: ...


AT_ONCE = 500
"""Rows expanded and looked up together: what bounds the memory of a join, whatever the study's size."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the space and what is known of it; `outcome` is None while nothing is recorded.

    `status` is `stale` when the outcome was computed by another payload than the present one:
    the numbers are there, but today's code did not make them.
    """

    job: Job
    outcome: Outcome | None
    status: Status


def join(jobs: Iterable[Job], outcomes: Lookup, payload: str | None) -> Iterator[Result]:
    """A result a row, in the order of `jobs`. `payload` None: no outcome is taken for stale."""
    for chunk in in_chunks(jobs):
        known = outcomes([job.id for job in chunk])
        for job in chunk:
            outcome = known.get(job.id)
            yield Result(job, outcome, status_of(outcome, payload))


def status_of(outcome: Outcome | None, payload: str | None) -> Status:
    if outcome is None:
        return "to do"
    if payload is not None and outcome["payload"] != payload:
        return "stale"
    return "done" if outcome["status"] == "done" else "failed"


def failures(jobs: Indexed, failed: Iterable[tuple[str, int]], outcomes: Lookup) -> Iterator[Result]:
    """One result a failed job that the study still has, in plan order; `failed` are ids and where they ran.

    Only their rows are held, eight bytes each; outcomes are looked up some at a time.
    """
    for chunk in in_chunks(jobs[row] for row in rows_of(jobs, failed)):
        found = outcomes([job.id for job in chunk])
        yield from (Result(job, found[job.id], "failed") for job in chunk if job.id in found)


def locate(jobs: Indexed, outcomes: Iterable[Outcome]) -> list[Job]:
    """The jobs these outcomes are of, those the study still has, in plan order."""
    return [jobs[row] for row in rows_of(jobs, ((one["id"], one["row"]) for one in outcomes))]


def rows_of(jobs: Indexed, recorded: Iterable[tuple[str, int]]) -> array[int]:
    """The rows of these jobs, each job once, in plan order; those the study no longer has are left out.

    A record remembers the row it was computed for, so that a study of millions need not be expanded for
    three jobs; where the plan has moved since, the rows are searched.
    """
    rows = array("q")
    moved: set[str] = set()
    for job_id, row in recorded:
        job = _at(jobs, row)
        if job is not None and job.id == job_id:
            rows.append(row)
        else:
            moved.add(job_id)
    for job in jobs if moved else ():
        if job.id in moved:
            moved.remove(job.id)
            rows.append(job.row.index)
            if not moved:
                break
    return array("q", sorted(rows))


def in_chunks(jobs: Iterable[Job]) -> Iterator[tuple[Job, ...]]:
    """`AT_ONCE` at a time."""
    remaining = iter(jobs)
    while chunk := tuple(islice(remaining, AT_ONCE)):
        yield chunk


def _at(jobs: Indexed, row: int) -> Job | None:
    try:
        return jobs[row]
    except IndexError:
        return None


def first_line(error: str | None) -> str:
    """What an outcome's error says in one line."""
    return error.strip().partition("\n")[0].rstrip() if error else ""
