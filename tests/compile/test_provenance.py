"""Each rule of a row in words, and what makes a parameter absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudburst.compile.draws import Draws
from cloudburst.compile.provenance import Provenance, provenance
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Axis, Block, Files, Take

from .nouns import (
    Bounded,
    Counted,
    Normal,
    Stepped,
    Uniform,
    axis,
    block,
    cases,
    ensemble,
    oat,
    replicates,
    sample,
    table,
    vector,
    zipped,
)

SHA = "a" * 64


def told(one: Block, row: int, files: Mapping[str, str] | None = None) -> Provenance:
    study = ensemble(one)
    (space,) = make_space(study).blocks
    return provenance(space, space[row], study.seed, Draws(), files or {})


def rules(one: Block, row: int) -> dict[str, tuple[Any, str]]:
    """Of every value the rule, and of what is absent None and the reason."""
    found = told(one, row)
    return {
        **{origin.name: (origin.value, origin.rule) for origin in found.origins},
        **{absent.name: (None, absent.rule) for absent in found.absent},
    }


def test_lists_and_ranges_say_which_element_or_step() -> None:
    study = block(
        axis("network", "a", "b", "c"),
        axis("demand", Stepped(0.8, 1.2, 0.1)),
        axis("share", Counted(0, 1, 3)),
        axis("decay", Counted(1, 100, 3, "log")),
        fixed={"hours": 168},
    )
    assert rules(study, 2 * 45 + 3 * 9 + 3 + 2) == {
        "hours": (168, "fixed"),
        "network": ("c", "element 3 of 3"),
        "demand": (1.1, "step 4 of 5, 0.8 … 1.2 by 0.1"),
        "share": (0.5, "step 2 of 3, 0 … 1 in equal steps"),
        "decay": (100, "step 3 of 3, 1 … 100 in equal ratios"),
    }


def test_a_bound_that_is_an_expression_has_the_range_of_this_row() -> None:
    study = block(axis("n", 1, 2), axis("m", Bounded("n", "n * 2", step=1)))
    assert rules(study, 4)["m"] == (4, "step 3 of 3, 2 … 4 by 1; from is n, to is n * 2")


def test_a_bound_over_what_is_absent_in_the_end_is_told_all_the_same() -> None:
    study = block(axis("s", "x", "y"), axis("n", 1, 2, when="s == 'x'"), axis("m", Bounded(1, "n", step=1)))
    found = rules(study, 3)
    assert found["n"] == (None, "its `when` s == 'x' is false")
    assert found["m"] == (1, "step 1 of 1, 1 … 1 by 1; to is n")


def test_a_zip_names_what_walks_along() -> None:
    study = block(zipped(axis("pump", "P1", "P2"), axis("curve", Stepped(1, 2, 1)), axis("at", 7, 8)))
    found = rules(study, 1)
    assert found["pump"] == ("P2", "zip element 2 of 2, walks with curve, at")
    assert found["curve"] == (2, "zip step 2 of 2, 1 … 2 by 1, walks with pump, at")


def test_cases_and_what_they_lack() -> None:
    study = block(cases({"x": 1}, {"x": 2, "y": 3}))
    assert rules(study, 0) == {"x": (1, "case 1 of 2"), "y": (None, "case 1 of 2 has none")}
    assert told(study, 1).origins[1].paths == (("parameters", "cases", 1, "y"),)


def test_a_row_of_a_table_has_its_number_and_line_in_the_file() -> None:
    study = block(table({"x": 1, "y": 1}, {"x": 2}, {"x": 3, "y": 5}, where="x > 1"))
    found = rules(study, 0)
    assert found["x"] == (2, "row 2 of scenarios.csv (line 3); its `where` keeps 2 of 3 rows")
    assert found["y"] == (None, "blank in scenarios.csv, line 3")
    data = told(study, 1).origins[0].data
    assert data is not None
    assert (data.file, data.line, data.sha256) == ("scenarios.csv", 4, "0" * 64)


def test_one_at_a_time() -> None:
    study = block(
        oat({"speed": 1.0, "depth": 2, "material": "steel"}, 2, speed=0.1, material=["pvc", "copper"])
    )
    centre = "centre, while speed moves (oat)"
    assert rules(study, 0)["speed"] == (1.0, "centre (oat)")
    assert rules(study, 1) == {
        "speed": (0.8, "−2 steps of speed (oat), 0.1 each from the centre 1.0"),
        "depth": (2, centre),
        "material": ("steel", centre),
    }
    assert rules(study, 3)["speed"] == (1.1, "+1 step of speed (oat), 0.1 each from the centre 1.0")
    assert rules(study, 6)["material"] == ("copper", "element 2 of 2, in place of the centre's steel (oat)")


def test_replicates_and_where_their_seed_comes_from() -> None:
    value, rule = rules(block(axis("x", 1, 2), replicates(3), fixed={"y": 0}), 4)["seed"]
    assert isinstance(value, int)
    assert rule == "replicate 2 of 3; seed from the study's 7, that number and the 2 parameters above"
    paired = block(axis("x", 1, 2), replicates(3, paired=True))
    assert rules(paired, 1)["seed"] == rules(paired, 4)["seed"]
    assert rules(paired, 4)["seed"][1].endswith("that number alone (paired)")


def test_derived_values_name_what_they_are_made_of() -> None:
    study = block(
        axis("leak", 0.1, 0.2),
        derive={"lps": "leak * 10", "kind": "'low' if lps < 2 else 'high'", "one": "1"},
    )
    assert rules(study, 1) == {
        "leak": (0.2, "element 2 of 2"),
        "lps": (2.0, "derived from leak: leak * 10"),
        "kind": ("high", "derived from lps: 'low' if lps < 2 else 'high'"),
        "one": (1, "derived: 1"),
    }


def test_a_file_is_known_by_its_content() -> None:
    forcing = Axis(
        "forcing", Files(("data/a.nc", "data/b.nc"), "data/*.nc"), ("parameters", "grid", "forcing")
    )
    (origin,) = told(block(forcing), 1, {"data/a.nc": "b" * 64, "data/b.nc": SHA}).origins
    assert (origin.value, origin.rule) == ("data/b.nc", "file 2 of 2 of data/*.nc")
    assert origin.data is not None
    assert (origin.data.file, origin.data.sha256, origin.data.line) == ("data/b.nc", SHA, None)


def test_a_draw_of_many_is_told_one_by_one() -> None:
    study = block(sample("random", 3, x=vector("x", Uniform(0, 1), names=("J1", "J2")), y=Normal(0, 1)))
    x, y = told(study, 1).origins
    assert x.rule == "2 draws, each of its own: random, 2 of 3"
    assert [(one.name, one.value) for one in x.elements] == list(x.value.items())  # type: ignore[union-attr]
    assert x.elements[0].rule.startswith("random draw 2 of 3; uniform {min: 0, max: 1} at quantile 0.")
    assert y.elements == ()


def test_the_place_of_a_row_among_those_excluded_shuffled_and_taken() -> None:
    one = block(
        axis("x", *range(10)), axis("y", 1, 2, 3), exclude=["x == 2", "x == 5"], shuffle=3, take=Take(4, 5)
    )
    (space,) = make_space(ensemble(one)).blocks
    (plain,) = make_space(ensemble(block(*one.sources, exclude=["x == 2", "x == 5"]))).blocks
    for index in range(5):
        way = space.way(index)
        assert plain[way.written].values == space[index].values
        x = space[index].values["x"]
        assert way.excluded == 3 * ((x > 2) + (x > 5))  # type: ignore[operator]
