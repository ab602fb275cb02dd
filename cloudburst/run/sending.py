"""Which files a computation will ask for: a file is sent to the store only where a job to be computed names it."""

from __future__ import annotations

from collections.abc import Iterator, Set
from itertools import chain, islice

from ..compile.files import named_in
from ..compile.jobs import Job
from ..compile.plan import MOST_COUNTED
from .observe import Study
from .study import Runs

_AT_ONCE = 1000


def needed_files(
    study: Study, rows: Runs | None, again: tuple[str, ...], *, keep_stale: bool = False
) -> Set[str]:
    """The sha256 of the files named by jobs of these rows that have no outcome, or are computed `again`.

    Of more rows than a plan looks up: of all files. Raises LedgerError.
    """
    left = {one.sha256 for one in study.files.found}
    runs = rows or ((0, study.jobs.count),)
    if not left or sum(stop - start for start, stop in runs) > MOST_COUNTED:
        return left
    needed: set[str] = set()
    for job in _to_compute(study, runs, frozenset(again), keep_stale):
        needed |= named_in(job.description, job.argv) & left
        if len(needed) == len(left):
            break
    return needed


def _to_compute(study: Study, runs: Runs, again: Set[str], keep_stale: bool) -> Iterator[Job]:
    with study.recorded() as recorded:
        walk = chain.from_iterable(
            study.jobs.walk(start, min(stop, study.jobs.count)) for start, stop in runs
        )
        while jobs := list(islice(walk, _AT_ONCE)):
            ids = [job.id for job in jobs]
            states = recorded.states(ids, study.payload.digest, keep_stale=keep_stale) if recorded else {}
            yield from (
                job for job in jobs if job.id in again or states.get(job.id) not in ("done", "failed", "kept")
            )
