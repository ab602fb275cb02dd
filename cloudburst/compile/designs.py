"""Where the points of a sample lie in the unit cube: one column of positions a component, each position an exact
pair of integers (part, whole) that is computed from (seed, name or dimension, number) alone.

Which values they become is `distributions`'.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path as File

from ..spec.ensemble import Choice, Distribution, Draw, Integers, Method, Sample
from .keyed import KEY_BYTES, Permutation, bits, digest_of, start_of

Positions = Callable[[int], tuple[int, int]]
"""Number of the point -> (part, whole) with 0 <= part < whole: the position part / whole.

A step of morris may stand at the very end, part == whole, but never of a distribution of single values.
"""

_JITTER_BITS = 52
_UNKNOWN = 2**64 - 1
_REMEMBERED = 1 << 16
"""Of a Latin sample's first rows the strata are kept: later rows are paired with them. 8 bytes each, over all
columns up to eight times as many."""

_DEPTH = 64
"""Binary digits of a position of sobol, and about as many of one of halton."""

_LISTED_BASE = 255
"""Up to here a permutation of a base's digits is listed; of a larger base few digits are ever asked for."""


def positions(sample: Sample, seed: int, *, at_once: bool = False) -> dict[str, Positions]:
    """The columns of the sample, by the keys of its components, in order.

    `at_once`: for who walks all of a column from its start. A Latin one is then remembered whole, 8 bytes a row,
    which changes nothing but its pace.
    """
    keys = [(key, draw) for draw in sample.draws for key in draw.components]
    if at_once and sample.method == "lhs":
        columns = _lhs(sample, keys, seed, sample.n)
    else:
        columns = _DESIGNS[sample.method](sample, keys, seed)
    return {key: column for (key, _), column in zip(keys, columns, strict=True)}


Keys = Sequence[tuple[str, Draw]]


# ── random ───────────────────────────────────────────────────────────────────────────────────
def _random(_: Sample, keys: Keys, seed: int) -> Iterator[Positions]:
    return (random_positions(seed, key) for key, _ in keys)


def random_positions(seed: int, name: str) -> Positions:
    """Independent and uniform, 128 bits each; a position depends on its own number alone."""
    start, whole = start_of(16, "random", seed, name), 1 << 128
    return lambda number: (bits(start, number), whole)


# ── lhs ──────────────────────────────────────────────────────────────────────────────────────
def _lhs(sample: Sample, keys: Keys, seed: int, remembered: int | None = None) -> Iterator[Positions]:
    shared = _REMEMBERED * 8 // max(8, len(keys)) if remembered is None else remembered
    return (LatinPositions(seed, key, sample.n, shared) for key, _ in keys)


class LatinPositions:
    """A Latin hypercube column of n = m * 2**k rows (m odd): one position in each of n strata.

    Built as m, 2m, 4m … rows. Each doubling halves every stratum; a row that joins is paired with
    an older one by a keyed permutation and takes the half that one is not in. So n and 2n share
    their first n rows. Within its stratum a row has 52 bits of jitter; they decide, from the
    highest on, in which half it is found at later doublings.
    """

    def __init__(self, seed: int, name: str, n: int, remembered: int = _REMEMBERED) -> None:
        self._odd = n // (n & -n)
        self._seed, self._name, self._n = seed, name, n
        self._remembered = min(n, remembered)
        self._known = array("Q")

    @cached_property
    def _jitter(self) -> blake2b:
        return start_of(8, "lhs", self._seed, self._name, self._odd, "jitter")

    @cached_property
    def _permutations(self) -> list[Permutation]:
        """Of each level. Made when a row is asked for: a sample can have thousands of columns nobody looks at."""
        return [
            Permutation(
                max(self._odd, self._first(level)),
                start_of(KEY_BYTES, "lhs", self._seed, self._name, self._odd, level).digest(),
            )
            for level in range(self._level(self._n - 1) + 1)
        ]

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
        return bits(self._jitter, row) >> (64 - _JITTER_BITS)

    def _stratum(self, row: int) -> int:
        """The row's stratum among those of the level at which it joined."""
        if row >= self._remembered:
            return self._join(row)
        if not self._known:
            self._known = array("Q", [_UNKNOWN]) * self._remembered
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


# ── sobol ────────────────────────────────────────────────────────────────────────────────────
def _sobol(sample: Sample, keys: Keys, seed: int) -> Iterator[Positions]:
    return (SobolPositions(seed, place, sample.n, _is_scrambled(sample)) for place in range(len(keys)))


