"""Which point of its design a draw is: against what the method's definition says of it."""

from __future__ import annotations

from typing import Any

import pytest

from cloudburst.compile.drawn_from import MOST_ARRANGED, drawn_from, in_words
from cloudburst.compile.samplers import Drawn, columns, draw_sample
from cloudburst.spec.ensemble import LogNormal, Sample, Scipy, TruncNormal

from .nouns import Choice, Integers, Normal, Uniform, sample, vector

SEED = 7
UNIT = Uniform(0, 1)


def rules(one: Sample, number: int, drawn: Drawn | None = None) -> dict[str, str]:
    return drawn_from(one, SEED, drawn or Drawn(), number)


def values(one: Sample, name: str) -> list[Any]:
    column = columns(one, SEED)[name]
    return [column[number] for number in range(one.count)]


def test_the_stratum_of_a_latin_draw_is_where_its_value_lies() -> None:
    design = sample("lhs", 20, x=UNIT, y=UNIT)
    for number, x in enumerate(values(design, "x")):
        stratum = int(x * 20) + 1
        words = (
            f"LHS stratum {stratum} of 20, draw {number + 1}; uniform {{min: 0, max: 1}} at quantile {x:.4g}"
        )
        assert rules(design, number)["x"] == words


@pytest.mark.parametrize(("method", "words"), [("sobol", "Sobol' point"), ("halton", "Halton point")])
def test_a_sequence_has_a_dimension_for_every_component(method: str, words: str) -> None:
    found = rules(sample(method, 16, x=UNIT, v=vector("v", UNIT, 2), y=UNIT), 11)
    opening = {key: rule.partition(";")[0] for key, rule in found.items()}
    assert opening == {
        key: f"{words} 12 of 16, dimension {place}"
        for place, key in enumerate(["x", "v[0]", "v[1]", "y"], start=1)
    }


def test_saltelli_says_the_matrix_and_whose_column_it_is() -> None:
    design = sample("saltelli", 4, x=UNIT, y=UNIT)
    said = [rules(design, 6 + turn) for turn in range(6)]
    assert [one["x"].partition(";")[0] for one in said] == [
        "saltelli: matrix A, here A's",
        "saltelli: matrix AB for x, here B's",
        "saltelli: matrix AB for y, here A's",
        "saltelli: matrix BA for x, here A's",
        "saltelli: matrix BA for y, here B's",
        "saltelli: matrix B, here B's",
    ]
    assert "base sample 2 of 4" in said[0]["x"]
    grouped = sample(
        "saltelli", 4, options={"groups": {"g": ["x", "y"]}, "second_order": False}, x=UNIT, z=UNIT, y=UNIT
    )
    assert rules(grouped, 1)["y"].startswith("saltelli: matrix AB for group g, here B's")
    assert rules(grouped, 2)["y"].startswith("saltelli: matrix AB for z, here A's")


def test_morris_names_what_moves_and_which_way() -> None:
    design = sample("morris", 3, x=UNIT, y=UNIT, z=UNIT)
    column = {name: values(design, name) for name in "xyz"}
    assert rules(design, 4)["x"].startswith("Morris trajectory 2 of 3, its start;")
    for number in (5, 6, 7):
        (name,) = [n for n in "xyz" if column[n][number] != column[n][number - 1]]
        sign = "+" if column[name][number] > column[name][number - 1] else "−"
        for rule in rules(design, number).values():
            assert rule.startswith(f"Morris trajectory 2 of 3, move {number - 4} of 3 ({name} {sign}Δ);")


def test_a_correlated_draw_says_from_where_it_was_moved() -> None:
    design = sample("lhs", 20, correlate={"x": {"y": 0.9}}, x=UNIT, y=UNIT, z=UNIT)
    free = sample("lhs", 20, x=UNIT, y=UNIT, z=UNIT)
    for drawn in (Drawn(), draw_sample(design, SEED)):
        for number, y in enumerate(values(design, "y")):
            came = values(free, "y").index(y) + 1
            moved = "stays in its place" if came == number + 1 else f"moved here from draw {came}"
            rule = rules(design, number, drawn)["y"]
            assert rule.startswith(f"LHS stratum {int(y * 20) + 1} of 20")
            assert rule.endswith(f"; rank rearranged to correlate with x: {moved}")
    assert "rank" not in rules(design, 0)["z"]


def test_the_order_of_a_large_sample_is_not_computed_to_be_told() -> None:
    design = sample("lhs", MOST_ARRANGED + 1, correlate={"x": {"y": 0.9}}, x=UNIT, y=UNIT)
    words = "LHS draw 1 of 100,001; uniform {min: 0, max: 1}; rank rearranged to correlate with x"
    assert rules(design, 0)["y"] == words


@pytest.mark.parametrize(
    ("distribution", "words"),
    [
        (Uniform(80.0, 140.5), "uniform {min: 80, max: 140.5}"),
        (Normal(1.0, 0.1), "normal {mean: 1, sd: 0.1}"),
        (TruncNormal(110, 20, 60, None), "truncnormal {mean: 110, sd: 20, min: 60}"),
        (LogNormal(0.5, 1), "lognormal {mu: 0.5, sigma: 1}"),
        (Integers(1, 6), "integers {min: 1, max: 6}"),
        (Choice(("a", "b")), "choice of 2"),
        (Choice(("a", "b"), (1, 3)), "choice of 2, weighted"),
        (Scipy("gumbel_r", {"loc": 3.0, "scale": 0.5}), "scipy {name: gumbel_r, loc: 3, scale: 0.5}"),
    ],
)
def test_distributions_in_the_words_of_the_file(distribution: Any, words: str) -> None:
    assert in_words(distribution) == words
