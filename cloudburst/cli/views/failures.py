"""Failed jobs as a table: which they were, with which parameters, and why they failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...run.results import Result, first_line
from .grid import cut, grid, one_line
from .paint import Paint
from .words import short

ID_DIGITS = 8
"""Digits of an id where people read it; enough for `logs` and `retry`."""


def failure(result: Result) -> dict[str, Any]:
    """The machine form; the table is rendered from it."""
    outcome = result.outcome or {}
    return {
        "row": result.job.row.index,
        "id": result.job.id,
        "block": result.job.row.block,
        "parameters": dict(result.job.row.values),
        "kind": outcome.get("kind"),
        "error": first_line(outcome.get("error")),
        "attempts": outcome.get("attempt"),
        "seconds": outcome.get("seconds"),
        "worker": outcome.get("worker"),
    }


def table(failures: Sequence[Mapping[str, Any]], *, width: int, paint: Paint) -> list[str]:
    """The error stands before the parameters: it is what one came for, and the last columns go first.

    Parameters that are the same in every failure are said once, below.
    """
    names = names_of(failures)
    common = _common(failures, names)
    telling = [name for name in names if name not in common]
    rows = [
        [str(f["row"]), f["id"][:ID_DIGITS], f["kind"], f["error"], *_values(f["parameters"], telling)]
        for f in failures
    ]
    lines = grid(
        ("row", "id", "kind", "error", *telling), rows, width=width, floors=(6, ID_DIGITS, 7, 24), paint=paint
    )
    if common:
        said = ", ".join(f"{name} {short(value)}" for name, value in common.items())
        lines.append(paint.dim(cut(f"the same in all: {one_line(said)}", width)))
    return lines


def _common(failures: Sequence[Mapping[str, Any]], names: Iterable[str]) -> dict[str, Any]:
    first, *others = (f["parameters"] for f in failures)
    if not others:
        return {}
    return {n: first[n] for n in names if n in first and all(n in p and p[n] == first[n] for p in others)}


def names_of(failures: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Parameters in first-seen order."""
    return tuple(dict.fromkeys(name for f in failures for name in f["parameters"]))


def _values(parameters: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [short(parameters[name]) if name in parameters else "" for name in names]
