"""The laws of sampling: what stays when a study is edited."""

from __future__ import annotations

import json
from typing import Any

from compile.nouns import Choice, Integers, Uniform, axis, block, ensemble, sample
from hypothesis import given
from hypothesis import strategies as st
from properties.strategies import distributions, seeds

from cloudburst.compile.designs import LatinPositions, random_positions
from cloudburst.compile.draws import Draws, draw
from cloudburst.compile.keyed import Permutation
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Distribution, Sample, Triangular

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


# ── designs ──────────────────────────────────────────────────────────────────────────────────
designs = st.sampled_from(["sobol", "halton", "saltelli", "morris"])
with_ends = st.one_of(
    st.builds(lambda low, width: Uniform(low, low + width), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)),
    st.builds(lambda low, span: Integers(low, low + span), st.integers(-99, 99), st.integers(0, 99)),
    st.builds(lambda few: Choice(tuple(few)), st.lists(st.integers(), min_size=1, max_size=4)),
    st.builds(
        lambda low, rise, fall: Triangular(low, low + rise, low + rise + fall), *[st.floats(0.1, 9)] * 3
    ),
)
bounded = st.dictionaries(st.sampled_from("abcdef"), with_ends, min_size=1, max_size=4)
grouped = st.sampled_from([{}, {"g": ["a"]}, {"g": ["a", "b"]}])


@given(designs, st.integers(1, 9), st.integers(0, 20), bounded, seeds, st.booleans())
def test_a_larger_design_keeps_its_first_rows(
    method: str, n: int, more: int, of: dict[str, Distribution], seed: int, scramble: bool
) -> None:
    options = {} if method == "morris" else {"scramble": scramble}
    small = columns(sample(method, n, options=options, **of), seed)
    large = columns(sample(method, n + more, options=options, **of), seed)
    assert {name: values[: len(small[name])] for name, values in large.items()} == small


@given(st.sampled_from(["sobol", "halton"]), st.integers(1, 20), bounded, with_ends, seeds)
def test_a_sequence_gains_a_last_parameter_and_keeps_the_others(
    method: str, n: int, of: dict[str, Distribution], new: Distribution, seed: int
) -> None:
    after = columns(sample(method, n, **of, new=new), seed)
    assert {name: after[name] for name in of} == columns(sample(method, n, **of), seed)


@given(st.integers(1, 6), st.integers(1, 4), st.booleans(), grouped, seeds)
def test_saltelli_and_morris_have_as_many_rows_as_their_formulas_say(
    n: int, width: int, second_order: bool, groups: dict[str, list[str]], seed: int
) -> None:
    of = {name: Uniform(0, 1) for name in "abcd"[: max(2, width)]}
    factors = len(of) - sum(len(names) - 1 for names in groups.values())
    crossed = sample("saltelli", n, options={"second_order": second_order, "groups": groups}, **of)
    walked = sample("morris", n, options={"groups": groups}, **of)
    assert len(columns(crossed, seed)["a"]) == n * (2 * factors + 2 if second_order else factors + 2)
    assert len(columns(walked, seed)["a"]) == n * (factors + 1)


@given(st.sampled_from(["random", "lhs"]), st.integers(3, 30), st.floats(-1, 1), sampled, seeds)
def test_correlating_two_leaves_every_column_its_values_and_the_rest_their_places(
    method: str, n: int, rank: float, of: dict[str, Distribution], seed: int
) -> None:
    of = {**of, "x": Uniform(0, 1), "y": Uniform(0, 1)}
    free = columns(sample(method, n, **of), seed)
    bound = columns(sample(method, n, correlate={"x": {"y": rank}}, **of), seed)
    assert {name: sorted(values) for name, values in free.items()} == {
        name: sorted(values) for name, values in bound.items()
    }
    assert all(bound[name] == free[name] for name in of if name not in ("x", "y"))


@given(st.sampled_from(["random", "lhs", "sobol", "halton", "saltelli"]), sizes, sampled, seeds)
def test_drawn_values_travel_bit_for_bit(method: str, n: int, of: dict[str, Distribution], seed: int) -> None:
    study = ensemble(block(sample(method, n, **of)), seed=seed)
    drawn = draw(study)
    travelled = Draws.from_json(json.loads(json.dumps(drawn.to_json())))
    assert travelled == drawn
    assert repr([row.values for row in make_space(study, travelled)]) == repr(
        [row.values for row in make_space(study)]
    )


@given(st.sampled_from(["random", "lhs", "sobol", "halton", "saltelli", "morris"]), seeds)
def test_a_design_of_any_size_is_indexed_at_once(method: str, seed: int) -> None:
    space = make_space(ensemble(block(sample(method, 3 << 40, a=Uniform(0, 1), b=Integers(1, 6))), seed=seed))
    assert space.count >= 3 << 40
    assert space[space.count - 1].values == space[space.count - 1 :: 1][0].values
