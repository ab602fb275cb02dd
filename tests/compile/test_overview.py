"""How each parameter gets its values, a line each."""

from __future__ import annotations

from cloudburst.compile.overview import parameters_of
from cloudburst.spec.ensemble import Axis, Block, Files, Source

from .nouns import (
    Bounded,
    Counted,
    Stepped,
    Uniform,
    axis,
    block,
    cases,
    oat,
    replicates,
    sample,
    table,
    vector,
    zipped,
)


def rules(*sources: Source, **more: object) -> dict[str, str]:
    study: Block = block(*sources, **more)  # type: ignore[arg-type]
    return {one.name: one.rule for one in parameters_of(study, 2018)}


def test_every_kind_of_source_has_its_words() -> None:
    files = Axis("forcing", Files(("a.nc", "b.nc"), "*.nc"), ("parameters", "grid", "forcing"))
    assert rules(
        axis("network", "a", "b", "c", "d"),
        axis("demand", Stepped(0.8, 1.2, 0.1)),
        axis("decay", Counted(1, 100, 3, "log"), when="demand > 1"),
        axis("m", Bounded(1, "n * 2", count=3)),
        files,
        zipped(axis("pump", "P1"), axis("curve", "low")),
        fixed={"hours": 168, "n": 1},
    ) == {
        "hours": "168",
        "n": "1",
        "network": "4 values: a, b, c, …",
        "demand": "5 values, 0.8 … 1.2 by 0.1",
        "decay": "3 values, 1 … 100 in equal ratios; absent unless demand > 1",
        "m": "3 values, 1 … n * 2 in equal steps, for each point its own",
        "forcing": "2 files, *.nc",
        "pump": "1 value: P1, walks with curve",
        "curve": "1 value: low, walks with pump",
    }


def test_rows_draws_and_seeds() -> None:
    assert rules(
        cases({"x": 1}, {"x": 2, "y": 3}),
        table({"pipe": 1}, {"pipe": 2}, where="pipe > 1"),
        replicates(3),
        derive={"twice": "x * 2"},
    ) == {
        "x": "in 2 of 2 cases",
        "y": "in 1 of 2 cases",
        "pipe": "column of scenarios.csv, 2 rows, of which 1 where pipe > 1",
        "seed": "seeds of 3 replicates, from the study's 2018 and the row's parameters and their number",
        "twice": "derived from x: x * 2",
    }
    drawn = rules(
        sample(
            "lhs",
            20,
            None,
            {"a": {"b": 0.5}},
            a=Uniform(0, 1),
            b=Uniform(0, 1),
            v=vector("v", Uniform(0, 1), 3),
        )
    )
    opening = "lhs sample of 20, uniform {min: 0, max: 1}"
    assert drawn == {
        "a": f"{opening}, ranks correlated; seed 2018",
        "b": f"{opening}, ranks correlated; seed 2018",
        "v": f"{opening}, 3 draws at once; seed 2018",
    }
    assert rules(replicates(1, "s", paired=True)) == {
        "s": "seeds of 1 replicate, from the study's 2018 and their number alone (paired)"
    }


def test_one_at_a_time() -> None:
    assert rules(oat({"speed": 1.0, "material": "steel", "depth": 2}, 4, speed=0.1, material=["pvc"])) == {
        "speed": "one at a time: centre 1.0, 4 steps of 0.1 to each side",
        "material": "one at a time: centre steel, else 1 value: pvc",
        "depth": "one at a time: centre 2, never moves",
    }
