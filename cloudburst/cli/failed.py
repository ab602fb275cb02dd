"""The failed jobs of a study, with the payload it has today: all of them, or those that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..run.choosing import Choice, condition
from ..run.observe import Study, rows_in_their_place
from ..run.results import Result, failures
from .arguments import Asked, within
from .naming import find_job
from .study import recorded

if TYPE_CHECKING:
    from ..run.ledger import Ledger


def failed_under(study: Study, ledger: Ledger, payload: str) -> Iterator[Result]:
    """The jobs that failed with this payload, in plan order; good while the ledger is open."""
    return failures(study.jobs, ledger.failed_rows(payload), lambda ids: ledger.outcomes(ids, payload))


@contextmanager
def failed_results(study: Study) -> Iterator[Iterator[Result]]:
    """In plan order, good inside the `with`; those the study no longer has are left out."""
    with recorded(study) as ledger, rows_in_their_place(study):
        yield failed_under(study, ledger, study.payload.digest) if ledger else iter(())


def count_failed(study: Study) -> int:
    with failed_results(study) as found:
        return sum(1 for _ in found)


# ── some of them ─────────────────────────────────────────────────────────────────────────────
def choice(study: Study, asked: Asked) -> Choice:
    """Raises UsageError for rows or names the study does not have, ExpressionError for no expression."""
    return Choice(
        within(asked.rows, study.jobs.count),
        condition(asked.where, study.ensemble) if asked.where is not None else None,
        frozenset(asked.kinds),
        asked.error,
    )


def takes(choice: Choice, result: Result) -> bool:
    """Whether it is one of those that were asked for."""
    outcome = result.outcome or {}
    return choice.takes_end(outcome.get("kind"), outcome.get("error")) and choice.takes_row(result.job.row)


def chosen_failures(study: Study, choice: Choice) -> tuple[tuple[str, ...], int]:
    """The ids of the failed jobs that were asked for, and how many failed in all.

    Raises UsageError when none is chosen.
    """
    ids: list[str] = []
    failed = 0
    with failed_results(study) as found:
        for result in found:
            failed += 1
            if takes(choice, result):
                ids.append(result.job.id)
    if not ids:
        raise UsageError(*none_of(failed))
    return tuple(ids), failed


def none_of(failed: int) -> tuple[str, str]:
    """A sentence and a way out where no failed job is what was asked for."""
    if not failed:
        return "no job has failed", "`cloudburst apply` computes what is to do"
    return f"none of the {failed:,} failed jobs is one of these", "`cloudburst failures` lists them"


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