def _is_scrambled(sample: Sample) -> bool:
    return bool(sample.options.get("scramble", True))


@cache
def sobol_lines() -> tuple[str, ...]:
    """A line a dimension: its primitive polynomial, then its first direction numbers."""
    text = File(__file__).with_name("sobol_directions.txt").read_text("ascii")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def most_dimensions() -> int:
    return len(sobol_lines())


class SobolPositions:
    """One dimension of Sobol's sequence in the order of the Gray code, as scipy and SALib give it.

    The direction numbers are Joe and Kuo's. Scrambled by a random lower triangular matrix and a digital shift
    (Matoušek, On the L2-discrepancy for anchored boxes, 1998), keyed by the seed and the dimension: every 2**k
    points from a multiple of 2**k on still have one in each of 2**k strata.
    """

    def __init__(self, seed: int, dimension: int, n: int, is_scrambled: bool) -> None:
        self._directions = _directions(sobol_lines()[dimension], max(1, (n - 1).bit_length()))
        self._shift = 0
        if is_scrambled:
            key = start_of(8, "sobol", seed, dimension)
            rows = [bits(key, row) >> (_DEPTH - row) << (_DEPTH - row) for row in range(_DEPTH)]
            matrix = [drawn | 1 << (_DEPTH - 1 - row) for row, drawn in enumerate(rows)]
            self._directions = [_times(matrix, direction) for direction in self._directions]
            self._shift = bits(key, _DEPTH)

    def __call__(self, number: int) -> tuple[int, int]:
        left, place, directions = number ^ number >> 1, self._shift, self._directions
        while left:
            lowest = left & -left
            place ^= directions[lowest.bit_length() - 1]
            left ^= lowest
        return place, 1 << _DEPTH


def _directions(line: str, count: int) -> list[int]:
    """The first `count` direction numbers of a dimension, as 64-bit fractions (Bratley and Fox, 1988)."""
    polynomial, *numbers = map(int, line.split())
    degree = polynomial.bit_length() - 1
    if degree == 0:
        return [1 << (_DEPTH - 1 - place) for place in range(count)]
    for place in range(degree, count):
        number = numbers[place - degree]
        for back in range(1, degree + 1):
            if polynomial >> (degree - back) & 1:
                number ^= numbers[place - back] << back
        numbers.append(number)
    return [number << (_DEPTH - 1 - place) for place, number in enumerate(numbers[:count])]


def _times(matrix: Sequence[int], vector: int) -> int:
    """A product of bits; the highest is the first."""
    product = 0
    for row in matrix:
        product = product << 1 | ((row & vector).bit_count() & 1)
    return product


# ── halton ───────────────────────────────────────────────────────────────────────────────────
def _halton(sample: Sample, keys: Keys, seed: int) -> Iterator[Positions]:
    bases = islice(_primes(), len(keys))
    return (HaltonPositions(seed, base, _is_scrambled(sample)) for base in bases)


def _primes() -> Iterator[int]:
    found: list[int] = []
    number = 2
    while True:
        if all(number % prime for prime in found if prime * prime <= number):
            found.append(number)
            yield number
        number += 1


