from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from compile.nouns import Choice, Integers, Uniform, block, ensemble, sample, vector
from SALib.analyze import morris as morris_analysis
from SALib.analyze import sobol as sobol_analysis
from scipy.stats import qmc

from cloudburst.compile.designs import HaltonPositions, SobolPositions, most_dimensions, positions
from cloudburst.compile.samplers import columns
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Sample

PI = 3.141592653589793
ISHIGAMI = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[-PI, PI]] * 3}
OF = {name: Uniform(-PI, PI) for name in "abc"}


def points(one: Sample) -> np.ndarray[Any, np.dtype[np.float64]]:
    """In the unit cube, a row a point."""
    found = positions(one, 7).values()
    return np.array([[part / whole for part, whole in (p(i) for p in found)] for i in range(one.count)])


def rows(one: Sample) -> np.ndarray[Any, np.dtype[np.float64]]:
    found = columns(one, 7).values()
    return np.array([[column[i] for column in found] for i in range(one.count)])


def cube(count: int) -> dict[str, Uniform]:
    return {f"x{number}": Uniform(0, 1) for number in range(count)}


def ishigami(x: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


# ── sequences ────────────────────────────────────────────────────────────────────────────────
def test_sobols_sequence_is_that_of_everybody() -> None:
    mine = points(sample("sobol", 256, options={"scramble": False}, **cube(60)))
    assert (mine == qmc.Sobol(60, scramble=False, bits=64).random(256)).all()


def test_the_last_dimension_of_sobol_is_there_too() -> None:
    last = most_dimensions() - 1
    position = SobolPositions(7, last, 64, False)
    theirs = qmc.Sobol(last + 1, scramble=False, bits=64).random(64)[:, last]
    assert [part / whole for part, whole in map(position, range(64))] == theirs.tolist()


def test_haltons_sequence_is_that_of_everybody() -> None:
    mine = points(sample("halton", 200, options={"scramble": False}, **cube(60)))
    assert mine == pytest.approx(qmc.Halton(60, scramble=False).random(200), abs=1e-14)


@pytest.mark.parametrize("method", ["sobol", "halton"])
def test_scrambled_points_hang_on_the_seed_and_fill_the_cube_better_than_chance(method: str) -> None:
    scrambled = points(sample(method, 512, **cube(6)))
    assert not np.isclose(
        scrambled, points(sample(method, 512, options={"scramble": False}, **cube(6)))
    ).any()
    chance = qmc.discrepancy(points(sample("random", 512, **cube(6))))
    assert qmc.discrepancy(scrambled) < chance / 5
    assert scrambled.min() >= 0
    assert scrambled.max() < 1


@pytest.mark.parametrize("dimension", [0, 1, 5, 300])
def test_scrambled_sobol_has_one_point_in_every_interval(dimension: int) -> None:
    position = SobolPositions(3, dimension, 256, True)
    strata = [part * 64 // whole for part, whole in map(position, range(64, 128))]
    assert sorted(strata) == list(range(64))


@pytest.mark.parametrize("base", [2, 3, 11, 263, 7919])
def test_scrambled_halton_has_one_point_in_every_interval(base: int) -> None:
    position = HaltonPositions(3, base, True)
    strata = [part * base // whole for part, whole in map(position, range(base))]
    assert sorted(strata) == list(range(base))


# ── saltelli ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 8 * (2 * 3 + 2)),
        ({"second_order": False}, 8 * (3 + 2)),
        ({"groups": {"g": ["a", "c"]}}, 8 * (2 * 2 + 2)),
        ({"groups": {"g": ["a", "c"]}, "second_order": False}, 8 * (2 + 2)),
    ],
)
def test_saltelli_rows_by_formula(options: dict[str, Any], count: int) -> None:
    one = sample("saltelli", 8, options=options, **OF)
    assert len(make_space(ensemble(block(one)))) == one.count == count


def test_saltelli_moves_one_factor_at_a_time() -> None:
    x = points(sample("saltelli", 4, options={"groups": {"g": ["a", "c"]}}, **OF)).reshape(4, 6, 3)
    a, ag, ab, bg, bb, b = (x[:, step] for step in range(6))
    assert (ag == np.stack([b[:, 0], a[:, 1], b[:, 2]], 1)).all()
    assert (ab == np.stack([a[:, 0], b[:, 1], a[:, 2]], 1)).all()
    assert (bg == np.stack([a[:, 0], b[:, 1], a[:, 2]], 1)).all()
    assert (bb == np.stack([b[:, 0], a[:, 1], b[:, 2]], 1)).all()


def test_ishigamis_indices_come_out_within_two_percent() -> None:
    found = sobol_analysis.analyze(ISHIGAMI, ishigami(rows(sample("saltelli", 2**13, **OF))), seed=1)
    assert found["S1"] == pytest.approx([0.3139, 0.4424, 0], rel=0.02, abs=0.01)
    assert found["ST"] == pytest.approx([0.5576, 0.4424, 0.2437], rel=0.02)
    assert found["S2"][0][2] == pytest.approx(0.2437, rel=0.02)


# ── morris ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("options", "count"), [({}, 5 * 4), ({"groups": {"g": ["a", "b"]}}, 5 * 3)])
def test_morris_rows_by_formula(options: dict[str, Any], count: int) -> None:
    one = sample("morris", 5, options=options, **OF)
    assert len(make_space(ensemble(block(one)))) == one.count == count


@pytest.mark.parametrize("levels", [2, 4, 10])
def test_in_a_trajectory_each_factor_moves_once_half_the_grid(levels: int) -> None:
    x = points(sample("morris", 50, options={"levels": levels}, **OF)).reshape(50, 4, 3) * (levels - 1)
    assert np.isclose(x, x.round()).all()
    moves = np.diff(x.round().astype(int), axis=1)
    assert (np.abs(moves).sum(axis=1) == levels // 2).all()
    assert (np.count_nonzero(moves, axis=2) == 1).all()
    assert set(np.unique(x.round())) == set(range(levels))
    assert len(set(map(tuple, np.argmax(np.abs(moves), axis=2).tolist()))) == 6


def test_ishigamis_elementary_effects_rank_as_published() -> None:
    x = rows(sample("morris", 20_000, **OF))
    found = morris_analysis.analyze(ISHIGAMI, x, ishigami(x), num_levels=4, num_resamples=2, seed=1)
    a, b, c = map(float, found["mu_star"])
    assert (a, b, c) == pytest.approx((7.70, 7.875, 6.25), rel=0.02)
    assert b > a > c
    assert found["sigma"][2] > found["sigma"][1] > found["sigma"][0]


def test_single_values_are_met_equally_often_on_a_morris_grid() -> None:
    one = sample("morris", 400, options={"levels": 4}, k=Integers(1, 8), c=Choice(("x", "y")))
    found = columns(one, 7)
    counts = Counter(found["k"][i] for i in range(one.count))
    assert set(counts) == {2, 4, 6, 8}
    assert {found["c"][i] for i in range(one.count)} == {"x", "y"}


# ── draws of many ────────────────────────────────────────────────────────────────────────────
def test_a_draw_of_many_is_a_list_or_a_map() -> None:
    one = sample(
        "lhs", 6, x=vector("x", Uniform(0, 1), size=3), y=vector("y", Integers(1, 6), names=("J1", "J2"))
    )
    found = [row.values for row in make_space(ensemble(block(one)))]
    assert all(len(values["x"]) == 3 and values["y"].keys() == {"J1", "J2"} for values in found)
    assert sorted(int(Fraction(values["x"][2]) * 6) for values in found) == list(range(6))
    assert sorted(values["y"]["J2"] for values in found) == [1, 2, 3, 4, 5, 6]


def test_more_of_many_keep_those_there_were() -> None:
    few, more = (
        columns(sample("random", 5, x=vector("x", Uniform(0, 1), size=size)), 7)["x"] for size in (2, 4)
    )
    assert [more[i][:2] for i in range(5)] == [few[i] for i in range(5)]
