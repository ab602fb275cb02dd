"""One job: what it was asked, what it printed, how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .grid import one_line
from .paint import Paint
from .words import duration, exact


def lines(job: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    """`job` is what `cloudburst logs --json` prints."""
    where = f"row {job['row']}, block {job['block']}" if job["row"] is not None else "no longer in the study"
    yield f"{paint.bold('job ' + job['id'])} ({where})"
    for name, value in (job["parameters"] or {}).items():
        yield f"  {name} = {one_line(exact(value))}"
    if not job["attempts"]:
        yield "not computed yet"
    for outcome in job["attempts"]:
        yield ""
        yield from attempt(outcome, paint)


def attempt(outcome: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    took = f"{duration(outcome['seconds'])} on {outcome['worker']}, payload {outcome['payload'][:12]}"
    yield f"attempt {outcome['attempt']}: {_ending(outcome, took, paint)}"
    if outcome["output"]:
        yield paint.dim("it printed:")
        yield from (f"  {line}".rstrip() for line in _lines(outcome["output"]))
    yield from _came_of(outcome, paint)


def ended(end: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    """The end of a job that was run in the foreground; what it printed has been seen."""
    yield _ending(end, duration(end["seconds"]), paint)
    yield from _came_of(end, paint)


def _came_of(outcome: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    if outcome["error"]:
        yield paint.dim("its error:")
        yield from (f"  {line}".rstrip() for line in _lines(outcome["error"]))
    if outcome["status"] == "done":
        yield paint.dim("it returned:")
        yield f"  {json.dumps(outcome['result'], ensure_ascii=False)}"
    if outcome["series"]:
        yield f"  series: {', '.join(outcome['series']['names'])}"
    for key, file in outcome["files"].items():
        yield f"  file {key}: {file.get('path') or file['name']}"


def _ending(outcome: Mapping[str, Any], took: str, paint: Paint) -> str:
    if outcome["status"] == "done":
        return f"{paint.green('done')} in {took}"
    failed = paint.red(f"failed ({outcome['kind']})")
    return f"{failed} after {took}"


def _lines(text: str) -> list[str]:
    """A job may print anything; what would move the cursor is shown as a mark."""
    return [one_line(line.expandtabs()).rstrip() for line in text.rstrip("\n").splitlines()]
