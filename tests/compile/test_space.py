from __future__ import annotations

import pytest
from compile.nouns import (
    Counted,
    Stepped,
    Uniform,
    axis,
    block,
    cases,
    ensemble,
    replicates,
    sample,
    table,
    zipped,
)

from cloudburst.compile.expressions import ExpressionError
from cloudburst.compile.filters import RowError
from cloudburst.compile.identity import replicate_seeds
from cloudburst.compile.space import Factor, Space, make_space
from cloudburst.spec.ensemble import Block


def space(*blocks: Block) -> Space:
    return make_space(ensemble(*blocks))


def points(*blocks: Block) -> list[tuple[object, ...]]:
    return [tuple(row.values.values()) for row in space(*blocks)]


def test_sources_multiply_and_the_first_is_slowest() -> None:
    assert points(block(axis("a", 1, 2), axis("b", "x", "y"), fixed={"h": 168})) == [
        (168, 1, "x"),
        (168, 1, "y"),
        (168, 2, "x"),
        (168, 2, "y"),
    ]


def test_a_zip_walks_together() -> None:
    group = zipped(axis("pump", "P1", "P2"), axis("curve", Counted(1, 2, 2)))
    assert points(block(group, axis("a", 0, 9))) == [("P1", 1, 0), ("P1", 1, 9), ("P2", 2, 0), ("P2", 2, 9)]


def test_blocks_add_and_may_lack_names() -> None:
    both = space(block(axis("a", 1, 2), name="main"), block(cases({"b": 3}, {"a": 4}), name="corners"))
    assert [(row.index, row.block, dict(row.values)) for row in both] == [
        (0, "main", {"a": 1}),
        (1, "main", {"a": 2}),
        (2, "corners", {"b": 3}),
        (3, "corners", {"a": 4}),
    ]
    assert both[2].block == "corners"
    assert both.names == ("a", "b")


def test_a_block_of_fixed_values_is_one_row() -> None:
    assert points(block(fixed={"a": 1})) == [(1,)]


def test_a_table_keeps_what_its_where_says_and_blank_cells_are_absent() -> None:
    rows = table({"pipe": "1", "d": 12}, {"pipe": "2"}, {"pipe": "3", "d": 8}, where="d > 9 or row == 2")
    assert points(block(rows)) == [("1", 12), ("3", 8)]


def test_when_makes_a_parameter_absent_and_keeps_the_point_once() -> None:
    conditional = block(
        axis("network", "n3", "n6"), axis("rule", "a", "b", when="network == 'n3'"), axis("d", 1, 2)
    )
    assert [dict(row.values) for row in space(conditional)] == [
        {"network": "n3", "rule": "a", "d": 1},
        {"network": "n3", "rule": "a", "d": 2},
        {"network": "n3", "rule": "b", "d": 1},
        {"network": "n3", "rule": "b", "d": 2},
        {"network": "n6", "d": 1},
        {"network": "n6", "d": 2},
    ]


def test_when_may_name_what_comes_later_and_what_may_be_absent_itself() -> None:
    chain = block(
        axis("tuning", 1, 2, when="rule == 'b'"),
        axis("rule", "a", "b", when="network == 'n3'"),
        axis("network", "n3", "n6"),
    )
    found = [dict(row.values) for row in space(chain)]
    assert found == [
        {"rule": "a", "network": "n3"},
        {"network": "n6"},
        {"tuning": 1, "rule": "b", "network": "n3"},
        {"tuning": 2, "rule": "b", "network": "n3"},
    ]


def test_a_zip_with_a_when_merges_only_where_all_of_it_is_absent() -> None:
    one = zipped(axis("a", 1, 2, when="k"), axis("b", 3, 4))
    both = zipped(axis("a", 1, 2, when="k"), axis("b", 3, 4, when="k"))
    assert points(block(axis("k", True, False), one)) == [(True, 1, 3), (True, 2, 4), (False, 3), (False, 4)]
    assert points(block(axis("k", True, False), both)) == [(True, 1, 3), (True, 2, 4), (False,)]


def test_whens_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ExpressionError, match="each needs the other"):
        space(block(axis("a", 1, when="b == 1"), axis("b", 1, when="a == 1")))


def test_exclude_by_value_and_by_where() -> None:
    grid = (axis("n", "a", "b"), axis("d", 1, 2, 3))
    assert points(block(*grid, exclude=[{"n": "a", "d": 2.0}, "d > 2 and n == 'b'"])) == [
        ("a", 1),
        ("a", 3),
        ("b", 1),
        ("b", 2),
    ]


def test_a_literal_exclude_takes_true_and_1_apart() -> None:
    assert points(block(axis("a", 1, True, [1]), exclude=[{"a": True}])) == [(1,), ([1],)]
    assert points(block(axis("a", 1, True, [1]), exclude=[{"a": [1.0]}])) == [(1,), (True,)]


def test_an_exclude_of_an_absent_parameter_does_not_match() -> None:
    rows = block(cases({"a": 1}, {"b": 1}), exclude=[{"a": 1}])
    assert points(rows) == [(1,)]
    assert points(block(cases({"a": 1}, {"b": 2}), exclude=["a == 1"])) == [(2,)]


