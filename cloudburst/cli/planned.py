"""Plan files on the command line: written once the lock fits, and opened only while what they say still holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..compile.plan_archive import SUFFIX, moved
from ..errors import CloudBurstError, UsageError
from ..run.kept import Kept, last_applied
from ..run.observe import Study, with_lock
from ..run.planning import counted_plan, with_machines
from ..run.plans import Planned, open_plan
from .views.screen import Screen
from .views.telling import telling

_FEWEST = 4


def is_plan(file: Path) -> bool:
    """By its name: a plan file ends in .cbplan."""
    return file.suffix == SUFFIX


def locked(screen: Screen, study: Study) -> Study:
    """With a lock that fits, made now and told if there is none: a plan holds exact dependencies."""
    if study.lock_text is not None:
        return study
    with telling(screen) as teller:
        return with_lock(study, teller.tell)


def open_unmoved(screen: Screen, file: Path, spec: Path | None) -> tuple[Planned, tuple[int, int] | None]:
    """The plan and the rows it selects. Raises CloudBurstError when it does not hold any more, naming what moved.

    That a plan was begun already is no reason: applied again, it goes on.
    """
    planned = open_plan(file, spec)
    sentences = list(planned.problems)
    selected = planned.contents.plan["selected"]
    rows = (selected[0], selected[1]) if selected else None
    if not sentences and not _was_begun(planned):
        now = counted_plan(planned.study, rows, keep_stale=bool(planned.contents.plan["keep_stale"]))
        if planned.contents.plan["cluster"]["rental"] is not None:
            now = with_machines(planned.study, now)
        sentences += moved(planned.contents.plan, now.to_json())
    if sentences:
        raise CloudBurstError(
            f"{file} does not hold any more: {'; '.join(sentences)}",
            f"look again: `cloudburst plan {planned.contents.spec} --out {file}`",
        )
    if not screen.as_json:
        screen.note(
            f"applying {file} ({planned.sha256[:12]}), which was made by {planned.contents.plan['made_by']}"
        )
    return planned, rows


def find_applied(plans: Sequence[Kept], digits: str) -> Kept:
    """The plan whose sha256 begins so. Raises UsageError when none or several do."""
    found = {kept.sha256: kept for kept in plans if len(digits) >= _FEWEST and kept.sha256.startswith(digits)}
    if len(found) == 1:
        return next(iter(found.values()))
    if len(digits) < _FEWEST:
        raise UsageError(f"{digits} is too short", f"give {_FEWEST} digits or more")
    what = f"{len(found)} plans begin" if found else "no plan that was applied begins"
    raise UsageError(f"{what} with {digits}", "`cloudburst show` lists them")


def _was_begun(planned: Planned) -> bool:
    last = last_applied(planned.study.places)
    return last is not None and last.sha256 == planned.sha256
