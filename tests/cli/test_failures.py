"""`failures` and `retry` of a study in which much went wrong: some of them, why, and as a table to begin with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudburst.cli import computing
from cloudburst.run.events import Summary

ENSEMBLE = """\
cloudburst: 1
name: solvers
worker: {directory: model, entrypoint: "solve:solve"}
parameters:
  fixed: {hours: 24}
  grid:
    solver: [ilu, lu, qr]
    pipe: ["007", "12", x7]
    demand: [0.8, 1, 1.2, 1.4]
"""

SOLVE = "def solve(**job):\n    return {}\n"

Fails = Callable[[dict[str, Any]], tuple[str, str] | None]


def went_wrong(values: dict[str, Any]) -> tuple[str, str] | None:
    if values["solver"] == "ilu" and values["demand"] > 1:
        return (
            "error",
            f"ValueError: Singular matrix in step {values['demand']}\nTraceback (most recent call last):",
        )
    return ("timeout", "ended after 60 s") if values == LOST else None


LOST = {"hours": 24, "solver": "qr", "pipe": "007", "demand": 0.8}


def record(project: Any, fails: Fails) -> None:
    """As if computed with the code there is: each job has ended, well or as `fails` says."""
    from cloudburst.run.ledger import Ledger
    from cloudburst.run.observe import read_study
    from cloudburst.run.places import prepare

    assert project.run("lock").code == 0
    study = read_study(project.directory / "ensemble.yaml")
    prepare(study.places)
    digest = study.payload.digest
    with Ledger.open(study.places.ledger, study.ensemble.name, create=True) as ledger:
        ledger.begin(digest)
        ledger.record(_outcome(job, digest, fails(dict(job.row.values))) for job in study.jobs)


def _outcome(job: Any, payload: str, failure: tuple[str, str] | None) -> dict[str, Any]:
    kind, error = failure or (None, None)
    return {
        "id": job.id,
        "row": job.row.index,
        "attempt": 1,
        "payload": payload,
        "status": "failed" if failure else "done",
        "kind": kind,
        "error": error,
        "output": "",
        "result": None if failure else {},
        "series": None,
        "files": {},
        "started": 1527465600.0,
        "seconds": 0.25,
        "worker": "node-1/0",
    }


@pytest.fixture
def failed(make_project: Any) -> Any:
    """36 jobs, of which seven failed: six with one solver and a high demand, one for a reason of its own."""
    project = make_project({"ensemble.yaml": ENSEMBLE, "model/solve.py": SOLVE})
    record(project, went_wrong)
    return project


def rows(project: Any, *options: str) -> list[int]:
    return [failure["row"] for failure in project.run("failures", "--json", *options).json["failures"]]


ILU = [2, 3, 6, 7, 10, 11]


# ── some of them ─────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), [*ILU, 24]),
        (("--where", "demand > 1.3"), [3, 7, 11]),
        (("--where", "demand > 1.3 and pipe == '007'"), [3]),
        (("--where", "row < 3"), [2]),
        (("--kind", "timeout"), [24]),
        (("--kind", "timeout", "--kind", "error"), [*ILU, 24]),
        (("--error", "singular MATRIX"), ILU),
        (("--error", "1.4"), [3, 7, 11]),
        (("--rows", "3:11"), [3, 6, 7, 10]),
        (("--rows", "3:11", "--where", "demand < 1.3", "--kind", "error", "--error", "step"), [6, 10]),
    ],
)
def test_some_of_the_failures(failed: Any, options: tuple[str, ...], found: list[int]) -> None:
    assert rows(failed, *options) == found
    printed = list(csv.DictReader(io.StringIO(failed.run("failures", "--csv", *options).out)))
    assert [int(row["row"]) for row in printed] == found


def test_none_of_the_failures(failed: Any) -> None:
    assert failed.run("failures", "--kind", "lost").out == "none of the 7 failed jobs is one of these\n"
    assert failed.run("failures", "--kind", "lost", "--json").json == {"failures": []}
    assert failed.run("failures", "--kind", "lost", "--csv").out.startswith("row,id,")


@pytest.mark.parametrize(
    ("option", "message", "hint"),
    [
        (("--where", "demnad > 1"), "no row has a parameter `demnad`", "did you mean `demand`?"),
        (("--where", "demand >"), "`demand >`", ""),
        (("--where", "demand > solver"), "row 2, where solver=ilu, demand=1.2", ""),
        (("--rows", "90:"), "row 90 is not in the study", "rows 0 to 35"),
        (("--kind", "tired"), "'tired' is not one of", ""),
    ],
)
@pytest.mark.parametrize("command", ["failures", "retry"])
def test_what_chooses_nothing_that_can_be_understood(
    failed: Any, command: str, option: tuple[str, str], message: str, hint: str
) -> None:
    ended = failed.run(command, *option)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert hint in ended.err


# ── retry ────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `retry` asked for; nothing is computed."""
    calls: list[dict[str, Any]] = []

    def apply(study: Any, *, rows: Any, retry: Any, **_others: Any) -> Summary:
        calls.append(
            {"rows": rows, "retry": [study.jobs[r].id for r in range(36) if study.jobs[r].id in retry]}
        )
        return Summary(36, 36, 0, 0, 29, 0, 0, 0.0, (), "finished", "")

    monkeypatch.setattr(computing, "apply", apply)
    return calls


