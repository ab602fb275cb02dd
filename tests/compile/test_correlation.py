from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compile.nouns import Choice, Integers, Normal, Uniform, block, ensemble, sample
from scipy.stats import spearmanr

from cloudburst.compile.correlation import groups, is_possible, largest_share, matrix_of, offending
from cloudburst.compile.draw_checks import check_drawn
from cloudburst.compile.draws import Draws, draw
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Exponential

PAIRS = {"a": {"b": 0.8, "c": -0.3}, "b": {"c": 0.1}}
OF: dict[str, Any] = {"a": Uniform(0, 1), "b": Normal(5, 2), "c": Exponential(3), "d": Uniform(0, 1)}


def rows(method: str, n: int, pairs: Any, drawn: bool = True, **of: Any) -> list[Any]:
    study = ensemble(block(sample(method, n, correlate=pairs, **of)))
    return [row.values for row in make_space(study, draw(study) if drawn else None)]


@pytest.mark.parametrize(
    ("method", "n", "tolerance"), [("random", 1000, 0.05), ("lhs", 1000, 0.05), ("lhs", 100, 0.12)]
)
def test_rank_correlations_are_those_asked_for(method: str, n: int, tolerance: float) -> None:
    found = spearmanr([[row[name] for name in "abcd"] for row in rows(method, n, PAIRS, **OF)]).statistic
    wanted = [[1, 0.8, -0.3], [0.8, 1, 0.1], [-0.3, 0.1, 1]]
    assert found[:3, :3] == pytest.approx(np.array(wanted), abs=tolerance)


@pytest.mark.parametrize("sign", [1, -1])
def test_one_and_minus_one_are_possible(sign: int) -> None:
    found = rows("lhs", 50, {"a": {"b": sign}}, a=Uniform(0, 1), b=Uniform(0, 1))
    assert spearmanr([[row["a"], row["b"]] for row in found]).statistic == pytest.approx(sign)


def test_only_the_order_of_values_changes_and_the_first_column_keeps_its_own() -> None:
    free, bound = rows("lhs", 64, {}, **OF), rows("lhs", 64, PAIRS, **OF)
    for name in OF:
        assert sorted(row[name] for row in free) == sorted(row[name] for row in bound)
    assert [(row["a"], row["d"]) for row in free] == [(row["a"], row["d"]) for row in bound]


def test_what_is_computed_and_what_is_drawn_travel_in_their_order() -> None:
    of = {"a": Integers(0, 10**30), "b": Normal(0, 1), "c": Choice(("low", "mid", "high"))}
    study = ensemble(block(sample("random", 40, correlate=PAIRS, **of)))
    travelled = Draws.from_json(draw(study).to_json())
    assert {key for columns in travelled.orders.values() for key in columns} == {"a", "c"}
    assert [row.values for row in make_space(study, travelled)] == rows(
        "random", 40, PAIRS, drawn=False, **of
    )


def test_names_hang_together_by_their_pairs() -> None:
    assert groups("abcdef", {"a": {"c": 0.1}, "e": {"d": 0.1}, "f": {"a": 0}}) == (
        ("a", "c", "f"),
        ("d", "e"),
    )


def test_the_offending_group_is_the_smallest() -> None:
    pairs = {"a": {"b": 0.9, "c": 0.9, "d": 0.1}, "b": {"c": -0.5}}
    assert offending("abcd", pairs) == ("a", "b", "c")
    share = largest_share("abc", pairs)
    shrunk = {
        first: {name: value * share for name, value in others.items()} for first, others in pairs.items()
    }
    assert is_possible(matrix_of("abc", shrunk))
    assert not is_possible(
        matrix_of("abc", {k: {n: v * (share + 0.01) for n, v in o.items()} for k, o in pairs.items()})
    )


def test_an_impossible_matrix_is_said_where_it_stands() -> None:
    pairs = {"a": {"d": 0.1, "b": 0.9, "c": 0.9}, "b": {"c": -0.5}}
    (problem,) = check_drawn(ensemble(block(sample("lhs", 100, correlate=pairs, **OF))))
    assert problem.code == "impossible-correlations"
    assert problem.path == ("parameters", "sample", "correlate", "a", "b")
    assert '"a", "b" and "c"' in problem.message
    assert "d" not in problem.message.replace("and", "").replace("correlated", "")
    assert [path[-2:] for path, _ in problem.related] == [("a", "c"), ("b", "c")]


def test_there_have_to_be_more_points_than_parameters() -> None:
    (problem,) = check_drawn(ensemble(block(sample("lhs", 3, correlate=PAIRS, **OF))))
    assert problem.code == "too-few-points"


@pytest.mark.parametrize("n", range(4, 12))
def test_few_points_never_fail(n: int) -> None:
    assert len(rows("random", n, PAIRS, **OF)) == n
