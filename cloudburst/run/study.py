"""What a controller was told to compute, and its memory of it: `study.json`.

A controller that starts again finds it there and goes on by itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from ..errors import ControllerError

FORMAT = 1
FILE = "study.json"

_ORDER_KEYS = ("study", "payload")

Runs = tuple[tuple[int, int], ...]
"""Runs of rows, each from and up to, in order and apart."""


@dataclass(frozen=True)
class Assignment:
    """The body of `PUT /api/study`, checked. `rows` are runs of them, each from and up to, in order (None: all);
    `retry` ids to be tried anew; with `keep_stale` jobs that other worker code computed count as done."""

    normal: Mapping[str, Any]
    order: Mapping[str, Any]
    rows: Runs | None
    retry: tuple[str, ...]
    keep_stale: bool = False

    @classmethod
    def read(cls, body: Any) -> Self:
        """Raises ControllerError with a sentence on what is wrong."""
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise ControllerError(
                f"this controller understands format {FORMAT}", "use the same version at both ends"
            )
        order, normal = body.get("order"), body.get("normal")
        if not isinstance(normal, dict):
            raise ControllerError("`normal` is missing: the study in its normal form")
        if not isinstance(order, dict) or not all(isinstance(order.get(key), str) for key in _ORDER_KEYS):
            raise ControllerError(f"`order` needs {' and '.join(_ORDER_KEYS)}")
        keep_stale = body.get("keep_stale", False)
        if not isinstance(keep_stale, bool):
            raise ControllerError("`keep_stale` is true or false")
        return cls(normal, order, _rows(body.get("rows")), _retry(body.get("retry")), keep_stale)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "normal": self.normal,
            "order": self.order,
            "rows": rows_form(self.rows),
            "retry": list(self.retry) or None,
            "keep_stale": self.keep_stale,
        }

    def asks_no_more_than(self, other: Self) -> bool:
        """Whether whoever computes `other` computes this by that: the same code, jobs and rows, and
        nothing to be tried anew."""
        mine, theirs = ((one.normal, one.order, one.rows, one.keep_stale) for one in (self, other))
        return not self.retry and mine == theirs


@dataclass(frozen=True)
class Study:
    """An assignment under way. What the ledger wrote after line `mark` is of this run; `asked` maps the
    jobs to be tried anew to their last attempt then; `began` in seconds since the epoch."""

    assignment: Assignment
    mark: int
    asked: Mapping[str, int]
    began: float

    @property
    def name(self) -> str:
        return str(self.assignment.order["study"])

    @property
    def payload(self) -> str:
        return str(self.assignment.order["payload"])

    def save(self, home: Path) -> None:
        """Replaced whole: after a crash there is the old one or the new one. Raises ControllerError."""
        text = json.dumps(
            {**self.assignment.to_json(), "mark": self.mark, "asked": dict(self.asked), "began": self.began}
        )
        temporary = home / f".{FILE}.new"
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, home / FILE)
        except OSError as error:
            raise ControllerError(f"{home / FILE} cannot be written: {error.strerror}") from error

    @classmethod
    def load(cls, home: Path) -> Self | None:
        """None when there is none."""
        try:
            body = json.loads((home / FILE).read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ControllerError(
                f"{home / FILE} is damaged: {error}", "remove it and apply again"
            ) from error
        return cls(Assignment.read(body), body["mark"], body["asked"], body["began"])


def forget(home: Path) -> None:
    """A controller that starts there waits for its study. Raises OSError."""
    (home / FILE).unlink(missing_ok=True)


def rows_form(runs: Runs | None) -> list[int] | list[list[int]] | None:
    """As `PUT /api/study` has them: one run as it is, more of them in a list."""
    if runs is None:
        return None
    return list(runs[0]) if len(runs) == 1 else [list(run) for run in runs]


def _rows(value: Any) -> Runs | None:
    if value is None:
        return None
    several = isinstance(value, list) and bool(value) and isinstance(value[0], list)
    runs = tuple(map(_run, value if several else [value]))
    if all(before[1] <= after[0] for before, after in pairwise(runs)):
        return runs
    raise ControllerError(_ROWS_ARE)


def _run(value: Any) -> tuple[int, int]:
    match value:
        case [int(start), int(stop)] if 0 <= start <= stop:
            return start, stop
    raise ControllerError(_ROWS_ARE)


_ROWS_ARE = "`rows` is [from, up to], such as [0, 3], a list of such in order, or null"


def _retry(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise ControllerError("`retry` is a list of ids or null")
