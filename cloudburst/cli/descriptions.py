"""`plan --jobs`: every job's description as a JSON line, in plan order, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..compile.chosen import Takes
from ..compile.jobs import Job
from ..run.observe import Study, rows_in_their_place
from ..run.sinks.replace import replaced_whole
from ..run.sinks.strict_json import json_text
from .views.screen import Screen
from .views.words import count


def stream(
    screen: Screen, study: Study, rows: tuple[int, int] | None, target: Path, takes: Takes | None = None
) -> None:
    """To a file, replaced whole, or for `-` to the screen; only rows that are taken. Raises SpecError where a row
    has no job."""
    start, stop = rows or (0, study.jobs.count)
    written = 0

    def made() -> Iterator[str]:
        nonlocal written
        for row in study.jobs.space.walk(start, stop):
            if takes is None or takes(row):
                written += 1
                yield json_text(_form(study.jobs.of(row))) + "\n"

    with rows_in_their_place(study):
        lines = made()
        if str(target) == "-":
            for line in lines:
                screen.raw(line)
            return
        _write(lines, target)
    screen.data({"file": str(target), "rows": written})
    screen.note(f"wrote {count(written, 'row')} to {target}")


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
