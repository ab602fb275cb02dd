"""What a study's points are called: names that clash, and the parameters that are tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudburst.compile.measurements import Names, few_valued, make_names, measurement_of, tag_text
from cloudburst.spec import load
from cloudburst.spec.ensemble import Ensemble, InfluxSink

SPEC = """\
cloudburst: 1
name: lakes
worker: {directory: code, entrypoint: "lakes:work"}
parameters:
  - block: main
    fixed: {hours: 168, seconds: 5}
    grid: {depth: [1, 2], id: [a, b], time: [c, d]}
    zip: [{pump: [P1, P2], curve: [low, high]}]
    sample: {method: random, n: 3, of: {leak: {uniform: [0, 1]}}}
    replicates: {n: 2, as: seed}
    derive: {half: "depth / 2"}
  - block: corners
    cases: [{depth: 9, wind: 3}]
"""


@pytest.fixture
def lakes(tmp_path: Path) -> Ensemble:
    (tmp_path / "ensemble.yaml").write_text(SPEC)
    found = load(tmp_path / "ensemble.yaml")
    assert found.ensemble, found.diagnostics
    return found.ensemble


def sink(*tags: str) -> InfluxSink:
    return InfluxSink("db", (), tags=tags or None)


def test_parameters_with_few_values_are_tags_and_the_others_fields(lakes: Ensemble) -> None:
    assert few_valued(lakes) == ("depth", "id", "time", "pump", "curve", "wind")
    names = make_names(lakes, sink())
    assert names.tags == {
        "depth": "depth",
        "id": "in.id",
        "time": "in.time",
        "pump": "pump",
        "curve": "curve",
        "wind": "wind",
    }
    assert names.fields == {
        "hours": "hours",
        "seconds": "in.seconds",
        "leak": "leak",
        "seed": "seed",
        "half": "half",
    }


def test_chosen_tags_are_these_and_no_others(lakes: Ensemble) -> None:
    names = make_names(lakes, sink("leak", "seconds"))
    assert names.tags == {"seconds": "seconds", "leak": "leak"}
    assert names.fields["depth"] == "depth"


def test_outputs_and_columns_give_way_to_what_is_on_the_point_already() -> None:
    names = Names("s", {"depth": "depth"}, {"leak": "leak"})
    assert names.of_outputs(["level", "depth", "leak", "worker", "", "time"]) == {
        "level": "level",
        "depth": "out.depth",
        "leak": "out.leak",
        "worker": "out.worker",
        "": "out.",
        "time": "out.time",
    }
    assert names.of_columns(["value", "depth", "leak", "id"]) == {
        "value": "value",
        "depth": "out.depth",
        "leak": "leak",
        "id": "out.id",
    }


@pytest.mark.parametrize(
    ("series", "measurement"),
    [
        ("tank 1", "tank 1"),
        ("outputs", "series.outputs"),
        ("series.outputs", "series.series.outputs"),
        ("", "series."),
        ("#1", "series.#1"),
        ("series.x", "series.x"),
    ],
)
def test_a_series_keeps_its_name_where_it_can(series: str, measurement: str) -> None:
    assert measurement_of(series) == measurement


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (3.0, "3"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (True, "true"),
        ("a b", "a b"),
        (None, ""),
        ([1, "å"], '[1,"å"]'),
    ],
)
def test_equal_values_are_one_tag(value: object, text: str) -> None:
    assert tag_text(value) == text  # type: ignore[arg-type]