@pytest.mark.parametrize(
    ("options", "within", "found"),
    [
        (("--where", "demand > 1.3"), None, [3, 7, 11]),
        (("--kind", "timeout", "--rows", "20:"), (20, 36), [24]),
        (("--error", "singular", "--rows", "6:8"), (6, 8), [6, 7]),
    ],
)
def test_some_are_retried(
    failed: Any, applied: Any, options: tuple[str, ...], within: Any, found: list[int]
) -> None:
    ended = failed.run("retry", *options)
    assert ended.err.startswith(f"again: {len(found)} of 7 failed jobs\n")
    ids = {f["row"]: f["id"] for f in failed.run("failures", "--json").json["failures"]}
    assert applied == [{"rows": within, "retry": [ids[row] for row in found]}]
    said = failed.run("retry", *options, "--json").lines[0]
    assert said == {"event": "retry", "jobs": len(found), "failed": 7}


def test_nothing_is_computed_when_none_is_chosen(failed: Any, applied: Any) -> None:
    ended = failed.run("retry", "--kind", "lost")
    assert ended.code == 2
    assert ended.err.startswith("error: none of the 7 failed jobs is one of these\n")
    ended = failed.run("retry", "row:3", "--kind", "error")
    assert ended.code == 2
    assert "not both" in ended.err
    assert applied == []


# ── why ──────────────────────────────────────────────────────────────────────────────────────
def test_what_goes_with_the_failures(failed: Any) -> None:
    ended = failed.run("failures", "--explain")
    assert ended.code == 0
    assert (
        ended.out
        == """\
7 of 36 jobs failed

no parameter value stands out among them

6 × error: ValueError: Singular matrix in step 1.2
  solver = ilu: 6 of 12 failed, elsewhere 0 of 24; by chance p = 0.02

1 × timeout: ended after 60 s
  no parameter value stands out among them

p: Fisher's exact test, corrected for 42 questions asked; named at 0.05 or less, and 2 times the odds.
"""
    )
    assert "`cloudburst failures --explain` says what goes with them" in failed.run("failures").err


def test_the_same_as_json(failed: Any) -> None:
    explained = failed.run("failures", "--explain", "--json").json["explained"]
    assert (explained["jobs"], explained["failed"], explained["level"]) == (36, 7, 0.05)
    [singular] = [error for error in explained["errors"] if error["kind"] == "error"]
    [suspect] = [value for value in singular["values"] if value["parameter"] == "solver"]
    assert (suspect["value"], suspect["jobs"], suspect["failed"]) == ("ilu", 12, 6)
    assert (suspect["elsewhere"], suspect["failed_elsewhere"]) == (24, 0)
    assert 10 ** suspect["log10_p"] == pytest.approx(suspect["p"])


def test_among_chosen_rows(failed: Any) -> None:
    """Within one solver it is the demand."""
    out = failed.run("failures", "--explain", "--where", "solver == 'ilu'").out
    assert out.startswith(
        "6 of 12 jobs failed, all alike: error: ValueError: Singular matrix in step 1.2\n\ndemand ≥ 1.2: "
    )
    assert "6 of 6 failed, elsewhere 0 of 6; by chance p = 0.0" in out
    assert failed.run("failures", "--explain", "--kind", "error").code == 2
    assert failed.run("failures", "--explain", "--csv").code == 2


