from __future__ import annotations

from collections import Counter
from statistics import NormalDist
from typing import Any

import pytest
from compile.nouns import Choice, Integers, LogUniform, Normal, Uniform, sample

from cloudburst.compile.designs import LatinPositions, random_positions
from cloudburst.compile.keyed import Permutation
from cloudburst.compile.samplers import column


def drawn(method: str, n: int, distribution: Any, seed: int = 7, own_seed: int | None = None) -> list[Any]:
    one = sample(method, n, own_seed, x=distribution)
    values = column(one, one.draws[0], seed)
    return [values[i] for i in range(n)]


@pytest.mark.parametrize("method", ["random", "lhs"])
def test_draws_lie_in_their_range_and_fill_it(method: str) -> None:
    uniform = drawn(method, 1000, Uniform(80, 140))
    assert min(uniform) >= 80
    assert max(uniform) < 140
    assert abs(sum(uniform) / 1000 - 110) < 2
    assert Counter(drawn(method, 1000, Integers(1, 4))).keys() == {1, 2, 3, 4}
    scale = drawn(method, 1000, LogUniform(1e-6, 1e-3))
    assert 1e-6 <= min(scale) < 2e-6
    assert 5e-4 < max(scale) <= 1e-3
    normal = drawn(method, 1000, Normal(5, 2))
    assert abs(sum(normal) / 1000 - 5) < 0.2
    assert 50 < sum(value > 7 for value in normal) < 300


def test_a_choice_follows_its_weights_exactly_under_lhs() -> None:
    weighted = drawn("lhs", 1000, Choice(("a", "b", "c"), (0.1, 0.2, 0.7)))
    assert Counter(weighted) == {"a": 100, "b": 200, "c": 700}
    assert Counter(drawn("lhs", 900, Choice((1, "x", None)))) == {1: 300, "x": 300, None: 300}


def test_a_choice_of_weight_zero_never_comes() -> None:
    assert set(drawn("random", 500, Choice(("a", "b", "c"), (0, 1, 0)))) == {"b"}


def test_lhs_integers_come_equally_often() -> None:
    assert set(Counter(drawn("lhs", 400, Integers(-2, 1))).values()) == {100}


def test_the_extremes_of_the_floats_do_not_overflow() -> None:
    assert all(-1.7e308 <= value <= 1.7e308 for value in drawn("random", 100, Uniform(-1.7e308, 1.7e308)))


def test_lhs_normal_follows_the_inverse_of_the_normal() -> None:
    found = sorted(drawn("lhs", 100, Normal(0, 1)))
    bounds = [NormalDist().inv_cdf(i / 100) for i in range(1, 100)]
    assert all(a <= bound <= b for a, bound, b in zip(found, bounds, found[1:], strict=False))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 12, 40, 96, 100, 625, 1000, 1024])
def test_each_stratum_of_a_latin_column_is_hit_once(n: int) -> None:
    position = LatinPositions(7, "x", n)
    strata = [part * n // whole for part, whole in map(position, range(n))]
    assert sorted(strata) == list(range(n))


@pytest.mark.parametrize("odd", [1, 3, 25])
def test_doubling_keeps_the_rows_and_fills_the_other_halves(odd: int) -> None:
    longest = LatinPositions(7, "x", odd * 16)
    for n in (odd, odd * 2, odd * 4, odd * 8):
        position = LatinPositions(7, "x", n)
        assert [position(i) for i in range(n)] == [longest(i) for i in range(n)]


def test_the_sample_has_the_studys_seed_unless_it_has_its_own() -> None:
    assert drawn("lhs", 4, Uniform(0, 1), seed=1) != drawn("lhs", 4, Uniform(0, 1), seed=2)
    assert drawn("lhs", 4, Uniform(0, 1), seed=1, own_seed=2) == drawn("lhs", 4, Uniform(0, 1), seed=2)
    assert drawn("lhs", 4, Uniform(0, 1), seed=1, own_seed=0) == drawn("lhs", 4, Uniform(0, 1), seed=0)


@pytest.mark.parametrize("positions", [random_positions(7, "a"), LatinPositions(7, "a", 1000)])
def test_neighbouring_names_are_not_correlated(positions: Any) -> None:
    other = random_positions(7, "b") if positions(0)[1] == 2**128 else LatinPositions(7, "b", 1000)
    xs = [part / whole - 0.5 for part, whole in map(positions, range(1000))]
    ys = [part / whole - 0.5 for part, whole in map(other, range(1000))]
    assert abs(12 * sum(x * y for x, y in zip(xs, ys, strict=True)) / 1000) < 0.12


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100, 1009])
def test_a_permutation_permutes(size: int) -> None:
    permutation = Permutation(size, bytes(range(48)))
    assert sorted(map(permutation, range(size))) == list(range(size))


def test_small_permutations_come_about_equally_often() -> None:
    keys = (i.to_bytes(2, "big") * 24 for i in range(2400))
    seen = Counter(
        tuple(map(Permutation(4, bytes((b * 167 + j) % 256 for j, b in enumerate(key))), range(4)))
        for key in keys
    )
    assert len(seen) == 24
    assert max(seen.values()) < 250
