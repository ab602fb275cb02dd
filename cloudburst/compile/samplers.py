"""Draws that are computed, not rolled: each is a function of (seed, parameter name, sample number).

A draw is first a position in [0, 1), an exact pair of integers (part, whole), and then a value of
its distribution. Uniform, integers and choice stay in integers to the last step, so they are the
same bits on every machine. Normal and loguniform pass through the machine's logarithm: `draws`
computes them once and lets them travel.
"""

from __future__ import annotations

import json
import math
from array import array
from bisect import bisect_right
from collections.abc import Callable
from hashlib import blake2b
from itertools import accumulate

from ..spec.ensemble import Choice, Distribution, Draw, Integers, LogUniform, Normal, Sample, Uniform, Value
from ..spec.progressions import Column, exact

Positions = Callable[[int], tuple[int, int]]
"""Sample number -> (part, whole) with 0 <= part < whole: the position part / whole."""

_VERSION = 1
_JITTER_BITS = 52
_WORD = 2**64 - 1
_UNKNOWN = _WORD
_REMEMBERED = 1 << 16
"""Of a Latin column's first rows the strata are kept: later rows are paired with them. 8 bytes each."""

_LARGEST_BELOW_ONE = 1 - 2**-53
_SMALLEST_ABOVE_ZERO = 2**-128


def needs_drawing(distribution: Distribution) -> bool:
    """Whether its values may differ in a last bit between machines, so that they must travel."""
    return isinstance(distribution, Normal | LogUniform)


def column(sample: Sample, draw: Draw, study_seed: int) -> Column:
    """The values of one sampled parameter, computed when asked for."""
    seed = study_seed if sample.seed is None else sample.seed
    return _Drawn(_positions(sample, draw.name, seed), _value_of(draw.distribution))


class _Drawn:
    __slots__ = ("_positions", "_value")

    def __init__(self, positions: Positions, value: Callable[[int, int], Value]) -> None:
        self._positions, self._value = positions, value

    def __getitem__(self, number: int) -> Value:
        return self._value(*self._positions(number))


# ── positions ────────────────────────────────────────────────────────────────────────────────
def _positions(sample: Sample, name: str, seed: int) -> Positions:
    if sample.method == "lhs":
        return LatinPositions(seed, name, sample.n)
    return random_positions(seed, name)


def _hash(size: int, *key: str | int) -> blake2b:
    """A hash to be copied and continued with a number; `size` is the digest's, in bytes."""
    text = json.dumps(["cloudburst", _VERSION, *key], separators=(",", ":"), ensure_ascii=True)
    return blake2b(text.encode(), digest_size=size)


def _bits(start: blake2b, number: int) -> int:
    digest = start.copy()
    digest.update(number.to_bytes(8, "big"))
    return int.from_bytes(digest.digest(), "big")


def random_positions(seed: int, name: str) -> Positions:
    """Independent and uniform, 128 bits each; a position depends on its own number alone."""
    start, whole = _hash(16, "random", seed, name), 1 << 128
    return lambda number: (_bits(start, number), whole)


