"""`plan --jobs`: every job's description as a JSON line, in plan order, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..compile.jobs import Job
from ..run.observe import Study, rows_in_their_place
from ..run.sinks.replace import replaced_whole
from ..run.sinks.strict_json import json_text
from .views.screen import Screen
from .views.words import count


def stream(screen: Screen, study: Study, rows: tuple[int, int] | None, target: Path) -> None:
    """To a file, replaced whole, or for `-` to the screen. Raises SpecError where a row has no job."""
    start, stop = rows or (0, study.jobs.count)
    with rows_in_their_place(study):
        lines = (json_text(_form(job)) + "\n" for job in study.jobs.walk(start, stop))
        if str(target) == "-":
            for line in lines:
                screen.raw(line)
            return
        _write(lines, target)
    screen.data({"file": str(target), "rows": stop - start})
    screen.note(f"wrote {count(stop - start, 'row')} to {target}")


def _write(lines: Iterator[str], target: Path) -> None:
    with (
        replaced_whole(target) as new,
        open(new, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        file.writelines(lines)


def _form(job: Job) -> dict[str, Any]:
    """What a command is called with stands beside the description where there is a command."""
    form = {
        "id": job.id,
        "row": job.row.index,
        "block": job.row.block,
        "parameters": dict(job.row.values),
        "job": job.description,
    }
    return form if job.argv is None else {**form, "argv": list(job.argv)}
