from __future__ import annotations

import sys
from collections import Counter
from typing import Any, get_args

import pytest
from compile.nouns import Integers, LogUniform, Normal, Uniform, block, ensemble, sample
from scipy import stats

from cloudburst.compile import library
from cloudburst.compile.distributions import value_of
from cloudburst.compile.draw_checks import check_drawn
from cloudburst.compile.draws import Draws, draw
from cloudburst.compile.samplers import columns
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import (
    Beta,
    Choice,
    Distribution,
    Exponential,
    Gamma,
    LogNormal,
    Poisson,
    Scipy,
    Triangular,
    TruncNormal,
    Weibull,
)

CONTINUOUS = [
    (Uniform(80, 140), stats.uniform(80, 60)),
    (LogUniform(1e-6, 1e-3), stats.loguniform(1e-6, 1e-3)),
    (Normal(5, 2), stats.norm(5, 2)),
    (TruncNormal(1, 0.5, 0, 2), stats.truncnorm(-2, 2, 1, 0.5)),
    (TruncNormal(0, 1, 5, 6), stats.truncnorm(5, 6)),
    (TruncNormal(0, 1, -9, -8), stats.truncnorm(-9, -8)),
    (TruncNormal(0, 1, -1, None), stats.truncnorm(-1, float("inf"))),
    (TruncNormal(0, 1, None, -4), stats.truncnorm(-float("inf"), -4)),
    (LogNormal(0, 0.25), stats.lognorm(0.25)),
    (Triangular(0, 1, 4), stats.triang(0.25, 0, 4)),
    (Triangular(0, 0, 4), stats.triang(0, 0, 4)),
    (Exponential(5), stats.expon(scale=5)),
    (Weibull(1.5, 10), stats.weibull_min(1.5, scale=10)),
    (Gamma(1.5, 2), stats.gamma(1.5, scale=2)),
    (Beta(2, 5, 0, 10), stats.beta(2, 5, 0, 10)),
    (Scipy("gumbel_r", {"loc": 3, "scale": 0.5}), stats.gumbel_r(3, 0.5)),
]


def values(method: str, n: int, distribution: Any) -> list[Any]:
    column = columns(sample(method, n, x=distribution), 11)["x"]
    return [column[number] for number in range(n)]


@pytest.mark.parametrize("method", ["random", "lhs", "sobol", "halton"])
@pytest.mark.parametrize(("distribution", "theirs"), CONTINUOUS, ids=lambda one: type(one).__name__)
def test_marginals_pass_the_test_of_kolmogorov_and_smirnov(
    method: str, distribution: Any, theirs: Any
) -> None:
    assert stats.kstest(values(method, 512, distribution), theirs.cdf).pvalue > 0.01


