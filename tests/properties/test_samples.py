"""The laws of sampling: what stays when a study is edited."""

from __future__ import annotations

from typing import Any

from compile.nouns import Uniform, axis, block, ensemble, sample
from hypothesis import given
from hypothesis import strategies as st
from properties.strategies import distributions, seeds

from cloudburst.compile.samplers import LatinPositions, Permutation, random_positions
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Distribution, Sample

sampled = st.dictionaries(st.sampled_from("abcdef"), distributions, min_size=1, max_size=4)
sizes = st.integers(1, 40)
methods = st.sampled_from(["random", "lhs"])


def columns(one: Sample, seed: int) -> dict[str, list[Any]]:
    rows = list(make_space(ensemble(block(one), seed=seed)))
    return {draw.name: [repr(row.values[draw.name]) for row in rows] for draw in one.draws}


@given(methods, sizes, sampled, distributions, seeds, st.randoms(use_true_random=False))
def test_adding_or_moving_a_parameter_changes_no_other(
    method: str, n: int, of: dict[str, Distribution], new: Distribution, seed: int, random: Any
) -> None:
    before = columns(sample(method, n, **of), seed)
    moved = [*of.items(), ("new", new)]
    random.shuffle(moved)
    after = columns(sample(method, n, **dict(moved)), seed)
    assert {name: after[name] for name in of} == before


@given(methods, sizes, sampled, seeds)
def test_an_axis_beside_it_changes_no_draw(
    method: str, n: int, of: dict[str, Distribution], seed: int
) -> None:
    one = sample(method, n, **of)
    rows = list(make_space(ensemble(block(one, axis("grid", 1, 2, 3)), seed=seed)))
    assert {name: [repr(row.values[name]) for row in rows[::3]] for name in of} == columns(one, seed)


@given(sizes, st.integers(0, 40), sampled, seeds)
def test_a_larger_random_sample_keeps_its_first_rows(
    n: int, more: int, of: dict[str, Distribution], seed: int
) -> None:
    small, large = columns(sample("random", n, **of), seed), columns(sample("random", n + more, **of), seed)
    assert {name: values[:n] for name, values in large.items()} == small


@given(sizes, st.integers(1, 3), sampled, seeds)
def test_a_doubled_latin_hypercube_keeps_its_first_rows(
    n: int, doublings: int, of: dict[str, Distribution], seed: int
) -> None:
    small, large = columns(sample("lhs", n, **of), seed), columns(sample("lhs", n << doublings, **of), seed)
    assert {name: values[:n] for name, values in large.items()} == small


@given(st.integers(1, 300), st.text(max_size=5), seeds)
def test_every_stratum_of_a_latin_column_has_one_value(n: int, name: str, seed: int) -> None:
    position = LatinPositions(seed, name, n)
    exact = [part * n // whole for part, whole in map(position, range(n))]
    assert sorted(exact) == list(range(n))


@given(st.integers(1, 64), seeds)
def test_and_so_have_its_values(n: int, seed: int) -> None:
    (values,) = columns(sample("lhs", n, x=Uniform(0, n)), seed).values()
    assert sorted(int(float(value)) for value in values) == list(range(n))


@given(seeds, st.text(max_size=5), st.integers(0, 2**60))
def test_positions_are_inside(seed: int, name: str, number: int) -> None:
    part, whole = random_positions(seed, name)(number)
    assert 0 <= part < whole


@given(st.integers(1, 2000), st.binary(min_size=48, max_size=48))
def test_a_permutation_meets_every_number_once(size: int, key: bytes) -> None:
    assert sorted(map(Permutation(size, key), range(size))) == list(range(size))
