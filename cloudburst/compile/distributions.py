"""From a position in [0, 1) to a value: the inverse of each distribution function.

Uniform, integers and choice stay in integers to the last step; triangular and poisson need only what IEEE arithmetic
rounds the same way on every machine. The others pass through the machine's logarithm or through scipy and travel;
see `draws`. Where a law is not integers to the end, the position counts as the middle of its smallest step.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from ..spec.ensemble import (
    Beta,
    Choice,
    Distribution,
    Exponential,
    Gamma,
    Integers,
    LogNormal,
    LogUniform,
    Normal,
    Poisson,
    Scipy,
    Triangular,
    TruncNormal,
    Uniform,
    Value,
    Weibull,
    has_ends,
)
from ..spec.progressions import exact

ToValue = Callable[[int, int], Value]
"""(part, whole) -> the value at that share of all that can come."""

_LARGEST_BELOW_ONE = 1 - 2**-53
_SMALLEST_ABOVE_ZERO = 2**-128
_NEVER = 1e-30
"""What is so much rarer than the most likely number is left out of a sum of probabilities."""

LEAST_SHARE = 1e-300
"""Of a normal distribution: how far out in its tail there still is something to draw."""

_ROOT_TWO = math.sqrt(2)

_EXACT = (Uniform, Integers, Choice, Triangular, Poisson)
_LIBRARY = (Beta, Gamma, Scipy)


def needs_drawing(distribution: Distribution) -> bool:
    """Whether its values may differ in a last bit between machines, so that they must travel."""
    return not isinstance(distribution, _EXACT)


def needs_library(distribution: Distribution) -> bool:
    """Whether scipy draws it."""
    return isinstance(distribution, _LIBRARY)


def value_of(distribution: Distribution) -> ToValue:
    """How a position becomes a value. Not for what a library draws: `library.values` has that."""
    return _VALUES[type(distribution)](distribution)


def share(part: int, whole: int) -> float:
    """The middle of the position's smallest step as a float strictly between 0 and 1."""
    return min(max((2 * part + 1) / (2 * whole), _SMALLEST_ABOVE_ZERO), _LARGEST_BELOW_ONE)


# ── the same bits everywhere ─────────────────────────────────────────────────────────────────
def _uniform(distribution: Uniform) -> Callable[[int, int], float]:
    low, high = exact(distribution.low), exact(distribution.high)
    unit = math.lcm(low.denominator, high.denominator)
    first, last = int(low * unit), int(high * unit)

    def value(part: int, whole: int) -> float:
        # Integer division rounds once and correctly: no bit of it depends on the machine.
        return (first * (whole - part) + last * part) / (unit * whole)

    return value


def _integers(distribution: Integers) -> Callable[[int, int], int]:
    low, span = distribution.low, distribution.high - distribution.low + 1
    return lambda part, whole: low + part * span // whole


