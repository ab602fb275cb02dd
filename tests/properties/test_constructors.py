"""Every constructor of a space beside every other, under everything a block can do with its rows.

What a block should be is said here by the plainest means, lists and `itertools`, from its sources taken alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product as every
from typing import Any

import pytest
from compile.nouns import (
    Bounded,
    Choice,
    Counted,
    Integers,
    Normal,
    Stepped,
    Uniform,
    axis,
    block,
    cases,
    ensemble,
    oat,
    replicates,
    sample,
    table,
    vector,
    zipped,
)
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.compile.expressions import expression
from cloudburst.compile.identity import canonical
from cloudburst.compile.space import Row, make_space
from cloudburst.spec.ensemble import Block, Files, Oat, Replicates, Source, Take, Triangular

Made = Mapping[str, Source]


def constructors(p: str) -> Made:
    """One source of each kind; the names they give begin with `p`."""
    return {
        "list": axis(f"{p}a", 1, "two", None, [3]),
        "step": axis(f"{p}a", Stepped(0.1, 0.3, 0.1)),
        "linear": axis(f"{p}a", Counted(0, 1, 3)),
        "log": axis(f"{p}a", Counted(1, 1000, 4, "log")),
        "bounds": axis(f"{p}a", Bounded("base", "base * 3", step="base")),
        "zip": zipped(axis(f"{p}a", "P1", "P2"), axis(f"{p}b", Stepped(1, 2, 1))),
        "zip of bounds": zipped(axis(f"{p}a", 5, 6, 7), axis(f"{p}b", Bounded("base", 1, count=3))),
        "cases": cases({f"{p}a": 1}, {f"{p}b": 2}, {f"{p}a": 3, f"{p}b": 4}),
        "table": table({f"{p}a": 1, f"{p}b": "x"}, {f"{p}a": 2}, {f"{p}b": "z"}, where="row != 1"),
        "random": sample("random", 3, **{f"{p}a": Uniform(0, 1), f"{p}b": Choice(("x", "y"))}),
        "lhs": sample("lhs", 4, **{f"{p}a": Normal(0, 1), f"{p}b": Integers(1, 9)}),
        "sobol": sample("sobol", 2, **{f"{p}a": Uniform(0, 1), f"{p}b": Integers(1, 9)}),
        "halton": sample("halton", 3, **{f"{p}a": Triangular(0, 1, 2), f"{p}b": Choice((1, 2))}),
        "saltelli": sample("saltelli", 1, **{f"{p}a": Uniform(0, 1), f"{p}b": Uniform(1, 2)}),
        "morris": sample("morris", 1, **{f"{p}a": Uniform(0, 1), f"{p}b": Integers(1, 9)}),
        "correlated": sample(
            "lhs",
            4,
            correlate={f"{p}a": {f"{p}b": 0.5}},
            **{f"{p}a": Uniform(0, 1), f"{p}b": Normal(0, 1)},
        ),
        "vectors": sample(
            "random",
            2,
            **{
                f"{p}a": vector(f"{p}a", Uniform(0, 1), size=2),
                f"{p}b": vector(f"{p}b", Normal(0, 1), names=("J1", "J2")),
            },
        ),
        "files": replace(axis(f"{p}a", 0), values=Files(("data/1.nc", "data/2.nc"), "data/*.nc")),
        "oat": oat({f"{p}a": 1, f"{p}b": "mid"}, 2, **{f"{p}a": 0.1, f"{p}b": ["low", "high"]}),
        "oat around": oat({f"{p}a": 0}, include_centre=False, **{f"{p}a": 1}),
        "replicates": replicates(3),
        "paired": replicates(2, paired=True),
    }


FIRST, SECOND = constructors("f"), constructors("s")
FIXED = {"base": 0.5}
PAIRS = [
    pytest.param(one, other, id=f"{name} x {beside}")
    for name, one in FIRST.items()
    for beside, other in SECOND.items()
    if not (isinstance(one, Replicates) and isinstance(other, Replicates))
]
each_pair = pytest.mark.parametrize(("one", "other"), PAIRS)


def rows_of(*blocks: Block) -> list[Row]:
    """All rows, after every way to ask for them has told the same."""
    space = make_space(ensemble(*blocks))
    rows = list(space)
    count = len(rows)
    assert len(space) == space.count == count
    assert list(space) == [row for row, _ in zip(space, space, strict=True)] == rows
    assert [space[index] for index in range(-count, count)] == rows * 2
    for part in (slice(None, None, -1), slice(1, None, 2), slice(2, -1), slice(count // 2, count)):
        assert list(space[part]) == rows[part]
    return rows


def points(rows: Iterable[Row]) -> list[str]:
    """Their parameters, seeds apart, with the replicate's number; as texts, to be compared and counted."""
    return [canonical([_without_seed(row), row.replicate]) for row in rows]


