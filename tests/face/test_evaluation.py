"""Real jobs: a study applied and read, and points asked of it, each computed once."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest

import cloudburst
from cloudburst.face.evaluation import Session
from cloudburst.run import run_lock
from cloudburst.run.apply import _again
from cloudburst.run.observe import read_study
from tests.face.conftest import Tanks, write

pytestmark = pytest.mark.slow

Count = Callable[[], int]


def csv_table(tanks: Tanks) -> list[dict[str, str]]:
    return list(csv.DictReader((tanks.directory / "results" / "tanks.csv").read_text("utf-8").splitlines()))


def test_results_are_the_csv_table_with_types(computed: Tanks) -> None:
    table, written = computed.load().results(), csv_table(computed)
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == list(written[0])
    assert {
        name: str(table[name].dtype) for name in ("row", "inflow", "height", "hours", "steps", "full")
    } == {
        "row": "int64",
        "inflow": "int64",
        "height": "float64",
        "hours": "float64",
        "steps": "Int64",
        "full": "boolean",
    }
    assert str(table["started"].dt.tz) == "UTC"
    for line, row in zip(written, table.to_dict("records"), strict=True):
        for name, cell in line.items():
            value = row[name]
            if cell == "":
                assert value is None or pandas.isna(value), name
            elif name == "started":
                assert value == pandas.Timestamp(cell)
            elif isinstance(value, bool):
                assert cell == str(value).lower()
            elif isinstance(value, int | float):
                assert float(cell) == value
            elif isinstance(value, list):
                assert json.loads(cell) == value
            else:
                assert cell == value


def test_what_the_study_computed_is_not_computed_again(computed: Tanks, attempts: Count) -> None:
    study = computed.load()
    table, before = study.results(), attempts()
    assert isinstance(table, pandas.DataFrame)
    done = table[table["status"] == "done"].iloc[::-1]
    out = study.evaluate(done[study.parameters()], progress=False)
    assert attempts() == before
    assert list(out.index) == list(done.index)
    assert list(out["hours"]) == list(done["hours"])
    assert list(out.columns) == ["hours", "steps", "full", "tank.label", "levels", "runner"]


def test_points_are_computed_once_and_leave_no_trace_in_the_study(computed: Tanks, attempts: Count) -> None:
    study, before = computed.load(), attempts()
    table, plan = csv_table(computed), str(study.plan())
    kept = sorted((computed.directory / ".cloudburst" / "tanks" / "plans").iterdir())
    points = [{"inflow": 4, "height": h} for h in (0.5, 1.0, 0.5)]
    first = study.evaluate(points, progress=False)
    assert [row["hours"] for row in first] == [0.25, 0.5, 0.25]
    assert attempts() == before + 2
    assert study.evaluate(points, progress=False) == first
    assert attempts() == before + 2
    assert csv_table(computed) == table
    assert str(study.plan()) == plan
    assert sorted((computed.directory / ".cloudburst" / "tanks" / "plans").iterdir()) == kept
    computed.edit("inflow: [1, 2]", "inflow: [1, 2, 4]")
    try:
        assert study.plan().counts.to_do == 4  # the first replicates of 0.5 and 1.0 are there already
        assert not any(action.verb == "leave out" for action in study.plan().actions)
    finally:
        computed.edit("inflow: [1, 2, 4]", "inflow: [1, 2]")


def test_a_session_keeps_its_workers_and_says_what_failed(computed: Tanks) -> None:
    study = computed.load()
    with study.session(progress=False) as session:
        parts = _parts(computed)
        assert parts == {}
        first = session.evaluate([{"inflow": 5, "height": h} for h in range(4)])
        parts = _parts(computed)
        assert set(parts) >= {"controller", "files", "supervisor"}
        second = session.evaluate([{"inflow": 6, "height": h} for h in range(4)])
        assert _parts(computed) == parts
        runners = {row["runner"] for row in (*first, *second)}
        assert len(runners) <= (os.cpu_count() or 1), "the second batch has runners of its own"
        with pytest.raises(cloudburst.StudyBusy):
            study.apply(progress=False)
        _fails_as_it_says(session)
    assert _parts(computed) == {}
    with pytest.raises(cloudburst.CloudBurstError, match="has ended"):
        session.evaluate([])


def _parts(tanks: Tanks) -> dict[str, Any]:
    holder = run_lock.read_holder(tanks.directory / ".cloudburst" / "tanks" / "run.lock")
    return holder.parts if holder else {}


def _fails_as_it_says(session: Session) -> None:
    points = pandas.DataFrame({"inflow": [2, 3], "height": [1.5, 1.5]}, index=["a", "b"])
    with pytest.raises(
        cloudburst.JobsFailed, match=r"1 of 2 jobs failed; row 0 .* the tank overflows"
    ) as one:
        session.evaluate(points)
    assert [(f.row, f.kind) for f in one.value.failures] == [(0, "error")]
    out = session.evaluate(points, outputs=["hours", "steps"], on_failure="nan")
    assert out.isna().to_numpy().tolist() == [[True, True], [False, False]]
    assert str(out["steps"].dtype) == "float64"
    assert list(out.index) == ["a", "b"]
    assert out.attrs["failures"][0]["error"] == "ValueError: the tank overflows"
    nothing = session.evaluate(points[:1], outputs=["hours"], on_failure="nan")
    assert nothing["hours"].isna().all()
    with pytest.raises(cloudburst.UsageError, match="the jobs return no `hour`"):
        session.evaluate(points[1:], outputs=["hour"])
    twice = session.evaluate(points[1:], outputs=["hours"], replicates=2)
    assert list(twice.index) == [("b", 0), ("b", 1)]


def test_many_failures_alike_are_results_to_who_asked_for_nan(computed: Tanks, attempts: Count) -> None:
    """The brake that stops a study whose first jobs all fail would stop an optimiser at the edge of what is possible."""
    study = computed.load()
    points = [{"inflow": 2, "height": 1.5, "seed": seed} for seed in range(300)]
    with study.session(progress=False) as session:
        with pytest.raises(cloudburst.CloudBurstError, match="the first 20 jobs all ended in the same error"):
            session.evaluate(points)
        out = session.evaluate(points, outputs=["hours"], on_failure="nan")
        before = attempts()
        session.evaluate(points[:2], on_failure="nan")
        assert attempts() == before
        session.evaluate(points[:2], on_failure="nan", retry=True)
        assert attempts() == before + 2
    assert [row["hours"] for row in out] == [None] * 300
    assert len(out.attrs["failures"]) == 300
    ours = read_study(computed.file)
    failed = [
        job.id for job in ours.jobs if job.row.values["inflow"] == 2 and job.row.values["height"] == 1.5
    ]
    assert list(_again(ours, "all")) == failed, "`cloudburst retry` is about the rows of the study"


INTERRUPTED = """
import sys, cloudburst
study = cloudburst.load(sys.argv[1])
try:
    study.evaluate([{"inflow": 1, "height": h} for h in (1, 10, 12)])
except KeyboardInterrupt:
    print("ended well", study.plan().counts.done)
"""


def test_ctrl_c_ends_as_it_does_for_the_command(tmp_path: Path) -> None:
    tanks = write(tmp_path / "tanks")
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tanks.file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if "0 of 3" in line or "1 of 3" in line:
                break
        process.send_signal(signal.SIGINT)
        assert "no new job is started" in process.stderr.read()
        said = process.stdout.read()
    assert process.returncode == 0
    assert said.startswith("ended well")
    assert _parts(tanks) == {}
