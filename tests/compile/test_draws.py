from __future__ import annotations

import json

import pytest
from compile.nouns import LogUniform, Normal, Uniform, axis, block, ensemble, sample

from cloudburst.compile.draws import Draws, draw
from cloudburst.compile.space import make_space
from cloudburst.errors import CloudBurstError

STUDY = ensemble(
    block(sample("lhs", 8, u=Uniform(0, 1), g=Normal(0, 1), s=LogUniform(1e-6, 1e-3))),
    block(axis("a", 1), sample("random", 4, g=Normal(0, 1)), name="more"),
)


def test_only_what_may_differ_between_machines_is_drawn() -> None:
    drawn = draw(STUDY)
    assert {block: set(columns) for block, columns in drawn.columns.items()} == {
        "main": {"g", "s"},
        "more": {"g"},
    }
    assert len(drawn.columns["main"]["g"]) == 8


def test_they_travel_bit_for_bit() -> None:
    drawn = draw(STUDY)
    assert Draws.from_json(json.loads(json.dumps(drawn.to_json()))) == drawn


def test_the_space_takes_what_was_drawn_elsewhere() -> None:
    elsewhere = draw(STUDY)
    elsewhere.columns["main"]["g"][3] = 42.0
    assert make_space(STUDY, elsewhere)[3].values["g"] == 42.0
    assert [row.values for row in make_space(STUDY, draw(STUDY))] == [row.values for row in make_space(STUDY)]


def test_another_format_is_refused() -> None:
    with pytest.raises(CloudBurstError, match="format 2"):
        Draws.from_json({"format": 2, "columns": {}})