def _without_seed(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.values.items() if name != "seed"}


def both(one: Source, other: Source, **more: Any) -> Block:
    return block(one, other, fixed=FIXED, **more)


# ── the laws ─────────────────────────────────────────────────────────────────────────────────
@each_pair
def test_sources_multiply_and_the_first_is_slowest(one: Source, other: Source) -> None:
    alone = [rows_of(block(source, fixed=FIXED)) for source in (one, other)]
    expected = [
        canonical([{**_without_seed(slow), **_without_seed(fast)}, _replicate(slow, fast)])
        for slow, fast in every(*alone)
    ]
    assert points(rows_of(both(one, other))) == expected


def _replicate(*rows: Row) -> int | None:
    return next((row.replicate for row in rows if row.replicate is not None), None)


@each_pair
def test_blocks_add(one: Source, other: Source) -> None:
    first, second = block(one, fixed=FIXED, name="first"), block(other, fixed=FIXED, name="second")
    rows = rows_of(first, second)
    assert points(rows) == points(rows_of(first)) + points(rows_of(second))
    assert [row.index for row in rows] == list(range(len(rows)))


@each_pair
def test_a_shuffle_is_a_permutation_and_moves_no_seed(one: Source, other: Source) -> None:
    plain = rows_of(both(one, other))
    shuffled = rows_of(both(one, other, shuffle=3))
    assert Counter(canonical(row.values) for row in shuffled) == Counter(
        canonical(row.values) for row in plain
    )
    assert shuffled == rows_of(both(one, other, shuffle=3))
    assert [row.index for row in shuffled] == list(range(len(plain)))


@each_pair
def test_a_take_is_a_slice_of_what_the_order_gives(one: Source, other: Source) -> None:
    for shuffle in (None, 1):
        whole = [row.values for row in rows_of(both(one, other, shuffle=shuffle))]
        for take in (Take(2, 5), Take(3), Take(0, 1), Take(10**9, 2)):
            taken = rows_of(both(one, other, shuffle=shuffle, take=take))
            end = None if take.n is None else take.skip + take.n
            assert [row.values for row in taken] == whole[take.skip : end]


@each_pair
def test_an_exclude_filters(one: Source, other: Source) -> None:
    where = "(fa is defined and fa == 1) or (sa is defined and sa != 1) or replicate is defined and replicate == 1"
    holds = expression(where).holds
    plain = rows_of(both(one, other))
    kept = rows_of(both(one, other, exclude=[where]))
    expected = [row for row in plain if not holds(_scope(row))]
    assert points(kept) == points(expected)
    assert [row.values for row in kept] == [row.values for row in expected]
    fewer = rows_of(both(one, other, exclude=[where, "fb is defined and fb == 2"]))
    assert Counter(points(fewer)) <= Counter(points(kept)) <= Counter(points(plain))
    ordered = rows_of(both(one, other, exclude=[where], shuffle=1, take=Take(1, 3)))
    assert Counter(points(ordered)) <= Counter(points(expected))
    assert len(ordered) == max(0, min(3, len(expected) - 1))


def _scope(row: Row) -> dict[str, Any]:
    return {**row.values, **({} if row.replicate is None else {"replicate": row.replicate})}


@each_pair
def test_a_when_beside_them_multiplies_only_where_it_holds(one: Source, other: Source) -> None:
    where = "sa is defined and sa == 1 or fa is defined and fa == 1"
    holds = expression(where).holds
    extra = axis("extra", "x", "x", "y", when=where)
    expected: list[str] = []
    for row in rows_of(both(one, other)):
        found = [{"extra": value} for value in ("x", "x", "y")] if holds(row.values) else [{}]
        expected += [canonical([{**_without_seed(row), **more}, row.replicate]) for more in found]
    assert points(rows_of(block(one, other, extra, fixed=FIXED))) == expected


