"""How a probe goes and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import effort, failures
from .paint import Paint
from .words import count, duration, filled

SHOWN = 12
"""Row numbers named before the run."""


def chosen(rows: Sequence[int], of: int, *, width: int) -> list[str]:
    """`trying 5 of 200 rows: 0, 49, 99, 149, 199`."""
    named = ", ".join(f"{row:,}" for row in rows[:SHOWN]) + (", …" if len(rows) > SHOWN else "")
    return filled(f"trying {len(rows):,} of {count(of, 'row')}: {named}", width)


def lines(document: Mapping[str, Any], *, file: str, width: int, paint: Paint) -> Iterator[str]:
    """`document` is what `--json` ends with; `file` as given after a command, empty for the default."""
    yield _ending(document, paint)
    failed = document["failures"]
    if failed:
        yield from ("", *failures.table(failed, width=width, paint=paint))
    left = [*effort.lines(document, width=width, paint=paint)]
    if left:
        yield from ("", *left)
    yield ""
    yield f"next: {' · '.join(_next(document, failed, file))}"


def _ending(document: Mapping[str, Any], paint: Paint) -> str:
    rows, failed = count(len(document["rows"]), "row"), document["failed"]
    took = f"{document['done']:,} done, {failed:,} failed" if failed else f"{document['done']:,} done"
    match document["state"]:
        case "nothing to do":
            said = f"{rows} tried before: {took}."
            return paint.yellow(said) if failed else paint.green(said)
        case "finished":
            said = f"Tried {rows}: {took}, in {duration(document['seconds'])}."
            return paint.yellow(said) if failed else paint.green(said)
        case "paused":
            return paint.red(f"Paused: {document['reason']}; of {rows} {took}.")
        case _:
            return paint.yellow(f"Stopped: of {rows} {took}.")


def _next(document: Mapping[str, Any], failed: Sequence[Mapping[str, Any]], file: str) -> Iterator[str]:
    if failed:
        option = f" -f{file}" if file else ""
        yield f"`cloudburst logs {failed[0]['id'][: failures.ID_DIGITS]}{option}` shows one that failed"
    if document["state"] == "stopped":
        yield f"`cloudburst probe{file}` goes on"
    yield (
        f"`cloudburst plan{file}` shows the rest, and what it costs"
        if document["effort"]
        else (f"`cloudburst plan{file}` shows the rest")
    )
