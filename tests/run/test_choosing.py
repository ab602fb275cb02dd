from __future__ import annotations

from pathlib import Path

import pytest

from cloudburst.compile.space import Row
from cloudburst.errors import CloudBurstError, UsageError
from cloudburst.run.choosing import Choice, condition
from cloudburst.spec import load
from cloudburst.spec.ensemble import Ensemble

TEXT = """\
cloudburst: 1
name: waves
worker: {directory: w, entrypoint: "m:f"}
parameters:
  - block: a
    grid: {demand: [1, 2]}
    derive: {double: "2 * demand"}
  - block: b
    grid: {leak: [0.5]}
    replicates: {n: 2, as: seed}
"""


@pytest.fixture
def ensemble(tmp_path: Path) -> Ensemble:
    (tmp_path / "ensemble.yaml").write_text(TEXT)
    loaded = load(tmp_path / "ensemble.yaml").ensemble
    assert loaded is not None
    return loaded


ROW = Row(4, "a", {"demand": 2, "double": 4}, None)
REPLICATE = Row(7, "b", {"leak": 0.5, "seed": 99}, 1)


@pytest.mark.parametrize(
    ("text", "row", "replicate"),
    [
        ("demand > 1", True, False),
        ("double == 4 and row == 4", True, False),
        ("replicate == 1", False, True),
        ("leak is defined", False, True),
        ("sqrt(seed + 1) == 10 or row < 5", False, True),
    ],
)
def test_a_condition_on_any_parameter_of_any_block(
    ensemble: Ensemble, text: str, row: bool, replicate: bool
) -> None:
    """A row that lacks a parameter which it names is not chosen."""
    choice = Choice(where=condition(text, ensemble))
    assert (choice.takes_row(ROW), choice.takes_row(REPLICATE)) == (row, replicate)


def test_names_and_expressions_that_mean_nothing(ensemble: Ensemble) -> None:
    with pytest.raises(UsageError, match="no row has a parameter `leek`") as refused:
        condition("leek > 1", ensemble)
    assert refused.value.hint == "did you mean `leak`?"
    with pytest.raises(CloudBurstError):
        condition("demand >", ensemble)
    with pytest.raises(UsageError, match="row 4, where demand=2: `demand < 'a'` fails"):
        Choice(where=condition("demand < 'a'", ensemble)).takes_row(ROW)


def test_rows_kinds_and_errors() -> None:
    assert not Choice().asks_of_the_end
    assert Choice(rows=(4, 5)).takes_row(ROW)
    assert not Choice(rows=(0, 4)).takes_row(ROW)
    timeouts = Choice(kinds=frozenset({"timeout", "lost"}), error="After 60")
    assert timeouts.takes_end("timeout", "ended after 60 s")
    assert not timeouts.takes_end("timeout", None)
    assert not timeouts.takes_end("error", "ended after 60 s")
    assert timeouts.asks_of_the_end
