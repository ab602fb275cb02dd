"""The laws of the algebra: a space is a sequence, whatever its sources and conditions."""

from __future__ import annotations

from itertools import product as every
from math import prod
from typing import Any

import pytest
from compile.nouns import Counted, axis, block, ensemble
from hypothesis import given
from hypothesis import strategies as st
from properties.strategies import ensembles

from cloudburst.compile.identity import canonical
from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Ensemble


@given(ensembles())
def test_len_is_the_number_yielded(study: Ensemble) -> None:
    space = make_space(study)
    assert len(space) == len(list(space)) == space.count


@given(ensembles(), st.data())
def test_an_index_gives_what_iterating_gives(study: Ensemble, data: st.DataObject) -> None:
    jobs = make_jobs(study, make_space(study), {})
    listed = list(jobs)
    if listed:
        for index in data.draw(st.lists(st.integers(-len(listed), len(listed) - 1), min_size=3, max_size=12)):
            assert repr(jobs[index]) == repr(listed[index])
    part = data.draw(st.slices(len(listed)))
    assert list(map(repr, jobs[part])) == list(map(repr, listed[part]))
    assert jobs[part].count == len(listed[part])


@given(ensembles())
def test_rows_are_numbered_from_0_and_know_their_block(study: Ensemble) -> None:
    space = make_space(study)
    rows = list(space)
    assert [row.index for row in rows] == list(range(len(rows)))
    for block_space in space.blocks:
        mine = rows[block_space.start : block_space.start + block_space.count]
        assert [row.index for row in block_space] == [row.index for row in mine]
        assert all(row.block == block_space.block.name for row in mine)
        assert all(set(row.values) <= set(block_space.names) for row in mine)


@given(ensembles())
def test_the_arithmetic_adds_up(study: Ensemble) -> None:
    space = make_space(study)
    for part in space.arithmetic:
        assert part.product == prod(factor.count for factor in part.factors)
        assert part.count == part.product - part.merged - part.excluded - part.untaken
        assert min(part.merged, part.excluded, part.untaken, part.count) >= 0
    assert sum(part.count for part in space.arithmetic) == len(space)


@given(
    st.lists(
        st.lists(st.integers(0, 9) | st.text("ab", max_size=3), min_size=1, max_size=4, unique=True),
        max_size=4,
    )
)
def test_grid_points_are_distinct_and_complete(axes: list[list[Any]]) -> None:
    grid = block(*(axis(f"p{i}", *values) for i, values in enumerate(axes)))
    found = [tuple(row.values.values()) for row in make_space(ensemble(grid))]
    assert found == list(every(*axes))
    assert len(set(map(canonical, found))) == prod(map(len, axes))


@given(
    st.lists(st.sampled_from(["n3", "n6"]), min_size=1, max_size=2, unique=True),
    st.permutations(["network", "rule", "depth"]),
)
def test_with_when_every_distinct_point_is_there_exactly_once(networks: list[str], order: list[str]) -> None:
    axes = {
        "network": axis("network", *networks),
        "rule": axis("rule", "a", "b", when="network == 'n3'"),
        "depth": axis("depth", 1, 2, when="rule == 'b'"),
    }
    rows = [dict(row.values) for row in make_space(ensemble(block(*(axes[name] for name in order))))]
    expected: list[dict[str, Any]] = []
    for network in networks:
        if network == "n6":
            expected.append({"network": "n6"})
        else:
            expected.append({"network": "n3", "rule": "a"})
            expected += [{"network": "n3", "rule": "b", "depth": depth} for depth in (1, 2)]
    assert sorted(map(canonical, rows)) == sorted(map(canonical, expected))


@given(st.integers(0, 10**12 - 1))
def test_a_grid_of_a_trillion_is_indexed_at_once(index: int) -> None:
    space = make_space(ensemble(block(*(axis(f"p{i}", Counted(0, 99, 100)) for i in range(6)))))
    row = space[index]
    assert int("".join(f"{value:02}" for value in row.values.values())) == index
    assert space[index : index + 1][0] == row
    assert len(space) == 10**12


def test_beyond_what_len_can_say_there_is_count() -> None:
    space = make_space(ensemble(block(*(axis(f"p{i}", Counted(0, 99, 100)) for i in range(20)))))
    assert space.count == 10**40
    assert space[-1].index == 10**40 - 1
    with pytest.raises(OverflowError):
        len(space)
