"""When failures should stop the study: decided from outcomes alone."""

from __future__ import annotations

import re

from .results import first_line

ALIKE = 20
"""So many first jobs, all failing alike: it is not the parameters."""

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|\d+(?:[.]\d+)?(?:[eE][+-]?\d+)?")


class Brake:
    """Fed with the end of every job; answers with the sentence that pauses the study, or nothing.

    `limit` is a fraction of the jobs or a count; more failures than that pause. After `release`
    as many more are needed. `first` says that no job of this run has ended yet.
    """

    def __init__(self, limit: int | float | None, *, first: bool) -> None:
        self._limit = limit
        self._forgiven = 0
        self._alike: dict[str, str] | None = {} if first else None

    def release(self, failed: int) -> None:
        """The user goes on in spite of the `failed` jobs there are."""
        self._forgiven = failed
        self._alike = None

    def note_done(self) -> None:
        self._alike = None

    def note_failed(self, job_id: str, error: str | None) -> str:
        """An attempt failed, whether or not another follows."""
        if self._alike is None:
            return ""
        line = first_line(error) or "no message"
        self._alike[job_id] = line
        if len({shape(known) for known in self._alike.values()}) > 1:
            self._alike = None
        elif len(self._alike) >= ALIKE:
            return f"the first {ALIKE} jobs all ended in the same error: {line} (cloudburst logs {job_id})"
        return ""

    def judge(self, failed: int, jobs: int) -> str:
        """`failed` of the run's `jobs` have used up their attempts."""
        if self._limit is None:
            return ""
        allowed = self._limit if isinstance(self._limit, int) else self._limit * jobs
        if failed - self._forgiven <= allowed:
            return ""
        limit = str(self._limit) if isinstance(self._limit, int) else f"{100 * self._limit:g}%"
        return f"{failed} of {jobs} jobs failed, more than max_failures: {limit} (cloudburst failures)"


def shape(line: str) -> str:
    """The line without its numbers, which differ from job to job."""
    return _NUMBER.sub("0", line)
