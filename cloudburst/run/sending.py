"""Which files a computation will ask for: a file is sent to the store only where a job to be computed names it."""

from __future__ import annotations

from collections.abc import Iterator, Set
from itertools import islice

from ..compile.files import named_in
from ..compile.jobs import Job
from ..compile.plan import MOST_COUNTED
from .observe import Study

_AT_ONCE = 1000


def needed_files(
    study: Study, rows: tuple[int, int] | None, again: tuple[str, ...], *, keep_stale: bool = False
) -> Set[str]:
    """The sha256 of the files named by jobs of these rows that have no outcome, or are computed `again`.

    Of more rows than a plan looks up: of all files. Raises LedgerError.
    """
    left = {one.sha256 for one in study.files.found}
    start, stop = rows or (0, study.jobs.count)
    if not left or stop - start > MOST_COUNTED:
        return left
    needed: set[str] = set()
    for job in _to_compute(study, start, stop, frozenset(again), keep_stale):
        needed |= named_in(job.description, job.argv) & left
        if len(needed) == len(left):
            break
    return needed


def _to_compute(study: Study, start: int, stop: int, again: Set[str], keep_stale: bool) -> Iterator[Job]:
    with study.recorded() as recorded:
        walk = study.jobs.walk(start, min(stop, study.jobs.count))
        while jobs := list(islice(walk, _AT_ONCE)):
            ids = [job.id for job in jobs]
            states = recorded.states(ids, study.payload.digest, keep_stale=keep_stale) if recorded else {}
            yield from (
                job for job in jobs if job.id in again or states.get(job.id) not in ("done", "failed", "kept")
            )
