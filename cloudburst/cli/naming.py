"""Which job a JOB on the command line names: `row:17`, or the first digits of an id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..compile.jobs import Job
from ..compile.lazy import Lazy
from ..compile.plan import MOST_COUNTED
from ..errors import UsageError
from ..run.ledger import Ledger
from ..run.results import locate

LEAST_DIGITS = 4
_ROW = re.compile(r"row:(\d+)", re.ASCII).fullmatch
_NUMBER = re.compile(r"\d+", re.ASCII).fullmatch
_ID = re.compile(r"[0-9a-f]{1,20}").fullmatch


class NoSuchJob(UsageError):
    """Digits with which no id of the study begins."""


@dataclass(frozen=True)
class Named:
    """`job` is None for an id the ledger knows and the study no longer has."""

    id: str
    job: Job | None


def find_job(text: str, jobs: Lazy[Job], ledger: Ledger | None) -> Named:
    """Raises UsageError for what names no job, or more than one."""
    row = _ROW(text.lower())
    if row:
        return _by_row(int(row[1]), jobs)
    digits = text.lower()
    if not _ID(digits):
        raise UsageError(
            f"{text} names no job", "write row:17, or the first digits of an id, as `failures` shows them"
        )
    if len(digits) < LEAST_DIGITS:
        raise UsageError(
            f"{text} is too short for an id", f"give at least {LEAST_DIGITS} digits; or row:{text}"
        )
    return _by_id(digits, jobs, ledger)


def reads_as_row(text: str) -> bool:
    """Whether it can be meant as a row for `find_row`, where a file could stand as well."""
    digits = text.lower()
    return bool(_ROW(digits) or _NUMBER(digits) or (_ID(digits) and len(digits) >= LEAST_DIGITS))


def find_row(text: str, jobs: Lazy[Job]) -> int:
    """The first row that a number, `row:17` or the first digits of an id names. No ledger is asked.

    Figures alone are a row's number; those of no row are tried as an id. Raises UsageError, also for an id among more
    rows than anyone will wait for.
    """
    if _NUMBER(text) and (int(text) < jobs.count or not _can_be_id(text, jobs)):
        return _of(_by_row(int(text), jobs))
    if _ID(text.lower()) and jobs.count > MOST_COUNTED:
        raise UsageError(
            f"{jobs.count:,} rows are too many to look for an id", "give the row's number, as `plan` shows it"
        )
    try:
        return _of(find_job(text, jobs, None))
    except NoSuchJob:
        if _NUMBER(text):
            return _of(_by_row(int(text), jobs))
        raise


def _can_be_id(figures: str, jobs: Lazy[Job]) -> bool:
    return _ID(figures) is not None and len(figures) >= LEAST_DIGITS and jobs.count <= MOST_COUNTED


def _of(named: Named) -> int:
    assert named.job is not None  # noqa: S101  only a ledger knows jobs that the study has no more
    return named.job.row.index


def _by_row(row: int, jobs: Lazy[Job]) -> Named:
    if row >= jobs.count:
        has = f"its rows are 0 to {jobs.count - 1}" if jobs.count else "it has none"
        raise UsageError(f"row {row} is not in the study", has)
    job = jobs[row]
    return Named(job.id, job)


def _by_id(digits: str, jobs: Lazy[Job], ledger: Ledger | None) -> Named:
    """What is computed is looked up; only what is not makes us read the rows."""
    recorded = ledger.ids_with(digits) if ledger else []
    if len(recorded) > 1:
        raise _ambiguous(digits, recorded)
    if recorded and ledger:
        return Named(recorded[0], _still_there(recorded[0], jobs, ledger))
    planned: dict[str, Job] = {}
    for job in jobs:
        if job.id.startswith(digits):
            planned.setdefault(job.id, job)
            if len(planned) > 1:
                raise _ambiguous(digits, list(planned))
    for found, job in planned.items():
        return Named(found, job)
    raise NoSuchJob(
        f"no job of this study has an id that begins with {digits}",
        "`cloudburst plan` and `cloudburst failures` show ids",
    )


def _still_there(id: str, jobs: Lazy[Job], ledger: Ledger) -> Job | None:
    outcome = ledger.outcome(id)
    return next(iter(locate(jobs, [outcome])), None) if outcome else None


def _ambiguous(digits: str, ids: Sequence[str]) -> UsageError:
    return UsageError(
        f"{digits} is the beginning of more than one id", f"such as {', '.join(ids[:3])}; give more digits"
    )
