"""Rented machines before anything is billed: they are looked at, shown with their price, and agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..compile.plan import Plan
from ..diagnostics import Problem
from ..errors import SpecError, Unreachable, UsageError
from ..run.observe import Study, outline_study
from ..run.planning import count_plan, with_machines
from .failed import count_failed
from .reach import brought_home
from .views import mistakes
from .views import rental as view
from .views.counting import counting
from .views.screen import Screen

if TYPE_CHECKING:
    from ..run.apply import Retry, Rows


def show_new_warnings(screen: Screen, study: Study, plan: Plan) -> None:
    """What looking at the account found besides; the file's own warnings were said when it was read."""
    new = [warning for warning in plan.around.warnings if warning not in study.diagnostics]
    if new and not screen.as_json:
        mistakes.show_diagnostics(new, screen)
        screen.note("")


def refuse(study: Study, problem: Problem | None) -> None:
    """Raises SpecError with the place of the limit; does nothing for None."""
    if problem is not None:
        raise SpecError(study.loaded.document.place([problem]))


def agreed(
    screen: Screen, study: Study, *, rows: Rows, retry: Retry, yes: bool, keep_stale: bool = False
) -> bool:
    """Whether `apply` may go on: True where nothing new is billed, with `yes`, or when the user says so.

    What it costs is shown either way. Raises UsageError when there is nobody to ask, SpecError as
    `with_machines` does and when it is sure to exceed max_cost.
    """
    if not study.ensemble.cluster.is_rented:
        return True
    counted, again = _counted(screen, study, rows, keep_stale), _again(study, retry)
    try:
        plan = with_machines(study, counted, again=again)
    except Unreachable as error:
        if not _is_work(counted, again):
            return True  # nothing will be rented; what `apply` cannot ask, it says itself
        raise Unreachable(error.message, error.hint or "nothing was rented; apply again") from error
    if plan.refusal and _stands(plan):
        plan = with_machines(study, _counted_there(screen, study, rows, keep_stale), again=again)
    show_new_warnings(screen, study, plan)
    document = plan.to_json()
    refuse(study, plan.refusal)
    screen.data({"event": "rental", **view.event(document)})
    if plan.estimate is not None:
        for line in view.lines(document, width=screen.width, paint=screen.error_paint):
            screen.note(line)
    if not plan.asks_for_money or yes:
        return True
    if screen.as_json or not screen.can_ask:
        raise UsageError(
            "this rents machines, which costs money, and there is nobody to ask",
            "give --yes to agree; `cloudburst plan` shows what it costs",
        )
    return screen.ask(view.question(document))


def _counted(screen: Screen, study: Study, rows: Rows, keep_stale: bool) -> Plan:
    with counting(screen) as progress:
        return count_plan(study, outline_study(study, rows), progress, keep_stale=keep_stale)


def _counted_there(screen: Screen, study: Study, rows: Rows, keep_stale: bool) -> Plan:
    """Once what the machines computed is recorded here: they may have less left to do than it seems."""
    with brought_home(study, screen):
        return _counted(screen, study, rows, keep_stale)


def _is_work(plan: Plan, again: int) -> bool:
    return again > 0 or any(action.verb in ("run", "run again") for action in plan.actions)


def _stands(plan: Plan) -> bool:
    return plan.around.rental is not None and bool(plan.around.rental.standing)


def _again(study: Study, retry: Retry) -> int:
    """How many failed jobs are computed anew."""
    if retry is None:
        return 0
    return count_failed(study) if retry == "all" else len(retry)