def _choice(distribution: Choice) -> ToValue:
    values = distribution.values
    weights = [exact(w) for w in distribution.weights or (1,) * len(values)]
    unit = math.lcm(*(w.denominator for w in weights))
    bounds = list(accumulate(int(w * unit) for w in weights))
    total = bounds[-1]
    return lambda part, whole: values[bisect_right(bounds, part * total // whole)]


def _triangular(distribution: Triangular) -> Callable[[int, int], float]:
    """Sums, products, quotients and square roots alone: IEEE 754 rounds each of them correctly."""
    low, mode, high = distribution.low, distribution.mode, distribution.high
    rise, fall, width = mode - low, high - mode, high - low
    turn = rise / width

    def value(part: int, whole: int) -> float:
        at = part / whole
        if at < turn:
            found = low + math.sqrt(at * width * rise)
        else:
            found = high - math.sqrt((whole - part) / whole * width * fall)
        return min(max(found, low), high)

    return value


def _poisson(distribution: Poisson) -> Callable[[int, int], int]:
    """Probabilities as multiples of the largest one, by their ratios: products and sums, no exponential."""
    first, sums = _poisson_sums(distribution.mean)
    total = sums[-1]
    last = len(sums) - 1
    return lambda part, whole: first + min(bisect_right(sums, part / whole * total), last)


def _poisson_sums(mean: float) -> tuple[int, list[float]]:
    """The first number that counts, and the running sums from there on."""
    mode = math.floor(mean)
    below, weight, number = [], 1.0, mode
    while number > 0 and weight > _NEVER:
        weight *= number / mean
        number -= 1
        below.append(weight)
    above, weight, number = [1.0], 1.0, mode
    while weight > _NEVER:
        number += 1
        weight *= mean / number
        above.append(weight)
    return mode - len(below), list(accumulate([*reversed(below), *above]))


# ── through the machine's logarithm ──────────────────────────────────────────────────────────
def _standard_normal() -> Callable[[float], float]:
    from statistics import NormalDist  # costs more than most plans need

    return NormalDist().inv_cdf


def _normal(distribution: Normal) -> Callable[[int, int], float]:
    from statistics import NormalDist

    inverse = NormalDist(distribution.mean, distribution.sd).inv_cdf
    return lambda part, whole: inverse(share(part, whole))


def _loguniform(distribution: LogUniform) -> Callable[[int, int], float]:
    low, high = float(distribution.low), float(distribution.high)
    start, width = math.log(low), math.log(high) - math.log(low)

    def value(part: int, whole: int) -> float:
        return min(max(math.exp(start + width * (part / whole)), low), high)

    return value


def _lognormal(distribution: LogNormal) -> Callable[[int, int], float]:
    inverse, mu, sigma = _standard_normal(), distribution.mu, distribution.sigma

    def value(part: int, whole: int) -> float:
        try:
            return math.exp(mu + sigma * inverse(share(part, whole)))
        except OverflowError:
            return math.inf

    return value


def truncated_shares(distribution: TruncNormal) -> tuple[float, float, bool]:
    """What of the normal lies below each bound, and whether it was mirrored to be told apart.

    A float cannot tell shares near 1 apart, and those near 0 it can.
    """
    low = -math.inf if distribution.low is None else (distribution.low - distribution.mean) / distribution.sd
    high = (
        math.inf if distribution.high is None else (distribution.high - distribution.mean) / distribution.sd
    )
    is_mirrored = low > 0
    if is_mirrored:
        low, high = -high, -low
    return math.erfc(-low / _ROOT_TWO) / 2, math.erfc(-high / _ROOT_TWO) / 2, is_mirrored


def _truncnormal(distribution: TruncNormal) -> Callable[[int, int], float]:
    inverse, mean, sd = _standard_normal(), distribution.mean, distribution.sd
    first, last, is_mirrored = truncated_shares(distribution)
    low = -math.inf if distribution.low is None else distribution.low
    high = math.inf if distribution.high is None else distribution.high
    start, end = (last, first) if is_mirrored else (first, last)
    is_bounded = has_ends(distribution)

    def value(part: int, whole: int) -> float:
        at = part / whole if is_bounded else share(part, whole)
        below = start + (end - start) * at
        below = min(max(below, LEAST_SHARE), _LARGEST_BELOW_ONE)
        deviation = inverse(below)
        return min(max(mean + sd * (-deviation if is_mirrored else deviation), low), high)

    return value


def _exponential(distribution: Exponential) -> Callable[[int, int], float]:
    mean = distribution.mean
    return lambda part, whole: -mean * math.log1p(-share(part, whole))


def _weibull(distribution: Weibull) -> Callable[[int, int], float]:
    scale, power = distribution.scale, 1 / distribution.shape

    def value(part: int, whole: int) -> float:
        try:
            return scale * math.pow(-math.log1p(-share(part, whole)), power)
        except OverflowError:
            return math.inf

    return value


_VALUES: Mapping[type, Callable[[Any], ToValue]] = {
    Uniform: _uniform,
    Integers: _integers,
    Choice: _choice,
    Triangular: _triangular,
    Poisson: _poisson,
    Normal: _normal,
    LogUniform: _loguniform,
    LogNormal: _lognormal,
    TruncNormal: _truncnormal,
    Exponential: _exponential,
    Weibull: _weibull,
}
