"""`sample`, from the user's text to its nouns, and everything a schema cannot say about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudburst.spec import build
from cloudburst.spec.ensemble import (
    Beta,
    Exponential,
    Gamma,
    Integers,
    LogNormal,
    LogUniform,
    Normal,
    Poisson,
    Sample,
    Scipy,
    Triangular,
    TruncNormal,
    Uniform,
    Weibull,
)


def text(distribution: str, rest: str = "method: lhs, n: 8") -> str:
    return f"parameters: {{sample: {{{rest}, of: {{x: {distribution}, y: {{uniform: [0, 1]}}}}}}}}"


def sample_of(loaded: Any) -> Sample:
    assert [d.message for d in loaded.diagnostics if d.severity == "error"] == []
    assert build(loaded.normal) == loaded.ensemble
    (source,) = loaded.ensemble.blocks[0].sources
    assert isinstance(source, Sample)
    return source


# ── short and long ───────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("short", "long", "noun"),
    [
        ("{uniform: [80, 140]}", "{uniform: {min: 80, max: 140}}", Uniform(80, 140)),
        ("{loguniform: [1e-6, 1]}", "{loguniform: {min: 1e-6, max: 1}}", LogUniform(1e-6, 1)),
        ("{integers: [1, 6]}", "{integers: {min: 1, max: 6.0}}", Integers(1, 6)),
        ("{normal: [1, 2]}", "{normal: {mean: 1, sd: 2}}", Normal(1, 2)),
        (
            "{truncnormal: [1, 2, 0, 3]}",
            "{truncnormal: {mean: 1, sd: 2, min: 0, max: 3}}",
            TruncNormal(1, 2, 0, 3),
        ),
        ("{triangular: [0, 1, 4]}", "{triangular: {max: 4, mode: 1, min: 0}}", Triangular(0, 1, 4)),
        ("{exponential: 5}", "{exponential: {mean: 5}}", Exponential(5)),
        ("{weibull: [1.5, 10]}", "{weibull: {shape: 1.5, scale: 10}}", Weibull(1.5, 10)),
        ("{gamma: [1.5, 2]}", "{gamma: {shape: 1.5, scale: 2}}", Gamma(1.5, 2)),
        ("{beta: [2, 5]}", "{beta: {a: 2, b: 5, min: 0, max: 1}}", Beta(2, 5, 0, 1)),
        ("{poisson: 4}", "{poisson: {mean: 4}}", Poisson(4)),
    ],
)
def test_short_forms_mean_the_long_ones(read: Any, short: str, long: str, noun: Any) -> None:
    assert sample_of(read(text(short))).draws[0].distribution == noun
    assert sample_of(read(text(long))).draws[0].distribution == noun


def test_one_bound_may_be_missing_of_a_truncated_normal(read: Any) -> None:
    one = sample_of(read(text("{truncnormal: {mean: 1, sd: 2, min: 0}}")))
    assert one.draws[0].distribution == TruncNormal(1, 2, 0, None)


def test_a_lognormal_by_its_own_mean_or_by_its_logarithm(read: Any) -> None:
    by_log = sample_of(read(text("{lognormal: {mu: 1, sigma: 0.5}}"))).draws[0].distribution
    assert by_log == LogNormal(1, 0.5)
    own = sample_of(read(text("{lognormal: {mean: 3, sd: 1}}"))).draws[0].distribution
    assert isinstance(own, LogNormal)
    assert (own.mu, own.sigma) == pytest.approx((1.0459, 0.3246), abs=1e-4)


def test_scipy_by_scipys_names(read: Any) -> None:
    one = sample_of(read(text("{scipy: {name: rice, b: 2, loc: 1}}")))
    assert one.draws[0].distribution == Scipy("rice", {"b": 2, "loc": 1})


def test_methods_have_their_options_with_defaults(read: Any) -> None:
    plain = "{uniform: [0, 1]}"
    assert sample_of(read(text(plain))).options == {}
    assert sample_of(read(text(plain, "method: sobol, n: 8"))).options == {"scramble": True}
    crossed = sample_of(read(text(plain, "method: saltelli, n: 8, second_order: false, groups: {g: [x, y]}")))
    assert crossed.options == {"scramble": True, "second_order": False, "groups": {"g": ["x", "y"]}}
    assert crossed.count == 8 * 3
    walked = sample_of(read(text(plain, "method: morris, trajectories: 10, levels: 6")))
    assert (walked.n, walked.options["levels"], walked.count) == (10, 6, 30)


def test_what_was_a_normal_form_before_still_is_the_same(read: Any) -> None:
    loaded = read(text("{normal: {sd: 2, mean: 1}}", "method: lhs, n: 8, seed: 3"))
    assert list(loaded.normal["parameters"][0]["sample"].items()) == [
        ("method", "lhs"),
        ("n", 8),
        ("seed", 3),
        ("of", {"x": {"normal": {"sd": 2, "mean": 1}}, "y": {"uniform": [0, 1]}}),
    ]


# ── draws of many ────────────────────────────────────────────────────────────────────────────
def test_size_and_names(read: Any) -> None:
    assert sample_of(read(text("{normal: [0, 1], size: 3}"))).draws[0].components == ("x[0]", "x[1]", "x[2]")
    named = sample_of(read(text("{normal: [0, 1], names: [J1, J2]}"))).draws[0]
    assert named.components == ("x[J1]", "x[J2]")


def test_names_come_from_a_table(read: Any, tmp_path: Path) -> None:
    (tmp_path / "junctions.csv").write_text("id,z\n010,1\nJ2,2\n,3\n", "utf-8")
    one = sample_of(read(text("{uniform: [0, 1], names: {file: junctions.csv, column: id}}")))
    assert one.draws[0].names == ("010", "J2")


@pytest.mark.parametrize(
    ("names", "code", "words"),
    [
        ("{file: nodes.csv, column: id}", "no-such-file", "nodes.csv"),
        ("{file: junctions.csv, column: ids}", None, '"ids"'),
        ("{file: junctions.csv, column: twice}", "listed-twice", "line 3"),
        ("{file: junctions.csv, column: blank}", "empty", "no names"),
    ],
)
def test_names_that_are_not_there(
    read: Any, tmp_path: Path, names: str, code: str | None, words: str
) -> None:
    (tmp_path / "junctions.csv").write_text("id,twice,blank\n1,a,\n2,a,\n", "utf-8")
    (found,) = read(text(f"{{uniform: [0, 1], names: {names}}}")).diagnostics
    assert words in found.message
    assert code in (None, found.code)
    assert found.path.startswith("parameters.sample.of.x.names")


# ── what cannot be meant ─────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("distribution", "rest", "code", "path"),
    [
        ("{uniform: {min: 2, max: 1}}", "method: lhs, n: 8", "empty-range", "of.x.uniform"),
        ("{triangular: [0, 5, 4]}", "method: lhs, n: 8", "outside-its-bounds", "of.x.triangular"),
        ("{triangular: [4, 4, 4]}", "method: lhs, n: 8", "empty-range", "of.x.triangular"),
        ("{beta: {a: 1, b: 1, min: 2, max: 1}}", "method: lhs, n: 8", "empty-range", "of.x.beta"),
        ("{truncnormal: {mean: 0, sd: 1}}", "method: lhs, n: 8", "missing-key", "of.x.truncnormal"),
        ("{truncnormal: [0, 1, 3, 2]}", "method: lhs, n: 8", "empty-range", "of.x.truncnormal"),
        ("{truncnormal: [0, 1, 40, 41]}", "method: lhs, n: 8", "empty-range", "of.x.truncnormal"),
        ("{uniform: [0, 1], size: 2, names: [a]}", "method: lhs, n: 8", "too-many-kinds", "of.x.names"),
        ("{uniform: [0, 1]}", "method: lhs, n: 8, levels: 4", "option-of-another-method", "levels"),
        (
            "{uniform: [0, 1]}",
            "method: sobol, n: 8, correlate: {x: {y: 0.5}}",
            "option-of-another-method",
            "correlate",
        ),
        ("{uniform: [0, 1]}", "method: morris, n: 8, trajectories: 3", "option-of-another-method", "n"),
        ("{uniform: [0, 1]}", "method: morris, n: 8", "missing-key", ""),
        ("{uniform: [0, 1]}", "method: sobol", "missing-key", ""),
        ("{uniform: [0, 1]}", "method: morris, trajectories: 3, levels: 5", "odd-levels", "levels"),
        ("{exponential: 3}", "method: morris, trajectories: 3", "no-ends", "of.x.exponential"),
        (
            "{truncnormal: {mean: 0, sd: 1, min: 0}}",
            "method: morris, trajectories: 3",
            "no-ends",
            "of.x.truncnormal",
        ),
        (
            "{uniform: [0, 1]}",
            "method: lhs, n: 8, correlate: {x: {z: 0.5}}",
            "not-drawn-here",
            "correlate.x.z",
        ),
        (
            "{uniform: [0, 1], size: 2}",
            "method: lhs, n: 8, correlate: {x: {y: 0.5}}",
            "not-drawn-here",
            "correlate.x",
        ),
        ("{uniform: [0, 1]}", "method: lhs, n: 8, correlate: {x: {x: 0.5}}", "paired-twice", "correlate.x.x"),
        (
            "{uniform: [0, 1]}",
            "method: lhs, n: 8, correlate: {x: {y: 0}, y: {x: 0}}",
            "paired-twice",
            "correlate.y.x",
        ),
        ("{uniform: [0, 1]}", "method: lhs, n: 8, correlate: {x: {y: 1.5}}", "out-of-range", "correlate.x.y"),
        ("{uniform: [0, 1]}", "method: saltelli, n: 8, groups: {g: [z]}", "not-drawn-here", "groups.g[0]"),
        (
            "{uniform: [0, 1]}",
            "method: saltelli, n: 8, groups: {g: [x], h: [x, y]}",
            "listed-twice",
            "groups.h[0]",
        ),
    ],
)
def test_mistakes_have_their_place(read: Any, distribution: str, rest: str, code: str, path: str) -> None:
    (found,) = read(text(distribution, rest)).diagnostics
    assert (found.code, found.severity) == (code, "error")
    assert found.path == ".".join(filter(None, ("parameters.sample", path)))
    assert found.hint


@pytest.mark.parametrize("method", ["sobol", "saltelli"])
def test_a_size_that_is_no_power_of_two_is_warned_about(read: Any, method: str) -> None:
    (found,) = read(text("{uniform: [0, 1]}", f"method: {method}, n: 1000")).diagnostics
    assert (found.code, found.severity, found.hint) == ("not-a-power-of-two", "warning", "n: 512 or n: 1024")
