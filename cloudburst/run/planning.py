"""The plan counted: every job walked, looked up in the ledger, and compared with what was applied last; with the
machines it would be computed on."""

from __future__ import annotations

from dataclasses import replace

from ..compile import plan
from ..compile.chosen import Wanted, choose
from ..compile.plan import Counts, Plan, Progress, with_listed, with_rental
from ..compile.prices import listed
from ..compile.shown import Chosen
from ..diagnostics import has_errors, in_order
from ..errors import SpecError
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


def with_machines(study: Study, plan: Plan, *, again: int = 0) -> Plan:
    """A counted plan with its machines, looked at in the account now; as it is where nothing is rented.

    `again` failed jobs are computed anew besides. Raises SpecError for what the account cannot give, and
    Unreachable when it cannot be asked.
    """
    if not study.ensemble.cluster.is_rented:
        return plan
    from .rental import observe_rental

    rental = observe_rental(study)
    if rental is None:
        return plan
    placed = study.loaded.document.place(rental.problems)
    if has_errors(placed):
        raise SpecError(in_order((*study.diagnostics, *placed)))
    around = replace(plan.around, warnings=in_order((*plan.around.warnings, *placed)))
    rented = with_rental(
        replace(plan, around=around),
        rental,
        again=again,
        line_of=lambda path: study.loaded.document.span(path).line,
    )
    return _warned(study, rented)


def with_list_prices(study: Study, plan: Plan) -> Plan:
    """The same without asking anybody: by the dated table in the package. As it is where nothing is rented."""
    found = listed(study.ensemble)
    return plan if found is None else _warned(study, with_listed(plan, found))


def _warned(study: Study, plan: Plan) -> Plan:
    """With the warning that max_cost is likely to end it early, where it is."""
    if plan.warning is None:
        return plan
    placed = study.loaded.document.place([plan.warning])
    return replace(plan, around=replace(plan.around, warnings=in_order((*plan.around.warnings, *placed))))