class HaltonPositions:
    """One dimension of Halton's sequence: the digits of the point's number behind the point, in a prime base.

    Scrambled by a permutation for each digit, keyed by the seed, the base and the digit's place (Owen, A randomized
    Halton algorithm in R, 2017). The digits that no number reaches are permuted too, and the same in every point.
    """

    def __init__(self, seed: int, base: int, is_scrambled: bool) -> None:
        self._base = base
        self._length = -(-_DEPTH // (base.bit_length() - 1))
        self._permutations = [self._permutation(seed, place, is_scrambled) for place in range(self._length)]
        self._rest = self._rests()

    def _permutation(self, seed: int, place: int, is_scrambled: bool) -> Callable[[int], int]:
        if not is_scrambled:
            return range(self._base).__getitem__
        key = start_of(KEY_BYTES, "halton", seed, self._base, place).digest()
        permutation = Permutation(self._base, key)
        if self._base > _LISTED_BASE:
            return permutation
        return array("B", map(permutation, range(self._base))).__getitem__

    def _rests(self) -> list[int]:
        """For each place: the fraction's end from there on where all digits left are 0."""
        rests, value = [0], 0
        for place in reversed(range(self._length)):
            value += self._permutations[place](0) * self._base ** (self._length - 1 - place)
            rests.append(value)
        return rests[::-1]

    def __call__(self, number: int) -> tuple[int, int]:
        value, place, base = 0, 0, self._base
        while number:
            number, digit = divmod(number, base)
            value = value * base + self._permutations[place](digit)
            place += 1
        return value * base ** (self._length - place) + self._rest[place], base**self._length


# ── saltelli ─────────────────────────────────────────────────────────────────────────────────
def _saltelli(sample: Sample, keys: Keys, seed: int) -> Iterator[Positions]:
    """Saltelli's design over Sobol's sequence of twice as many dimensions, in the order of rows SALib analyses:
    of each base sample A, A with one factor of B for each, with second order B with one factor of A for each, B.

    A. Saltelli, Making best use of model evaluations to compute sensitivity indices, 2002.
    """
    count, width, factors = len(keys), sample.steps_of_a_base, sample.factors
    factor_of = {place: number for number, places in enumerate(factors) for place in places}
    scrambled = _is_scrambled(sample)
    for place in range(count):
        first = SobolPositions(seed, place, sample.n, scrambled)
        second = SobolPositions(seed, place + count, sample.n, scrambled)
        yield _crossed(first, second, _turns(width, len(factors), factor_of[place]))


def _turns(width: int, factors: int, own: int) -> bytes:
    """For each point of a base sample whether this column is that of B there."""
    turns = bytearray(width)
    turns[1 + own] = 1
    if width > factors + 2:
        turns[1 + factors : 1 + 2 * factors] = b"\1" * factors
        turns[1 + factors + own] = 0
    turns[-1] = 1
    return bytes(turns)


def _crossed(first: Positions, second: Positions, turns: bytes) -> Positions:
    width = len(turns)

    def position(number: int) -> tuple[int, int]:
        base, turn = divmod(number, width)
        return second(base) if turns[turn] else first(base)

    return position


# ── morris ───────────────────────────────────────────────────────────────────────────────────
def _morris(sample: Sample, keys: Keys, seed: int) -> Iterator[Positions]:
    """Trajectories on a grid of `levels`: in each every factor moves once, half the grid up or down.

    M. D. Morris, Factorial sampling plans for preliminary computational experiments, 1991. A start and a direction
    hang on (seed, name, trajectory), the order of the moves on (seed, trajectory).
    """
    factors, levels = sample.factors, int(sample.options["levels"])
    factor_of = {place: number for number, places in enumerate(factors) for place in places}
    order = _Order(seed, len(factors))
    for place, (key, draw) in enumerate(keys):
        yield _Walk(seed, key, order, factor_of[place], levels, _grid(draw.distribution, levels))


class _Order:
    """When each factor moves: a permutation of the factors for each trajectory."""

    def __init__(self, seed: int, factors: int) -> None:
        self.factors = factors
        self._start = start_of(KEY_BYTES, "morris", seed, factors)
        self._last: tuple[int, Permutation] | None = None

    def turn(self, trajectory: int, factor: int) -> int:
        if self._last is None or self._last[0] != trajectory:
            self._last = trajectory, Permutation(self.factors, digest_of(self._start, trajectory))
        return self._last[1](factor)


class _Walk:
    def __init__(
        self,
        seed: int,
        key: str,
        order: _Order,
        factor: int,
        levels: int,
        grid: Sequence[tuple[int, int]],
    ) -> None:
        self._start: blake2b = start_of(8, "morris", seed, key, levels)
        self._order, self._factor = order, factor
        self._half, self._grid = levels // 2, grid

    def __call__(self, number: int) -> tuple[int, int]:
        trajectory, step = divmod(number, self._order.factors + 1)
        drawn = bits(self._start, trajectory)
        level = (drawn >> 1) * self._half >> 63
        has_moved = step > self._order.turn(trajectory, self._factor)
        return self._grid[level + self._half if has_moved ^ (drawn & 1) else level]


def _grid(distribution: Distribution, levels: int) -> list[tuple[int, int]]:
    """The positions of the levels: from end to end, or the middles of equal shares of single values."""
    if isinstance(distribution, Integers | Choice):
        return [(2 * level + 1, 2 * levels) for level in range(levels)]
    return [(level, levels - 1) for level in range(levels)]


_DESIGNS: Mapping[Method, Callable[[Sample, Keys, int], Iterator[Positions]]] = {
    "random": _random,
    "lhs": _lhs,
    "sobol": _sobol,
    "halton": _halton,
    "saltelli": _saltelli,
    "morris": _morris,
}