class LatinPositions:
    """A Latin hypercube column of n = m * 2**k rows (m odd): one position in each of n strata.

    Built as m, 2m, 4m … rows. Each doubling halves every stratum; a row that joins is paired with
    an older one by a keyed permutation and takes the half that one is not in. So n and 2n share
    their first n rows. Within its stratum a row has 52 bits of jitter; they decide, from the
    highest on, in which half it is found at later doublings.
    """

    def __init__(self, seed: int, name: str, n: int) -> None:
        self._odd = n // (n & -n)
        self._jitter = _hash(8, "lhs", seed, name, self._odd, "jitter")
        self._permutations = [
            Permutation(
                max(self._odd, self._first(level)), _hash(48, "lhs", seed, name, self._odd, level).digest()
            )
            for level in range(self._level(n - 1) + 1)
        ]
        self._known = array("Q", [_UNKNOWN]) * min(n, _REMEMBERED)

    def __call__(self, row: int) -> tuple[int, int]:
        place = self._stratum(row) << _JITTER_BITS | self._jitter_of(row)
        return place, self._odd << (self._level(row) + _JITTER_BITS)

    def _level(self, row: int) -> int:
        """The doubling at which the row joined."""
        return (row // self._odd).bit_length()

    def _first(self, level: int) -> int:
        """The first row to join at this level, and how many there were before."""
        return self._odd << (level - 1) if level else 0

    def _jitter_of(self, row: int) -> int:
        return _bits(self._jitter, row) >> (64 - _JITTER_BITS)

    def _stratum(self, row: int) -> int:
        """The row's stratum among those of the level at which it joined."""
        if row >= len(self._known):
            return self._join(row)
        if self._known[row] == _UNKNOWN:
            self._known[row] = self._join(row)
        return self._known[row]

    def _join(self, row: int) -> int:
        level = self._level(row)
        drawn = self._permutations[level](row - self._first(level))
        if level == 0:
            return drawn
        halvings = level - self._level(drawn)
        place = self._stratum(drawn) << halvings | self._jitter_of(drawn) >> (_JITTER_BITS - halvings)
        return place ^ 1


class Permutation:
    """A keyed permutation of 0 … size - 1, one value at a time, in constant memory.

    A Feistel network over a rectangle just larger than `size`, walking on until it is inside
    (Black and Rogaway, Ciphers with arbitrary finite domains, 2002), with the finaliser of
    splitmix64 as its round function. `key` is 48 bytes: one 64-bit word a round.
    """

    __slots__ = ("_height", "_keys", "_size", "_width")

    def __init__(self, size: int, key: bytes) -> None:
        self._size = size
        self._width = math.isqrt(size - 1) + 1
        self._height = -(-size // self._width)
        words = [int.from_bytes(key[i : i + 8], "big") for i in range(0, 48, 8)]
        self._keys = tuple(zip(words[::2], words[1::2], strict=True))

    def __call__(self, value: int) -> int:
        while True:
            high, low = divmod(value, self._width)
            for first, second in self._keys:
                low = (low + _mix(high + first)) % self._width
                high = (high + _mix(low + second)) % self._height
            value = high * self._width + low
            if value < self._size:
                return value


def _mix(word: int) -> int:
    word &= _WORD
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    word = (word ^ word >> 27) * 0x94D049BB133111EB & _WORD
    return word ^ word >> 31


# ── values ───────────────────────────────────────────────────────────────────────────────────
def _value_of(distribution: Distribution) -> Callable[[int, int], Value]:
    if isinstance(distribution, Uniform):
        return _uniform(distribution)
    if isinstance(distribution, Integers):
        return _integers(distribution)
    if isinstance(distribution, Choice):
        return _choice(distribution)
    if isinstance(distribution, Normal):
        return _normal(distribution)
    return _loguniform(distribution)


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


def _choice(distribution: Choice) -> Callable[[int, int], Value]:
    values = distribution.values
    weights = [exact(w) for w in distribution.weights or (1,) * len(values)]
    unit = math.lcm(*(w.denominator for w in weights))
    bounds = list(accumulate(int(w * unit) for w in weights))
    total = bounds[-1]
    return lambda part, whole: values[bisect_right(bounds, part * total // whole)]


def _inside(part: int, whole: int) -> float:
    """The middle of the position's smallest step as a float strictly between 0 and 1."""
    return min(max((2 * part + 1) / (2 * whole), _SMALLEST_ABOVE_ZERO), _LARGEST_BELOW_ONE)


def _normal(distribution: Normal) -> Callable[[int, int], float]:
    from statistics import NormalDist  # costs more than most plans need

    inverse = NormalDist(distribution.mean, distribution.sd).inv_cdf
    return lambda part, whole: inverse(_inside(part, whole))


def _loguniform(distribution: LogUniform) -> Callable[[int, int], float]:
    low, high = float(distribution.low), float(distribution.high)
    start, width = math.log(low), math.log(high) - math.log(low)

    def value(part: int, whole: int) -> float:
        return min(max(math.exp(start + width * (part / whole)), low), high)

    return value
