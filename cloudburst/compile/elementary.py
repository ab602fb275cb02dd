"""Elementary functions with the same bits on every machine, for expressions.

A machine's own exp or sin may differ from another's in the last bit, and with it the id of a job.
These are computed with 60 decimal digits or more and rounded once. Domains and messages are those
of `math`: ValueError outside the domain, OverflowError beyond the floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException
from functools import cache

_DIGITS = 60
_LARGEST_EXACT_EXPONENT = 64
"""Up to here a power is multiplied out in integers and rounded once."""


def _context(digits: int = _DIGITS) -> Context:
    return Context(prec=digits, rounding=ROUND_HALF_EVEN)


def _decimal(number: float) -> Decimal:
    if not math.isfinite(number):
        raise ValueError("math domain error")
    return Decimal(number)


def _rounded(compute: Callable[[], Decimal]) -> float:
    try:
        result = float(compute())
    except DecimalException as error:
        raise OverflowError("math range error") from error
    if math.isinf(result):
        raise OverflowError("math range error")
    return result


def _positive(number: float) -> Decimal:
    if number <= 0:
        raise ValueError("math domain error")
    return _decimal(number)


def exp(number: float) -> float:
    exponent = _decimal(number)
    return _rounded(lambda: _context().exp(exponent))


def log(number: float, base: float | None = None) -> float:
    """The natural logarithm, or the one to `base`."""
    context, value = _context(), _ln(_positive(number))
    if base is None:
        return float(value)
    divisor = _ln(_positive(base))
    if not divisor:
        raise ZeroDivisionError("1 is no base of logarithms")
    return float(context.divide(value, divisor))


def _ln(number: Decimal) -> Decimal:
    return _context().ln(number)


def log10(number: float) -> float:
    return float(_context().log10(_positive(number)))


def power(base: float, exponent: float) -> float:
    """base ** exponent of real numbers; integers to a power of 0 or more stay integers."""
    if isinstance(exponent, int) or exponent.is_integer():
        return _whole_power(base, int(exponent), isinstance(exponent, int))
    if base < 0:
        raise ValueError("a negative number has no real power that is not whole")
    if base == 0:
        if exponent < 0:
            raise ZeroDivisionError("0 cannot be raised to a negative power")
        return 0.0
    return _rounded(lambda: _context().power(_decimal(base), _decimal(exponent)))


def _whole_power(base: float, exponent: int, keeps_integers: bool) -> float:
    if isinstance(base, int) and exponent >= 0:
        return base**exponent if keeps_integers else float(base**exponent)
    if base == 0 and exponent < 0:
        raise ZeroDivisionError("0 cannot be raised to a negative power")
    if not math.isfinite(base):
        raise ValueError("math domain error")
    if abs(exponent) > _LARGEST_EXACT_EXPONENT:
        return _rounded(lambda: _context().power(Decimal(base), Decimal(exponent)))
    above, below = base.as_integer_ratio()
    if exponent < 0:
        above, below, exponent = below, above, -exponent
    return float(above**exponent / below**exponent)


# ── circles ──────────────────────────────────────────────────────────────────────────────────
def sin(number: float) -> float:
    return float(_sin_cos(number)[0])


def cos(number: float) -> float:
    return float(_sin_cos(number)[1])


def tan(number: float) -> float:
    sine, cosine = _sin_cos(number)
    return float(_context().divide(sine, cosine))


def _sin_cos(number: float) -> tuple[Decimal, Decimal]:
    """Both, by Taylor's series around the nearest multiple of a quarter turn."""
    value = _decimal(number)
    context = _context(_DIGITS + 20 + max(0, value.adjusted()))
    quarter = context.divide(_pi(context.prec), Decimal(2))
    turns = context.to_integral_value(context.divide(value, quarter))
    rest = context.subtract(value, context.multiply(turns, quarter))
    sine, cosine = _series(rest, 1), _series(rest, 0)
    return ((sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine))[int(turns) % 4]


def _series(angle: Decimal, first: int) -> Decimal:
    """The sum of ± angle**n / n! over n = first, first + 2, …"""
    context = _context(_DIGITS + 20)
    square = context.multiply(angle, angle)
    term = context.plus(angle) if first else Decimal(1)
    total, n = Decimal(0), first
    while term and (not total or term.adjusted() > total.adjusted() - context.prec):
        total = context.add(total, term)
        term = -context.divide(context.multiply(term, square), Decimal((n + 1) * (n + 2)))
        n += 2
    return total


@cache
def _pi(digits: int) -> Decimal:
    """Machin's formula, 16 atan(1/5) - 4 atan(1/239), in integers."""
    unit = 10 ** (digits + 10)
    return Decimal(16 * _arctan_of_inverse(5, unit) - 4 * _arctan_of_inverse(239, unit)).scaleb(
        -(digits + 10), _context(digits + 10)
    )


def _arctan_of_inverse(number: int, unit: int) -> int:
    term = total = unit // number
    n, sign = 3, -1
    while term:
        term //= number * number
        total += sign * (term // n)
        n, sign = n + 2, -sign
    return total
