"""Draws, seeds and ids as they were when they were first given out: the same bits, everywhere, for good.

A change here changes every study anyone has run. It needs another version in `identity` or
`samplers`, and a line in the changelog; never a new golden file alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from compile.nouns import (
    Choice,
    Counted,
    Integers,
    LogUniform,
    Normal,
    Stepped,
    Uniform,
    axis,
    block,
    ensemble,
    replicates,
    sample,
)

from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.space import make_space

GOLDEN = json.loads(Path(__file__).with_name("draws.json").read_text("utf-8"))
ROWS = 12
EXACT = {
    "uniform": Uniform(80, 140),
    "narrow": Uniform(0.1, 0.3),
    "integers": Integers(-5, 10**20),
    "choice": Choice(("a", 2, None, True), (0.1, 0.2, 0.3, 0.4)),
    "größe": Choice((1.5, "x")),
}
MACHINE = {"normal": Normal(5, 2), "loguniform": LogUniform(1e-6, 1e-3)}


def drawn(method: str, **of: Any) -> dict[str, list[Any]]:
    rows = list(make_space(ensemble(block(sample(method, ROWS, **of)), seed=2018)))
    return {name: [row.values[name] for row in rows] for name in of}


@pytest.mark.parametrize("method", ["random", "lhs"])
def test_uniform_integers_and_choice_are_the_same_bits(method: str) -> None:
    assert drawn(method, **EXACT) == GOLDEN[method]["exact"]


@pytest.mark.parametrize("method", ["random", "lhs"])
def test_what_passes_a_logarithm_is_the_same_but_for_last_bits(method: str) -> None:
    for name, values in drawn(method, **MACHINE).items():
        assert values == pytest.approx(GOLDEN[method]["machine"][name], rel=1e-12)


def test_ranges_are_the_same_bits() -> None:
    grid = block(axis("log", Counted(3, 700, 7, "log")), axis("step", Stepped(-0.3, 0.3, 0.1)))
    rows = list(make_space(ensemble(grid)))
    assert [row.values["log"] for row in rows[::7]] == GOLDEN["ranges"]["log"]
    assert [row.values["step"] for row in rows[:7]] == GOLDEN["ranges"]["step"]


def test_seeds_and_ids_are_the_same() -> None:
    study = ensemble(
        block(
            axis("network", "net3.inp", "netz-ö.inp"),
            axis("demand", 1, 0.5),
            replicates(2),
            fixed={"hours": 168.0},
        ),
        job={
            "network": "{{ network }}",
            "options": {"seed": "{{ seed }}", "x": ["{{ demand * 1e3 }}", None, True]},
        },
        seed=2018,
    )
    jobs = make_jobs(study, make_space(study), {})
    assert [[job.row.values["seed"], job.id] for job in jobs] == GOLDEN["jobs"]


def test_the_ids_of_a_command() -> None:
    study = ensemble(block(axis("a", 1, 2)), command=("./solve", "{{ a }}"))
    assert [job.id for job in make_jobs(study, make_space(study), {})] == GOLDEN["command"]