def test_nothing_goes_with_the_failures(make_project: Any) -> None:
    project = make_project({"ensemble.yaml": ENSEMBLE, "model/solve.py": SOLVE})
    assert project.run("failures", "--explain").out == "no failed jobs\n"
    assert project.run("failures", "--explain", "--json").json == {"explained": None}
    record(project, lambda values: ("error", "no") if values == LOST else None)
    out = project.run("failures", "--explain").out
    assert "no parameter value stands out among them" in out
    assert " p = " not in out


# ── as a table ───────────────────────────────────────────────────────────────────────────────
def ids(project: Any, *options: str) -> set[str]:
    return {job["id"] for job in project.run("plan", "--jobs", "-", *options).lines}


def yaml_map(said: str) -> Any:
    """The table as it can be copied from the screen."""
    return yaml.safe_load(said.partition("table: ")[2])


def planned_with(project: Any, table: object) -> list[dict[str, Any]]:
    """The jobs of the same study with a table in the place of its parameters."""
    head = ENSEMBLE.partition("parameters:")[0]
    project.write({"again.yaml": f"{head}parameters:\n  table: {json.dumps(table)}\n"})
    jobs: list[dict[str, Any]] = project.run("plan", "again.yaml", "--jobs", "-").lines
    return jobs


@pytest.mark.parametrize("name", ["failed.csv", "failed.jsonl"])
def test_a_table_of_the_failures_asks_for_the_same_jobs(failed: Any, name: str) -> None:
    before = failed.run("failures", "--json").json["failures"]
    ended = failed.run("failures", "--out", name, "--json")
    assert ended.code == 0
    assert ended.json["rows"] == 7
    jobs = planned_with(failed, ended.json["table"])
    assert [(j["id"], j["parameters"]) for j in jobs] == [(f["id"], f["parameters"]) for f in before]
    assert [type(v) for j in jobs for v in j["parameters"].values()] == [
        type(v) for f in before for v in f["parameters"].values()
    ]
    said = failed.run("failures", "--out", name, "--kind", "timeout")
    assert said.out == f"wrote the parameters of 1 job to {name}\n"
    assert said.err == f'\nas parameters of a study:\n  table: {{file: "{name}"}}\n'
    types = ', types: {"pipe": "text"}' if name.endswith(".csv") else ""
    said = failed.run("failures", "--out", name, "--where", "pipe == '12'")
    assert said.err == f'\nas parameters of a study:\n  table: {{file: "{name}"{types}}}\n'
    assert len(planned_with(failed, yaml_map(said.err))) == 2


def test_nothing_is_written_without_failures(failed: Any) -> None:
    ended = failed.run("failures", "--out", "failed.csv", "--kind", "lost")
    assert ended.out == "none of the 7 failed jobs is one of these\n"
    assert not (failed.directory / "failed.csv").exists()
    ended = failed.run("failures", "--out", "failed.parquet")
    assert ended.code == 2
    assert "end it in .csv or .jsonl" in ended.err


def test_replicates_are_said_to_have_new_ids(make_project: Any) -> None:
    text = ENSEMBLE + "  replicates: {n: 2, as: seed}\n"
    project = make_project({"ensemble.yaml": text, "model/solve.py": SOLVE})
    record(project, lambda values: ("crash", "ended by SIGSEGV") if values["demand"] > 1.3 else None)
    ended = project.run("failures", "--out", "failed.jsonl")
    assert "an id of its own" in ended.err
    before = project.run("failures", "--json").json["failures"]
    jobs = planned_with(project, {"file": "failed.jsonl"})
    assert [j["parameters"] for j in jobs] == [f["parameters"] for f in before]


def test_parameters_that_joined_are_said_to_have_new_ids(make_project: Any) -> None:
    text = ENSEMBLE.replace("demand:", "gain: {values: [1, 2], was: 1}\n    demand:", 1)
    project = make_project(
        {"ensemble.yaml": text, "model/solve.py": SOLVE.replace("demand", "demand, gain", 1)}
    )
    record(project, lambda values: ("crash", "ended by SIGSEGV") if values["gain"] == 1 else None)
    assert (
        "gain: a table does not say what that `was`" in project.run("failures", "--out", "failed.jsonl").err
    )


def test_a_name_beside_another_directory(failed: Any, tmp_path: Path) -> None:
    (failed.directory / "sub").mkdir()
    assert (
        failed.run("failures", "--out", "sub/failed.jsonl", "--json").json["table"]["file"]
        == "sub/failed.jsonl"
    )
