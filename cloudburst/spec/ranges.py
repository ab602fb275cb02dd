"""How many values a list or range has, which they are, and ranges that cannot be meant.

Exact: a step is taken as the decimal that is written, so 0.8 + 4 * 0.1 is 1.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from ..diagnostics import Path, Problem
from .ensemble import Bounded, Counted, Known, Stepped, Value, Values
from .progressions import column, count, exact
from .scalars import shortened


def length(values: Known) -> int:
    """0 for a step that goes nowhere."""
    return 0 if isinstance(values, Stepped) and values.step == 0 else count(values)


def known_length(values: Values) -> int | None:
    """None where it may differ from row to row."""
    return values.count if isinstance(values, Bounded) else length(values)


def expand(values: Known) -> tuple[Value, ...]:
    """All of them, for lists that are short by nature."""
    listed = column(values)
    return tuple(listed[position] for position in range(length(values)))


def _steps(start: int | float, stop: int | float, step: int | float) -> Fraction:
    return (exact(stop) - exact(start)) / exact(step)


def _are_whole(*numbers: int | float) -> bool:
    return all(isinstance(number, int) for number in numbers)


def _number(value: Fraction, *, whole: bool) -> int | float:
    return int(value) if whole and value.denominator == 1 else float(value)


# ── what cannot be meant ─────────────────────────────────────────────────────────────────────
def check(name: str, values: Values, path: Path) -> Iterator[Problem]:
    """Problems of a range; `path` is where the range stands."""
    match values:
        case Stepped() | Bounded(step=0):
            yield from _check_stepped(name, values, path)
        case Counted():
            yield from _check_counted(name, values, path)


def _check_stepped(name: str, values: Stepped | Bounded, path: Path) -> Iterator[Problem]:
    if isinstance(values, Bounded) or values.step == 0:
        yield Problem(
            "zero-step",
            (*path, "step"),
            f'"{name}" never gets from {values.start} to {values.stop} by steps of 0',
            "a step is the distance of two values; `count` says how many there are",
        )
        return
    steps = _steps(values.start, values.stop, values.step)
    if steps < 0:
        message = f'"{name}" goes away from its end: from {values.start} by {values.step} never reaches {values.stop}'
        yield Problem("wrong-way", (*path, "step"), message, f"step: {-values.step}")
    elif steps.denominator != 1:
        yield _missed(name, values, steps, path)


def _missed(name: str, values: Stepped, steps: Fraction, path: Path) -> Problem:
    below = math.floor(steps)
    start, step = exact(values.start), exact(values.step)
    whole = _are_whole(values.start, values.step)
    near, far = (_number(start + number * step, whole=whole) for number in (below, below + 1))
    message = f'"{name}" misses its end: from {values.start} by {values.step} comes {near}, then {far}, never {values.stop}'
    fitting = max(1, round(steps)) + 1
    hint = f"to: {near} ({_values(below + 1)}), to: {far} ({_values(below + 2)}), or count: {shortened(str(fitting))} in place of the step"
    return Problem("range-misses-end", (*path, "to"), message, hint)


def _values(count: int) -> str:
    return f"{shortened(str(count))} value{'s' if count != 1 else ''}"


def _check_counted(name: str, values: Counted, path: Path) -> Iterator[Problem]:
    if values.scale == "log" and min(values.start, values.stop) <= 0:
        end = "from" if values.start <= 0 else "to"
        message = f'"{name}" has a logarithmic scale, and that has no {min(values.start, values.stop)}'
        yield Problem("log-of-nothing", (*path, end), message, "both ends have to be above 0")
    if (values.count == 1) != (values.start == values.stop):
        message = f'{_values(values.count)} of "{name}" cannot run from {values.start} to {values.stop}'
        yield Problem(
            "wrong-count",
            (*path, "count"),
            message,
            "both ends are included: give at least 2, or one value as it is",
        )