SINGLE = [
    (Integers(-2, 3), dict.fromkeys(range(-2, 4), 1 / 6)),
    (Choice(("a", "b", "c")), {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
    (Choice(("a", "b", "c"), (1, 0, 3)), {"a": 0.25, "c": 0.75}),
    (
        Poisson(2),
        {value: float(stats.poisson(2).pmf(value)) for value in range(5)}
        | {5: float(stats.poisson(2).sf(4))},
    ),
]


@pytest.mark.parametrize("method", ["random", "lhs", "sobol", "halton"])
@pytest.mark.parametrize(("distribution", "shares"), SINGLE, ids=lambda one: type(one).__name__)
def test_single_values_come_as_often_as_they_should(
    method: str, distribution: Any, shares: dict[Any, float]
) -> None:
    last = max(shares) if isinstance(distribution, Poisson) else None
    found = Counter(
        value if last is None else min(value, last) for value in values(method, 600, distribution)
    )
    assert found.keys() == shares.keys()
    expected = [share * 600 for share in shares.values()]
    assert stats.chisquare([found[value] for value in shares], expected).pvalue > 0.01


def test_every_distribution_there_is_has_its_marginals_tested() -> None:
    assert {type(one) for one, _ in [*CONTINUOUS, *SINGLE]} == set(get_args(Distribution))


@pytest.mark.parametrize("mean", [1e-9, 0.01, 0.5, 4, 37.5, 1e5])
def test_poissons_numbers_are_those_of_the_inverse(mean: float) -> None:
    shares = [(2 * number + 1) / 2000 for number in range(1000)]
    value = value_of(Poisson(mean))
    found = [value(2 * number + 1, 2000) for number in range(1000)]
    assert found == stats.poisson(mean).ppf(shares).astype(int).tolist()
    assert all(isinstance(number, int) for number in found)


def test_a_mean_of_a_billion_is_no_more_than_a_table() -> None:
    found = values("lhs", 200, Poisson(1e9))
    assert stats.kstest(found, stats.norm(1e9, 1e9**0.5).cdf).pvalue > 0.01


def test_discrete_ones_of_scipy_are_whole_numbers_here_and_after_travelling() -> None:
    study = ensemble(block(sample("lhs", 50, x=Scipy("binom", {"n": 10, "p": 0.3}), y=Gamma(2, 1))))
    before = [row.values for row in make_space(study, draw(study))]
    after = [row.values for row in make_space(study, Draws.from_json(draw(study).to_json()))]
    assert repr(before) == repr(after)
    assert all(isinstance(row["x"], int) for row in after)


def test_the_libraries_that_drew_travel_with_their_versions() -> None:
    drawn = draw(ensemble(block(sample("lhs", 3, x=Gamma(2, 1)))))
    assert drawn.libraries.keys() == {"scipy"}
    assert Draws.from_json(drawn.to_json()) == drawn
    assert "libraries" not in draw(ensemble(block(sample("lhs", 3, x=Normal(0, 1))))).to_json()


# ── what scipy cannot ────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("asked", "key", "words"),
    [
        (Scipy("gumbel", {}), "name", 'did you mean "gumbel_'),
        (Scipy("kstest", {}), "name", "scipy.stats"),
        (Scipy("gumbel_r", {"mean": 3}), "mean", "loc, scale"),
        (Scipy("rice", {}), None, "b, loc, scale"),
        (Scipy("rice", {"b": -1}), None, "scipy's documentation"),
        (Scipy("binom", {"n": 3, "p": 2}), None, ""),
    ],
)
def test_what_scipy_has_not_has_a_place_and_a_way_out(asked: Scipy, key: str | None, words: str) -> None:
    (problem,) = check_drawn(ensemble(block(sample("random", 3, x=asked))))
    assert problem.code == "no-such-distribution"
    path = ("parameters", "sample", "of", "x", "scipy")
    assert problem.path == (path if key is None else (*path, key))
    assert words in problem.hint


def test_without_scipy_there_is_one_sentence_and_everything_else_still_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    library._stats.cache_clear()
    one = sample("lhs", 3, x=Gamma(2, 1), y=Normal(0, 1), z=Integers(1, 3))
    (problem,) = check_drawn(ensemble(block(one)))
    assert (problem.code, problem.hint) == ("missing-extra", "pip install 'cloudburst[design]'")
    assert problem.path[-1] == "x"
    plain = ensemble(block(sample("sobol", 4, y=Normal(0, 1), z=Poisson(3))))
    assert list(check_drawn(plain)) == []
    assert len(list(make_space(plain, draw(plain)))) == 4
    monkeypatch.undo()
    library._stats.cache_clear()


def test_what_was_drawn_needs_no_scipy_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    study = ensemble(block(sample("lhs", 4, x=Gamma(2, 1))))
    form, rows = draw(study).to_json(), [row.values for row in make_space(study)]
    monkeypatch.setitem(sys.modules, "scipy", None)
    library._stats.cache_clear()
    assert [row.values for row in make_space(study, Draws.from_json(form))] == rows
    monkeypatch.undo()
    library._stats.cache_clear()
