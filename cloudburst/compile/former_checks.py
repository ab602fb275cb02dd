"""What is wrong with an axis' `was`: it never comes, it is a file, or a text cannot be read without the parameter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..diagnostics import Problem
from ..spec.ensemble import Axis, Bounded, Ensemble, Files, Value
from .expressions import as_text
from .filters import axes
from .former import has
from .templates import Spot


def check_was(ensemble: Ensemble) -> Iterator[Problem]:
    """A `was` is one of the axis' values, where these are the same in every row, and no file."""
    for axis, was in _with_was(ensemble):
        path = (*axis.path, "was")
        if isinstance(axis.values, Files):
            message = "a file is known by its content, which may change: no row keeps its result for its name"
            yield Problem("was-of-files", path, message, "leave `was` out", at="key")
        elif not isinstance(axis.values, Bounded) and not has(axis.values, was):
            message = f"`{axis.name}` never is {_literal(was)}, so no row keeps its result"
            hint = f"give the value of `{axis.name}` that all rows had before, and have it among the values"
            yield Problem("was-never", path, message, hint, "warning")


def check_texts(ensemble: Ensemble, spots: Iterable[Spot]) -> Iterator[Problem]:
    """The id of a row with the value of `was` is made without the parameter: no text may need it."""
    former = {axis.name: (axis, was) for axis, was in _with_was(ensemble)}
    for spot in spots if former else ():
        needed = spot.expression.names - spot.expression.asked
        for name in sorted(needed & former.keys()) if not spot.optional else ():
            axis, was = former[name]
            literal = _literal(was)
            message = (
                f"where `{name}` is {literal}, the job's id is made without `{name}`, and this text needs it"
            )
            hint = f"say what stood here before it was a parameter: {{{{ {name} if {name} is defined else {literal} }}}}"
            related = (((*axis.path, "was"), "what it was"),)
            yield Problem("was-in-text", spot.path, message, hint, related=related)


def _with_was(ensemble: Ensemble) -> Iterator[tuple[Axis, Value]]:
    for block in ensemble.blocks:
        for source in block.sources:
            yield from ((axis, axis.was.value) for axis in axes(source) if axis.was is not None)


def _literal(value: Value) -> str:
    """As an expression would say it."""
    if isinstance(value, str):
        return repr(value)
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return as_text(value)