def test_exclude_sees_derived_values_seeds_replicates_and_row() -> None:
    base = (axis("a", 1, 2), replicates(2))
    kept = space(block(*base, derive={"twice": "a * 2"}, exclude=["twice == 2 and replicate == 0"]))
    assert [(row.values["a"], row.replicate) for row in kept] == [(1, 1), (2, 0), (2, 1)]
    every = space(block(*base))
    assert [row.values for row in kept] == [{**row.values, "twice": row.values["a"] * 2} for row in every][1:]
    assert [row.values["a"] for row in space(block(*base, exclude=["row in [0, 3]"]))] == [1, 2]
    third = every[2].values["seed"]
    assert [row.values for row in space(block(*base, exclude=[f"seed == {third}"]))] == [
        row.values for row in every if row.index != 2
    ]


def test_row_in_an_exclude_counts_what_when_has_left() -> None:
    conditional = (axis("k", 1, 2), axis("a", 1, 2, when="k == 2"), axis("b", "x", "y"))
    assert points(block(*conditional, exclude=["row >= 4"])) == points(block(*conditional))[:4]


def test_replicates_have_numbers_and_seeds_of_their_sources_alone() -> None:
    with_derived = space(
        block(axis("a", 1, 2), replicates(3), derive={"x": "seed % 2", "y": "replicate + x"})
    )
    seeds = replicate_seeds(7, {"a": 2})
    rows = list(with_derived)
    assert [row.replicate for row in rows] == [0, 1, 2, 0, 1, 2]
    assert [row.values["seed"] for row in rows[3:]] == [seeds(0), seeds(1), seeds(2)]
    assert all(row.values["y"] == row.replicate + row.values["seed"] % 2 for row in rows)
    assert list(rows[0].values) == ["a", "seed", "x", "y"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_seed_does_not_hang_on_where_replicates_stands(place: int) -> None:
    sources = [axis("a", 1, 2), axis("b", True, 1)]
    sources.insert(place, replicates(2))  # type: ignore[arg-type]
    found = {
        (row.values["a"], str(row.values["b"]), row.replicate): row.values["seed"]
        for row in space(block(*sources))
    }
    assert len(set(found.values())) == 8
    seeds = replicate_seeds(7, {"a": 2, "b": True})
    assert (found[2, "True", 0], found[2, "True", 1]) == (seeds(0), seeds(1))


def test_every_grid_point_gets_the_same_draws() -> None:
    rows = list(space(block(axis("a", 1, 2), sample("random", 3, u=Uniform(0, 1)))))
    assert [row.values["u"] for row in rows[:3]] == [row.values["u"] for row in rows[3:]]
    assert len({row.values["u"] for row in rows}) == 3


def test_arithmetic_says_how_the_rows_come_about() -> None:
    found = space(
        block(
            axis("network", "n3", "n6"),
            axis("rule", "a", "b", when="network == 'n3'"),
            zipped(axis("pump", 1, 2, 3), axis("curve", 1, 2, 3)),
            sample("lhs", 4, u=Uniform(0, 1)),
            replicates(5),
            fixed={"h": 1},
            exclude=[{"network": "n6", "pump": 3}],
        ),
        block(cases({"a": 1}, {"a": 2}), table({"b": 1}), name="corners"),
    )
    main, corners = found.arithmetic
    assert main.factors == (
        Factor("network", 2),
        Factor("rule", 2),
        Factor("pump+curve", 3),
        Factor("lhs sample", 4),
        Factor("replicates", 5),
    )
    assert (main.product, main.merged, main.excluded, main.count) == (240, 60, 20, 160)
    assert corners.factors == (Factor("cases", 2), Factor("scenarios.csv", 1))
    assert (corners.product, corners.merged, corners.excluded, corners.count) == (2, 0, 0, 2)
    assert len(found) == 162


def test_a_trillion_points_count_index_and_slice_at_once() -> None:
    huge = space(block(*(axis(f"p{i}", Counted(0, 99, 100)) for i in range(6))))
    assert len(huge) == huge.count == 10**12
    assert list(huge[123456789012].values.values()) == [12, 34, 56, 78, 90, 12]
    assert [row.index for row in huge[10**12 - 2 :]] == [10**12 - 2, 10**12 - 1]
    assert huge.arithmetic[0].count == 10**12


def test_filters_on_a_few_axes_leave_the_rest_to_arithmetic() -> None:
    rest = (axis(f"p{i}", Counted(0, 99, 100)) for i in range(6))
    huge = space(block(axis("a", 1, 2), axis("b", 1, 2, when="a == 1"), *rest, exclude=[{"b": 2}]))
    assert huge.count == 2 * 10**12
    assert dict(huge[10**12].values) == {"a": 2} | {f"p{i}": 0 for i in range(6)}


def test_one_axis_may_be_a_trillion_long() -> None:
    assert space(block(axis("a", Stepped(0, 10**12 - 1, 1))))[123].values == {"a": 123}


def test_a_derived_value_that_fails_names_the_row_and_its_values() -> None:
    failing = space(block(axis("a", 1, 0), derive={"inverse": "1 / a"}))
    with pytest.raises(RowError) as caught:
        list(failing)
    assert caught.value.message == "row 1, where a=0: `1 / a` fails: division by zero"
    assert caught.value.problem.path == ("parameters", "derive", "inverse")


def test_a_condition_that_fails_names_the_point() -> None:
    with pytest.raises(RowError, match=r"where n=x.*: `n > 1` fails") as caught:
        list(space(block(axis("n", "x"), exclude=["n > 1"])))
    assert caught.value.problem.path == ("parameters", "exclude", 0, "where")