@each_pair
def test_a_bound_may_hang_on_what_stands_above_it(one: Source, other: Source) -> None:
    """Each point of the two gets as many values as its own bound says."""
    last = "(2 if fa is defined and fa == 1 else 1) + (2 if sa is defined and sa == 1 else 0)"
    uneven = axis("extra", Bounded(1, last, step=1))
    expected: list[str] = []
    for row in rows_of(both(one, other)):
        count = expression(last)(row.values)
        assert isinstance(count, int)
        expected += [
            canonical([{**_without_seed(row), "extra": value}, row.replicate])
            for value in range(1, count + 1)
        ]
    assert points(rows_of(block(one, other, uneven, fixed=FIXED))) == expected


@each_pair
def test_derived_values_are_the_expression_of_each_row(one: Source, other: Source) -> None:
    text = "[fa | default(0), sa | default(0), base]"
    rows = rows_of(both(one, other, derive={"d": text}))
    assert [row.values["d"] for row in rows] == [expression(text)(row.values) for row in rows]
    assert len(rows) == len(rows_of(both(one, other)))


@pytest.mark.parametrize("name", [name for name in FIRST if name not in ("replicates", "paired")])
def test_paired_seeds_are_equal_across_rows_and_others_are_not(name: str) -> None:
    paired = rows_of(block(FIRST[name], replicates(3, paired=True), fixed=FIXED))
    by_number: dict[Any, set[Any]] = {}
    for row in paired:
        by_number.setdefault(row.replicate, set()).add(row.values["seed"])
    assert [len(seeds) for seeds in by_number.values()] == [1, 1, 1]
    assert len(set.union(*by_number.values())) == 3
    own = rows_of(block(FIRST[name], replicates(3), fixed=FIXED))
    distinct = {canonical([_without_seed(row), row.replicate]) for row in own}
    assert len({row.values["seed"] for row in own}) == len(distinct)


def test_paired_seeds_hang_on_the_study_and_the_number_alone() -> None:
    study = ensemble(block(axis("a", 1, 2), replicates(3, paired=True), fixed=FIXED))
    other = ensemble(block(sample("lhs", 2, q=Uniform(0, 1)), replicates(3, "s", paired=True)))
    seeds = [row.values["seed"] for row in make_space(study)]
    assert seeds == [row.values["s"] for row in make_space(other)]
    assert set(seeds).isdisjoint(row.values["seed"] for row in make_space(replace(study, seed=8)))


@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.decimals("0.001", 9, places=3).map(float) | st.lists(st.text("xyz"), min_size=1, max_size=4),
        min_size=1,
    ),
    st.decimals(-9, 9, places=2).map(float),
    st.integers(1, 5),
    st.booleans(),
)
def test_one_at_a_time_counts_by_formula_and_moves_one(
    steps: dict[str, Any], centre: float, each_side: int, include: bool
) -> None:
    middle: dict[str, Any] = {"still": 1, **dict.fromkeys(steps, centre)}
    design: Oat = oat(middle, each_side, include_centre=include, **steps)
    rows = [dict(row.values) for row in rows_of(block(design))]
    sizes = [len(step) if isinstance(step, list) else 2 * each_side for step in steps.values()]
    assert len(rows) == include + sum(sizes)
    assert rows[:include] == [middle][:include]
    moved = [name for name, size in zip(steps, sizes, strict=True) for _ in range(size)]
    for row, name in zip(rows[include:], moved, strict=True):
        assert [one for one in middle if row[one] != middle[one]] == [name]
    for name, step in steps.items():
        values = [row[name] for row, one in zip(rows[include:], moved, strict=True) if one == name]
        assert values == (step if isinstance(step, list) else sorted(values))


# ── lazily ───────────────────────────────────────────────────────────────────────────────────
@given(st.integers(0, 10**12 - 6), st.none() | st.integers(0, 99))
def test_a_trillion_points_are_counted_ordered_and_taken_at_once(index: int, shuffle: int | None) -> None:
    grid = (axis(f"p{i}", Counted(0, 99, 100)) for i in range(5))
    whole = block(*grid, replicates(100, paired=True), shuffle=shuffle, take=Take(5))
    space = make_space(ensemble(whole))
    assert space.count == 10**12 - 5
    row = space[index]
    assert row == next(iter(space[index : index + 1]))
    if shuffle is None:
        digits = [*list(row.values.values())[:5], row.replicate]
        assert int("".join(f"{digit:02}" for digit in digits)) == index + 5
