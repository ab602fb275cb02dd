"""The plan counted: every job walked, looked up in the ledger, and compared with what was applied last."""

from __future__ import annotations

from ..compile import plan
from ..compile.chosen import Wanted, choose
from ..compile.plan import Counts, Plan, Progress
from ..compile.shown import Chosen
from .choosing import Choice, condition
from .kept import code_sent, edited_since
from .observe import Rows, Study, outline_study, rows_in_their_place
from .room import slots_of


def counted_plan(study: Study, rows: Rows = None, *, keep_stale: bool = False) -> Plan:
    """Both steps at once. Raises SpecError, LedgerError."""
    return count_plan(study, outline_study(study, rows), keep_stale=keep_stale)


def count_plan(
    study: Study,
    outline: Plan,
    progress: Progress = lambda _done, _all: None,
    *,
    keep_stale: bool = False,
) -> Plan:
    """The second step, after `outline_study`. With `keep_stale`, what other worker code computed stays.

    Raises SpecError, LedgerError.
    """
    with study.recorded() as recorded, rows_in_their_place(study):
        return plan.count(
            outline,
            study.jobs,
            recorded,
            lambda: study.frozen,
            progress,
            edited=edited_since(study) if recorded is not None else None,
            line_of=lambda path: study.loaded.document.span(path).line,
            keep_stale=keep_stale,
            ended=recorded.durations(study.payload.digest) if recorded is not None else None,
            slots=slots_of(study.ensemble),
            sent=code_sent(study) if study.ensemble.cluster.provider != "local" else None,
        )


def choose_rows(
    study: Study,
    outline: Plan,
    wanted: Wanted | None,
    progress: Progress = lambda _done, _all: None,
    *,
    keep_stale: bool = False,
) -> Chosen:
    """Those of the outline's rows that are wanted (None: all), each with its state.

    Raises UsageError for what a row cannot be asked, SpecError, LedgerError.
    """
    with study.recorded() as recorded, rows_in_their_place(study):
        return choose(outline, study.jobs, recorded, wanted, progress, keep_stale=keep_stale)


def wanted_rows(study: Study, where: str) -> Wanted:
    """Raises ExpressionError for a text that cannot be read, UsageError for a name that no row has."""
    return Wanted(where, Choice(where=condition(where, study.ensemble)).takes_row)


def count_rows(study: Study, rows: Rows = None, *, keep_stale: bool = False) -> Counts:
    """How many jobs of these rows are done, failed, stale, to do. Raises SpecError, LedgerError."""
    return counted_plan(study, rows, keep_stale=keep_stale).counted
