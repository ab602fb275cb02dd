"""A study as an object, before and without computing anything."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pandas
import pytest

import cloudburst
from cloudburst.compile.plan import Plan as CompiledPlan
from cloudburst.face import study as face
from tests.face.conftest import Tanks


def test_what_the_package_offers_is_found_when_it_is_asked_for() -> None:
    assert {"load", "Study", "CloudBurstError", "__version__"} <= set(dir(cloudburst))
    for name in cloudburst.__all__:
        assert getattr(cloudburst, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        cloudburst.lod  # noqa: B018


def test_a_study_tells_what_it_is(tanks: Tanks) -> None:
    study = tanks.load()
    assert (study.name, study.path, study.warnings) == ("tanks", tanks.file, ())
    assert study.parameters() == ["area", "label", "inflow", "height", "seed"]
    assert repr(study) == f"<cloudburst.Study tanks: {tanks.file}>"
    assert not (tanks.directory / ".cloudburst").exists()


def test_every_mistake_of_the_file_stands_in_the_traceback(tanks: Tanks) -> None:
    tanks.edit("entrypoint: tank:fill", "entrypiont: tank:fill")
    with pytest.raises(cloudburst.SpecError) as refused:
        tanks.load()
    shown = "".join(traceback.format_exception(refused.value))
    assert "ensemble.yaml:6:3: error[unknown-key]" in shown
    assert "entrypoint" in shown
    assert len(refused.value.diagnostics) >= 1


def test_no_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(cloudburst.CloudBurstError, match="nothing"):
        cloudburst.load(tmp_path / "nothing.yaml")


def test_a_hint_stands_under_its_sentence(tanks: Tanks) -> None:
    with pytest.raises(cloudburst.UsageError) as refused:
        tanks.load().parameters("other")
    shown = "".join(traceback.format_exception(refused.value))
    assert "the study has no block 'other'\nhint: there are main" in shown


def test_a_plan_counts_and_says_why(tanks: Tanks) -> None:
    plan = tanks.load().plan()
    assert (plan.counts.rows, plan.counts.to_do, plan.has_something_to_do) == (12, 12, True)
    assert str(plan).splitlines()[0] == "tanks: 12 rows"
    assert "+ run rows[0:12]: 12 jobs to do" in str(plan)
    assert json.loads(plan.to_json())["study"] == "tanks"
    assert tanks.load().plan(rows=range(2, 5)).counts.rows == 3
    assert not (tanks.directory / ".cloudburst").exists()


def test_it_reads_the_file_anew_at_every_call(tanks: Tanks) -> None:
    study = tanks.load()
    tanks.edit("inflow: [1, 2]", "inflow: [1, 2, 3]")
    assert study.plan().counts.rows == 18
    tanks.edit("inflow: [1, 2, 3]", "inflow: [1, 2, 3")
    with pytest.raises(cloudburst.SpecError):
        study.plan()


@pytest.mark.parametrize("rows", [(3, 1), range(0, 9, 2), (-1, 4)])
def test_rows_are_a_stretch(tanks: Tanks, rows: Any) -> None:
    with pytest.raises(cloudburst.UsageError):
        tanks.load().plan(rows=rows)


def test_before_anything_is_computed_every_row_is_to_do(tanks: Tanks) -> None:
    table = tanks.load().results()
    assert isinstance(table, pandas.DataFrame)
    assert list(table["status"].unique()) == ["to do"]
    assert list(table["height"][:6:2]) == [0.5, 1.0, 1.5]
    with pytest.raises(cloudburst.UsageError, match="no column heigt") as refused:
        tanks.load().results(columns=["heigt"])
    assert refused.value.hint == "did you mean height?"


@pytest.mark.usefixtures("without_pandas")
def test_without_pandas_a_table_is_a_list_of_dicts(tanks: Tanks) -> None:
    table = tanks.load().results(columns=["row", "height", "status", "error"])
    assert isinstance(table, cloudburst.Rows)
    assert table[0] == {"row": 0, "height": 0.5, "status": "to do", "error": None}
    assert table.columns == ("row", "height", "status", "error")
    assert table.attrs["study"] == "tanks"


RENTED = """
cluster:
  provider: {digitalocean: {region: nyc3, worker: s-1vcpu-1gb}}
  max_cost: 25
"""


def test_machines_are_not_rented_until_somebody_agrees(tanks: Tanks, monkeypatch: pytest.MonkeyPatch) -> None:
    tanks.file.write_text(tanks.file.read_text("utf-8") + RENTED, "utf-8")
    study = tanks.load()
    monkeypatch.setattr(face, "with_machines", lambda _study, plan: plan)
    monkeypatch.setattr(CompiledPlan, "asks_for_money", True)
    called: list[object] = []
    monkeypatch.setattr(face.applying, "apply", lambda *_, **more: called.append(more))
    for ask in (study.apply, study.session, lambda: study.evaluate([])):
        with pytest.raises(cloudburst.UsageError, match="cost") as refused:
            ask()
        assert "yes=True" in refused.value.hint
    assert called == []
    cloudburst.load(tanks.file, local=True).session()
