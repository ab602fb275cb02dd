"""Ranges as exact numbers: `{from, to, step}` and `{from, to, count, scale}`, one value at a time.

The bounds mean the decimals the user wrote, so 0.1 to 0.3 by 0.1 is 0.1, 0.2, 0.3. Every value is
computed from integers (or, for `log`, from 50-digit decimals) and rounded once, so it does not
depend on the machine, on its neighbours or on how many there are.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import lcm
from typing import Protocol

from .ensemble import Counted, Known, Listed, Stepped, Value

_DIGITS = Context(prec=50, rounding=ROUND_HALF_EVEN)
_LONGEST_WHOLE_LOG = 1100
"""A geometric progression of different integers that floats can still hold has fewer terms."""


class Column(Protocol):
    """The values of one name, by position; a tuple is one."""

    def __getitem__(self, position: int, /) -> Value: ...


def exact(number: int | float) -> Fraction:
    """The decimal that was written: 0.1 is 1/10, not the binary fraction nearest to it."""
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def count(values: Known) -> int:
    """How many values there are, without making any."""
    if isinstance(values, Listed):
        return len(values.values)
    if isinstance(values, Counted):
        return values.count
    return max(0, (exact(values.stop) - exact(values.start)) // exact(values.step) + 1)


def column(values: Known) -> Column:
    if isinstance(values, Listed):
        return values.values
    if isinstance(values, Stepped):
        return _stepped(values)
    if values.scale == "log":
        return _logarithmic(values)
    return _linear(values)


def around(centre: int | float, step: int | float, each_side: int) -> Column:
    """2 * each_side + 1 values, from the lowest to the highest; the centre is in the middle."""
    whole = isinstance(centre, int) and isinstance(step, int)
    return _Progression(exact(centre) - each_side * exact(step), exact(step), whole)


class _Progression:
    """(first + position * step) / unit, all integers; whole numbers stay integers when `whole`."""

    __slots__ = ("_first", "_step", "_unit", "_whole")

    def __init__(self, first: Fraction, step: Fraction, whole: bool) -> None:
        self._unit = lcm(first.denominator, step.denominator)
        self._first = int(first * self._unit)
        self._step = int(step * self._unit)
        self._whole = whole and self._unit == 1

    def __getitem__(self, position: int) -> int | float:
        number = self._first + position * self._step
        return number if self._whole else number / self._unit


class _Logarithmic:
    """start * (stop / start) ** (position / last), rounded once; both ends are as written."""

    __slots__ = ("_first", "_growth", "_last", "_start", "_stop")

    def __init__(self, values: Counted) -> None:
        self._start, self._stop, self._last = float(values.start), float(values.stop), values.count - 1
        self._first = _DIGITS.ln(Decimal(repr(values.start)))
        self._growth = _DIGITS.subtract(_DIGITS.ln(Decimal(repr(values.stop))), self._first)

    def __getitem__(self, position: int) -> float:
        if position == 0:
            return self._start
        if position == self._last:
            return self._stop
        share = _DIGITS.divide(_DIGITS.multiply(self._growth, Decimal(position)), Decimal(self._last))
        return float(_DIGITS.exp(_DIGITS.add(self._first, share)))


class _Geometric:
    """first * (second / first) ** position where every term is an integer."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: int, second: int) -> None:
        self._first, self._second = first, second

    def __getitem__(self, position: int) -> int:
        if position == 0:
            return self._first
        return int(self._second**position // self._first ** (position - 1))


def _stepped(values: Stepped) -> Column:
    whole = all(isinstance(part, int) for part in (values.start, values.stop, values.step))
    return _Progression(exact(values.start), exact(values.step), whole)


def _linear(values: Counted) -> Column:
    first = exact(values.start)
    step = (exact(values.stop) - first) / max(1, values.count - 1)
    return _Progression(first, step, isinstance(values.start, int) and isinstance(values.stop, int))


def _logarithmic(values: Counted) -> Column:
    second = _whole_second(values)
    if second is not None and isinstance(values.start, int):
        return _Geometric(values.start, second)
    return _Logarithmic(values)


def _whole_second(values: Counted) -> int | None:
    """The second term when the whole progression is integers, such as 10 of 1, 10, 100, 1000."""
    last = values.count - 1
    if not (isinstance(values.start, int) and isinstance(values.stop, int)) or last > _LONGEST_WHOLE_LOG:
        return None
    if last < 1:
        return values.start
    second = _DIGITS.to_integral_value(Decimal(_Logarithmic(values)[1]))
    fits = int(second) ** last == values.start ** (last - 1) * values.stop
    return int(second) if fits else None
