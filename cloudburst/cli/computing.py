"""What `apply` and `retry` have in common: run it, tell it, end it well, and say how it went."""

from __future__ import annotations

import os
from pathlib import Path

from ..run.apply import Retry, Rows, apply
from ..run.events import Summary
from ..run.observe import Study
from ..run.plans import Planned
from ..run.results import Result
from ..run.stopping import billed_until, letting_go, stoppable
from .failed import failed_under
from .renting import agreed
from .study import after_command, recorded
from .views import failures as failed_view
from .views import summary
from .views.screen import Screen
from .views.telling import telling

FINISHED_WITH_FAILURES = 4
INTERRUPTED = 130

DECLINED = 1


def compute(
    screen: Screen,
    file: Path,
    study: Study,
    *,
    rows: Rows,
    retry: Retry,
    yes: bool = False,
    keep_stale: bool = False,
    planned: Planned | None = None,
) -> int:
    """The exit code. Machines are rented only once somebody agreed to the price, or with `yes`.

    `planned` is the plan file that `study` was made from, if it was.
    """
    if not agreed(screen, study, rows=rows, retry=retry, yes=yes, keep_stale=keep_stale):
        screen.note("nothing was rented")
        return DECLINED
    gentle = letting_go(study.ensemble.cluster)
    with telling(screen) as teller, stoppable(teller.say, gentle) as stop:
        ended = apply(
            study,
            rows=rows,
            retry=retry,
            on_event=teller.tell,
            stop=stop,
            keep_stale=keep_stale,
            planned=planned,
        )
    failed = _failed(study, rows) if ended.failed or ended.failed_before else []
    forms = [failed_view.failure(result) for result in failed]
    document = ended.to_json()
    screen.data({**document, "failures": forms[: summary.SHOWN]})
    file_said = after_command(file)
    document = {**document, "tables": [_from_here(study, path) for path in ended.tables]}
    billed = billed_until(study.ensemble.cluster)
    for line in summary.lines(
        document, forms, file=file_said, width=screen.width, paint=screen.paint, billed=billed
    ):
        screen.say(line)
    return exit_code(ended, bool(failed))


def _from_here(study: Study, path: str) -> str:
    """A path of the ensemble file, as one writes it in this directory."""
    return os.path.relpath(study.places.spec.parent / path)


def _failed(study: Study, rows: Rows) -> list[Result]:
    """With the payload that was computed: where `apply` made the lock first, it is not the one we read."""
    with recorded(study) as ledger:
        if ledger is None:
            return []
        payload = study.payload.digest if study.lock_text is not None else ledger.newest_payload()
        found = failed_under(study, ledger, payload or "")
        return [result for result in found if rows is None or rows[0] <= result.job.row.index < rows[1]]


def exit_code(ended: Summary, failed: bool) -> int:
    """`failed`: whether any of the rows is a failure now, of whichever run."""
    if ended.state in ("stopped", "let go"):
        return INTERRUPTED
    if failed:
        return FINISHED_WITH_FAILURES
    return 1 if ended.state == "paused" else 0
