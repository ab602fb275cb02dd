"""Designs and distributions that are exact everywhere, as they were when they were first given out.

As for test_draws.py: a change here changes every study anyone has run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from compile.nouns import Choice, Integers, Uniform, block, ensemble, sample, vector

from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Poisson, Triangular

GOLDEN = json.loads(Path(__file__).with_name("designs.json").read_text("utf-8"))
N = {"random": 8, "lhs": 8, "sobol": 8, "halton": 8, "saltelli": 2, "morris": 2}


def drawn(method: str, **options: Any) -> dict[str, list[Any]]:
    bounded = {"u": Uniform(80, 140), "t": Triangular(0, 1, 4), "i": Integers(1, 6), "c": Choice(("a", "b"))}
    counted = {} if method == "morris" else {"p": Poisson(3.5)}
    many = {"v": vector("v", Uniform(-1, 1), size=2), "w": vector("w", Integers(0, 9), names=("J1", "ö"))}
    one = sample(method, N[method], options=options, **bounded, **counted, **many)
    rows = list(make_space(ensemble(block(one), seed=2018)))
    return {name: [row.values[name] for row in rows] for name in rows[0].values}


@pytest.mark.parametrize("method", N)
def test_designs_are_the_same_bits(method: str) -> None:
    assert drawn(method) == GOLDEN[method]


@pytest.mark.parametrize("method", ["sobol", "halton"])
def test_and_so_they_are_without_scrambling(method: str) -> None:
    assert drawn(method, scramble=False) == GOLDEN[f"{method} as it is"]


def test_groups_of_a_saltelli_design_too() -> None:
    assert drawn("saltelli", groups={"g": ["u", "v"]}, second_order=False) == GOLDEN["saltelli in groups"]
