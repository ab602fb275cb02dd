"""Draws that are computed, not rolled: each is a function of (seed, parameter name, sample number).

`designs` says where a point lies, `distributions` which value that is; here they become the columns of a sample.
What travels is taken as it was drawn, see `draws`; the rest is computed when it is asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..spec.ensemble import Distribution, Draw, Sample, Value
from ..spec.progressions import Column
from . import correlation, designs, library
from .designs import Positions
from .distributions import ToValue, needs_drawing, needs_library, value_of


@dataclass(frozen=True)
class Drawn:
    """What of a sample was drawn before, by the keys of its components.

    `values` are float64, int64 where they are whole by nature; `orders` are those of correlated columns that are
    computed: which of a column's places comes when.
    """

    values: Mapping[str, array[Any]] = field(default_factory=dict)
    orders: Mapping[str, array[int]] = field(default_factory=dict)


def columns(sample: Sample, study_seed: int, drawn: Drawn | None = None) -> dict[str, Column]:
    """The values of every sampled parameter, by its name."""
    numbers = Numbers(sample, study_seed, drawn or Drawn())
    return {draw.name: numbers.of(draw) for draw in sample.draws}


def column(sample: Sample, draw: Draw, study_seed: int) -> Column:
    """The values of one sampled parameter, computed when asked for."""
    return columns(sample, study_seed)[draw.name]


class Numbers:
    """The columns of one sample, a component each."""

    def __init__(self, sample: Sample, study_seed: int, drawn: Drawn, *, at_once: bool = False) -> None:
        self._sample, self._drawn, self._at_once = sample, drawn, at_once
        self._seed = study_seed if sample.seed is None else sample.seed

    def of(self, draw: Draw) -> Column:
        components = [self.component(key, draw.distribution) for key in draw.components]
        if draw.names is not None:
            return _Named(draw.names, components)
        return _Listed(components) if draw.is_vector else components[0]

    def component(self, key: str, distribution: Distribution) -> Column:
        """As it was drawn before, or else computed."""
        known = self._drawn.values.get(key)
        return known if known is not None else self.computed(key, distribution)

    def computed(self, key: str, distribution: Distribution) -> Column:
        if needs_library(distribution):
            return _ByLibrary(distribution, self.positions[key], self._sample.count)
        return _Computed(self.positions[key], value_of(distribution))

    @cached_property
    def positions(self) -> dict[str, Positions]:
        """By the keys of the components, correlated ones in their order."""
        correlated = {key for group in self._correlated for key in group}
        return {
            key: self._ordered(key, free) if key in correlated else free for key, free in self._free.items()
        }

    @cached_property
    def _free(self) -> dict[str, Positions]:
        """Before anything is correlated."""
        return designs.positions(self._sample, self._seed, at_once=self._at_once)

    def _ordered(self, key: str, free: Positions) -> Positions:
        known = self._drawn.orders.get(key)
        if known is not None:
            order = known
            return lambda number: free(order[number])
        return lambda number: free(self.orders[key][number])

    @property
    def _correlated(self) -> tuple[tuple[str, ...], ...]:
        names = [draw.name for draw in self._sample.draws]
        return correlation.groups(names, self._sample.correlate)

    @cached_property
    def orders(self) -> dict[str, array[int]]:
        """Of every correlated column which of its places comes when. Takes some microseconds a value."""
        found: dict[str, array[int]] = {}
        for group in self._correlated:
            shares = [_shares(self._free[key], self._sample.count) for key in group]
            matrix = correlation.matrix_of(group, self._sample.correlate)
            found |= zip(group, correlation.orders(shares, matrix), strict=True)
        return found


def draw_sample(sample: Sample, study_seed: int) -> Drawn:
    """What of a sample has to travel. Takes about a microsecond or two a value.

    Raises `library.LibraryMissing` and `library.Misfit`.
    """
    numbers = Numbers(sample, study_seed, Drawn(), at_once=True)
    values: dict[str, array[Any]] = {}
    orders: dict[str, array[int]] = numbers.orders if sample.correlate else {}
    for draw in sample.draws:
        for key in draw.components if needs_drawing(draw.distribution) else ():
            found = numbers.computed(key, draw.distribution)
            values[key] = _all_of(found, sample.count)
    return Drawn(values, {key: order for key, order in orders.items() if key not in values})


def _all_of(column: Column, count: int) -> array[Any]:
    if isinstance(column, _ByLibrary):
        return column.values
    return array("d", map(column.__getitem__, range(count)))


def _shares(positions: Positions, count: int) -> array[float]:
    return array("d", (part / whole for part, whole in map(positions, range(count))))


# ── columns ──────────────────────────────────────────────────────────────────────────────────
class _Computed:
    __slots__ = ("_positions", "_value")

    def __init__(self, positions: Positions, value: ToValue) -> None:
        self._positions, self._value = positions, value

    def __getitem__(self, number: int) -> Value:
        return self._value(*self._positions(number))


class _ByLibrary:
    """A library draws a column at once, when its first value is asked for."""

    def __init__(self, distribution: Distribution, positions: Positions, count: int) -> None:
        self._draw: Callable[[], array[Any]] = lambda: library.values(
            distribution, map(positions, range(count))
        )

    @cached_property
    def values(self) -> array[Any]:
        return self._draw()

    def __getitem__(self, number: int) -> Value:
        value: int | float = self.values[number]
        return value


class _Listed:
    def __init__(self, components: Sequence[Column]) -> None:
        self.width = len(components)
        self._components = components

    def __getitem__(self, number: int) -> Value:
        return [component[number] for component in self._components]


class _Named:
    def __init__(self, names: Sequence[str], components: Sequence[Column]) -> None:
        self.width = len(names)
        self._components = tuple(zip(names, components, strict=True))

    def __getitem__(self, number: int) -> Value:
        return {name: component[number] for name, component in self._components}
