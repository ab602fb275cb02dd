"""Ranges whose bounds are expressions: which values they have at one point of the space.

A bound sees `fixed` and the sources above its own. What it gives is read as the decimal it was meant
to be, so that `0.1 * 3` is 0.3 and a step lands where it would on paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..diagnostics import Path, Problem
from ..spec import progressions, ranges
from ..spec.checks import ZIP_HINT
from ..spec.ensemble import Axis, Bound, Bounded, Counted, Known, Stepped, Value
from .expressions import ExpressionError, expression
from .filters import RowError, describe, visible
from .sources import Part, Source, Together

_DIGITS = 12
"""Of a result whose decimal has at most so many the rest is the rounding of its computation."""


def parts_of(values: Bounded) -> dict[str, Bound]:
    """The bounds by their keys in the file."""
    bounds = {"from": values.start, "to": values.stop, "step": values.step}
    return {key: bound for key, bound in bounds.items() if bound is not None}


def expressions_of(axis: Axis) -> dict[Path, str]:
    """The expressions among an axis' bounds, by their places in the file."""
    if not isinstance(axis.values, Bounded):
        return {}
    bounds = parts_of(axis.values).items()
    return {(*axis.path, key): bound for key, bound in bounds if isinstance(bound, str)}


def names_in_bounds(axes: tuple[Axis, ...]) -> frozenset[str]:
    """All names in the bounds. Raises `ExpressionError` for one that cannot be read."""
    sources = [source for axis in axes for source in expressions_of(axis).values()]
    return frozenset[str]().union(*(expression(source).names for source in sources))


def as_written(name: str, values: Bounded) -> str:
    """`m from 1 to n * 2`."""
    return f"{name} from {values.start} to {values.stop}"


@dataclass(frozen=True)
class Dependent:
    """Axes that walk together (mostly one), some of which have bounds that hang on the point."""

    axes: tuple[Axis, ...]
    fixed: Mapping[str, Value]

    def __call__(self, point: Part) -> Source:
        """Their values at `point`. Raises `RowError` where a bound fails, or a range cannot be meant."""
        scope = {**self.fixed, **visible(point)}
        known = [known_at(axis, scope) for axis in self.axes]
        counts = [progressions.count(values) for values in known]
        for axis, count in zip(self.axes[1:], counts[1:], strict=True):
            if count != counts[0]:
                message = f'"{axis.name}" has {count:,} values, and "{self.axes[0].name}" beside it has {counts[0]:,}'
                raise _row_error(Problem("unequal-zip", axis.path, message, ZIP_HINT), scope)
        columns = {
            axis.name: progressions.column(values) for axis, values in zip(self.axes, known, strict=True)
        }
        return Together(columns, counts[0])


def known_at(axis: Axis, scope: Part) -> Known:
    """The values of an axis where names have the values of `scope`. Raises `RowError` as `Dependent` does."""
    values = axis.values
    if not isinstance(values, Bounded):
        return values
    bounds = {key: _number(bound, (*axis.path, key), scope) for key, bound in parts_of(values).items()}
    known = (
        Counted(bounds["from"], bounds["to"], values.count, values.scale)
        if values.count is not None
        else Stepped(bounds["from"], bounds["to"], bounds["step"])
    )
    for problem in ranges.check(axis.name, known, axis.path):
        raise _row_error(problem, scope)
    return known


def _number(bound: Bound, path: Path, scope: Part) -> int | float:
    if not isinstance(bound, str):
        return bound
    compiled = expression(bound)
    try:
        value = compiled(scope)
    except ExpressionError as error:
        raise RowError(path, f"where {describe(scope, error)}", error) from error
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong = ExpressionError(f"`{bound}` gives {value!r}, and a bound is a number")
        raise RowError(path, f"where {describe(scope, wrong)}", wrong)
    return as_meant(value)


def as_meant(value: int | float) -> int | float:
    """The short decimal that a result is within rounding of, if there is one; else the result."""
    if isinstance(value, int):
        return value
    short = float(f"{value:.{_DIGITS}g}")
    return short if abs(short - value) <= 1e-15 * abs(value) else value


def _row_error(problem: Problem, scope: Part) -> RowError:
    reason = ExpressionError(problem.message, problem.hint)
    return RowError(problem.path, f"where {describe(scope, reason)}", reason, problem.code)
