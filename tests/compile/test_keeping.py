from __future__ import annotations

from typing import Any

import pytest
from compile.nouns import Normal, Uniform, block, ensemble, sample

from cloudburst.cli.views.plan import sampled
from cloudburst.compile.keeping import sample_forms
from cloudburst.spec.ensemble import Gamma


def form(method: str, n: int, libraries: Any = None, **of: Any) -> dict[str, Any]:
    (found,) = sample_forms(ensemble(block(sample(method, n, **of))), libraries or {})
    return found


@pytest.mark.parametrize(
    ("method", "points", "words"),
    [
        ("random", 8, "a larger n keeps these rows, and a new parameter changes no other's"),
        ("lhs", 8, "n doubled, once or more often, keeps these rows, any other larger n changes them all"),
        ("sobol", 8, "unless it is written last"),
        ("halton", 8, "unless it is written last"),
        ("saltelli", 48, "another second_order change them all"),
        ("morris", 24, "more trajectories keep these rows"),
    ],
)
def test_the_plan_says_which_rows_an_edit_keeps(method: str, points: int, words: str) -> None:
    found = form(method, 8, a=Uniform(0, 1), b=Uniform(0, 1))
    assert (found["n"], found["points"], found["drawn_by"]) == (8, points, {})
    assert words in sampled(found)
    assert sampled(found).startswith(f"{method} sample of main: ")


def test_correlations_keep_nothing_and_that_is_said() -> None:
    found = form("lhs", 8, correlate={"a": {"b": 0.5}}, a=Uniform(0, 1), b=Uniform(0, 1))
    assert "change all correlated values" in sampled(found)


def test_a_library_is_named_with_its_version_where_it_drew() -> None:
    libraries = {"scipy": "1.17.1"}
    assert sampled(form("lhs", 8, libraries, a=Gamma(2, 1))).endswith("; drawn by scipy 1.17.1")
    assert "scipy" not in sampled(form("lhs", 8, libraries, a=Normal(0, 1)))
