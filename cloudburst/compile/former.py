"""What rows had before it was a parameter: an axis' `was`. Where a row has just that value, its id and its seeds
are those it would have without the parameter; what its job receives has the value all the same.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from ..spec import progressions
from ..spec.ensemble import Axis, Known, Listed, Value
from .identity import canonical


@dataclass(frozen=True)
class Former:
    """The `was` of one block's axes, by parameter."""

    values: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, axes: Iterable[Axis]) -> Self:
        return cls({axis.name: axis.was.value for axis in axes if axis.was is not None})

    def among(self, values: Mapping[str, Value]) -> tuple[str, ...]:
        """The parameters that have in a row what every row had before."""
        return tuple(
            [name for name, was in self.values.items() if name in values and _same(values[name], was)]
        )

    def without(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """A row's values without these parameters; the very same where there are none."""
        return leave_out(values, self.among(values)) if self.values else values


def _same(value: Value, was: Value) -> bool:
    """As for ids. Most values differ at first sight, and then no text is made of them."""
    return value == was and canonical(value) == canonical(was)


def leave_out(values: Mapping[str, Value], names: Container[str]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in names}


def has(values: Known, wanted: Value) -> bool:
    """Whether a value is among these. Of a range it takes some twenty steps, however long it is: its values are in order."""
    if isinstance(values, Listed):
        text = canonical(wanted)
        return any(canonical(value) == text for value in values.values)
    if isinstance(wanted, bool) or not isinstance(wanted, int | float):
        return False
    column, rises = progressions.column(values), values.stop >= values.start
    low, high = 0, progressions.count(values)
    while low < high:
        middle = (low + high) // 2
        value = column[middle]
        assert isinstance(value, int | float)  # noqa: S101  what a range is made of
        if value == wanted:
            return True
        if (value < wanted) is rises:
            low = middle + 1
        else:
            high = middle
    return False
