"""The failed jobs of a study, with the payload it has today."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import UsageError
from ..run.observe import Study
from ..run.results import Result, failures
from .naming import find_job
from .study import recorded


def failed_results(study: Study) -> list[Result]:
    """In plan order; those the study no longer has are left out."""
    with recorded(study) as ledger:
        return failures(study.jobs, ledger.failures(study.payload.digest)) if ledger else []


def named_failures(study: Study, names: Iterable[str]) -> tuple[str, ...]:
    """The ids of these jobs. Raises UsageError when one of them did not fail."""
    with recorded(study) as ledger:
        ids = [find_job(name, study.jobs, ledger).id for name in names]
        states = ledger.states(ids, study.payload.digest) if ledger else {}
    for name, job_id in zip(names, ids, strict=True):
        state = states.get(job_id, "to do")
        if state != "failed":
            raise UsageError(f"{name} did not fail: it is {state}", _HINTS[state])
    return tuple(dict.fromkeys(ids))


_HINTS = {
    "done": "a job that is done is computed again only when the code or what it receives changes",
    "stale": "the code has changed since: `cloudburst apply` computes it again",
    "to do": "`cloudburst apply` computes it",
}
