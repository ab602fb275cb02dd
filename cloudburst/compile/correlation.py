"""Rank correlations by putting each column into another order: no value changes, only which stand together.

R. L. Iman and W. J. Conover, A distribution-free approach to inducing rank correlation among input variables,
Communications in Statistics B11, 1982. So marginals stay as they are, a Latin hypercube stays one.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

Matrix = list[list[float]]
Pairs = Mapping[str, Mapping[str, float]]

_ROUNDING = 1e-9
"""A pivot that is no further below 0 than this is 0."""


# ── the matrix ───────────────────────────────────────────────────────────────────────────────
def groups(names: Sequence[str], pairs: Pairs) -> tuple[tuple[str, ...], ...]:
    """The names that hang together by their pairs, each group in the order of `names`."""
    group_of = {name: [name] for name in names}
    for first, others in pairs.items():
        for second in others:
            small, large = sorted((group_of[first], group_of[second]), key=len)
            if small is not large:
                large += small
                group_of |= dict.fromkeys(small, large)
    place = {name: number for number, name in enumerate(names)}
    found = {id(group): group for group in map(group_of.__getitem__, names)}
    return tuple(tuple(sorted(group, key=place.__getitem__)) for group in found.values() if len(group) > 1)


def matrix_of(names: Sequence[str], pairs: Pairs) -> Matrix:
    """The correlations of `names`, symmetric; 0 where nothing is said."""
    return [[1.0 if a == b else _of_pair(pairs, a, b) for b in names] for a in names]


def _of_pair(pairs: Pairs, first: str, second: str) -> float:
    return float(pairs.get(first, {}).get(second, pairs.get(second, {}).get(first, 0.0)))


def is_possible(matrix: Matrix) -> bool:
    """Whether some variables have these correlations: the matrix is positive semidefinite."""
    return cholesky(matrix) is not None


def cholesky(matrix: Matrix) -> Matrix | None:
    """The lower triangle L with L L' = matrix, or None when there is none."""
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for column in range(size):
        pivot = matrix[column][column] - math.fsum(value * value for value in lower[column][:column])
        if pivot < -_ROUNDING:
            return None
        root = math.sqrt(max(pivot, 0.0))
        lower[column][column] = root
        for row in range(column + 1, size):
            products = (a * b for a, b in zip(lower[row][:column], lower[column][:column], strict=True))
            rest = matrix[row][column] - math.fsum(products)
            if pivot > _ROUNDING:
                lower[row][column] = rest / root
            elif abs(rest) > math.sqrt(_ROUNDING):
                return None
    return lower


def offending(names: Sequence[str], pairs: Pairs) -> tuple[str, ...]:
    """The fewest of `names` that are impossible already, such that without any one of them the rest is possible."""
    left = list(names)
    for name in names:
        without = [other for other in left if other != name]
        if not is_possible(matrix_of(without, pairs)):
            left = without
    return tuple(left)


def largest_share(names: Sequence[str], pairs: Pairs) -> float:
    """By how much all correlations of `names` have to shrink to be possible, rounded down to hundredths."""
    matrix = matrix_of(names, pairs)

    def shrunk(hundredths: int) -> Matrix:
        return [
            [1.0 if i == j else value * hundredths / 100 for j, value in enumerate(row)]
            for i, row in enumerate(matrix)
        ]

    return max(share for share in range(100) if is_possible(shrunk(share))) / 100


# ── the orders ───────────────────────────────────────────────────────────────────────────────
def orders(columns: Sequence[Sequence[float]], matrix: Matrix) -> list[array[int]]:
    """For each column which of its places comes when, so that the columns have the rank correlations of `matrix`.

    The first column stays as it is. Ranks, not values, are looked at; with more points than columns, and columns
    that are not already in one order, the result misses by some thousandths at a few hundred points.
    """
    count = len(columns[0])
    scores = _scores(count)
    by_rank = [_sorted_places(column) for column in columns]
    drawn = [_put(scores, places) for places in by_rank]
    weights = _weights(drawn, matrix)
    found = []
    for places, row in zip(by_rank, weights, strict=True):
        wanted = _combined(drawn, row)
        order = array("q", bytes(8 * count))
        for place, source in zip(_sorted_places(wanted), places, strict=True):
            order[place] = source
        found.append(order)
    return found


def _scores(count: int) -> array[float]:
    """Van der Waerden's: the normal quantiles of the ranks."""
    from statistics import NormalDist  # costs more than most plans need

    inverse = NormalDist().inv_cdf
    return array("d", (inverse((rank + 1) / (count + 1)) for rank in range(count)))


def _sorted_places(column: Sequence[float]) -> list[int]:
    return sorted(range(len(column)), key=column.__getitem__)


def _put(scores: array[float], places: Sequence[int]) -> array[float]:
    column = array("d", bytes(8 * len(scores)))
    for score, place in zip(scores, places, strict=True):
        column[place] = score
    return column


def _combined(columns: Sequence[array[float]], weights: Sequence[float]) -> array[float]:
    used = [(column, weight) for column, weight in zip(columns, weights, strict=True) if weight]
    if len(used) == 1 and used[0][1] > 0:
        return used[0][0]
    rows = zip(*(column for column, _ in used), strict=True)
    factors = [weight for _, weight in used]
    return array("d", (sum(map(float.__mul__, factors, row)) for row in rows))


def _weights(drawn: Sequence[array[float]], matrix: Matrix) -> Matrix:
    """S = P Q⁻¹: P is of the correlations wanted, Q of those the columns have by chance already."""
    wanted = cholesky(_of_scores(matrix))
    wanted = wanted if wanted is not None else cholesky(matrix)
    present = cholesky(_correlations(drawn))
    assert wanted is not None  # noqa: S101  an impossible matrix is a diagnostic
    if present is None or min(row[place] for place, row in enumerate(present)) < 1e-3:
        return wanted  # two columns are in one order by chance: nothing can be taken off
    return [_solved(row, present) for row in wanted]


def _of_scores(matrix: Matrix) -> Matrix:
    """The correlations of normal scores whose ranks have those of `matrix` (Pearson, 1907)."""
    return [
        [value if i == j else 2 * math.sin(math.pi * value / 6) for j, value in enumerate(row)]
        for i, row in enumerate(matrix)
    ]


def _correlations(columns: Sequence[array[float]]) -> Matrix:
    """Of columns with mean 0 and one variance."""
    size = _dot(columns[0], columns[0])
    return [[_dot(a, b) / size for b in columns] for a in columns]


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return math.fsum(map(float.__mul__, first, second))


def _solved(row: Sequence[float], lower: Matrix) -> list[float]:
    """x with x L = row."""
    found = list(row)
    for place in reversed(range(len(row))):
        above = sum(found[later] * lower[later][place] for later in range(place + 1, len(row)))
        found[place] = (row[place] - above) / lower[place][place]
    return found
