"""An edit costs only what it changes: the same study applied, edited, and applied again."""

from __future__ import annotations

import csv
from typing import Any

import pytest

SPEC = """\
cloudburst: 1
name: tanks
worker: {directory: model, entrypoint: "tank:fill"}
parameters:
  grid:
    inflow: [1, 2]
    height: [3, 4]
"""
CODE = "def fill(inflow, height):\n    return {'level': inflow * height}\n"


@pytest.fixture
def applied(make_project: Any) -> Any:
    project = make_project({"ensemble.yaml": SPEC, "model/tank.py": CODE})
    assert project.run("apply").code == 0
    return project


def edit(project: Any, old: str, new: str, name: str = "ensemble.yaml") -> None:
    text = project.read(name)
    assert old in text
    project.write({name: text.replace(old, new)})


def levels(project: Any) -> list[str]:
    return [row["level"] for row in csv.DictReader(project.read("results/tanks.csv").splitlines())]


def computed(project: Any) -> int:
    """How many attempts the ledger has: a job that is computed again adds one."""
    import sqlite3

    with sqlite3.connect(project.directory / ".cloudburst" / "tanks" / "ledger.sqlite") as database:
        (number,) = database.execute("SELECT count(*) FROM outcomes").fetchone()
    return int(number)


def to_do(project: Any, *options: str) -> dict[str, int]:
    return project.run("plan", "--json", *options).json["counts"]


@pytest.mark.slow
def test_only_what_is_new_runs_and_what_comes_back_is_free(applied: Any) -> None:
    edit(applied, "[1, 2]", "[1, 2, 5]")
    assert "2 jobs: inflow gained 5 (line 6)" in applied.run("plan").out
    assert applied.run("apply").code == 0
    assert (computed(applied), levels(applied)) == (6, ["3", "4", "6", "8", "15", "20"])

    edit(applied, "[1, 2, 5]", "[5, 2]")
    said = " ".join(applied.run("plan").out.split())
    assert "2 jobs that are computed and in no row any more: inflow lost 1" in said
    assert applied.run("apply").code == 0
    assert (computed(applied), levels(applied)) == (6, ["15", "20", "6", "8"])
    assert "Nothing to do." in applied.run("plan").out

    edit(applied, "[5, 2]", "[1, 5, 2]  # all of them again")
    assert applied.run("apply").code == 0
    assert (computed(applied), levels(applied)) == (6, ["3", "4", "15", "20", "6", "8"])


@pytest.mark.slow
def test_other_code_makes_rows_stale_unless_they_shall_stay(applied: Any) -> None:
    edit(applied, "inflow * height", "inflow * height + 100", "model/tank.py")
    edit(applied, "[1, 2]", "[1, 2, 5]")
    assert "4 jobs computed by other worker code" in " ".join(applied.run("plan").out.split())
    kept = to_do(applied, "--keep-stale")
    assert (kept["kept"], kept["stale"], kept["to_do"]) == (4, 0, 2)

    assert applied.run("apply", "--keep-stale").code == 0
    assert (computed(applied), levels(applied)) == (6, ["3", "4", "6", "8", "115", "120"])
    payloads = {row["payload"] for row in csv.DictReader(applied.read("results/tanks.csv").splitlines())}
    assert len(payloads) == 2, "the table says which code each row is of"
    assert to_do(applied, "--keep-stale")["to_do"] == 0

    assert applied.run("apply").code == 0
    assert (computed(applied), levels(applied)) == (10, ["103", "104", "106", "108", "115", "120"])


@pytest.mark.slow
def test_what_no_job_hangs_on_changes_nothing(applied: Any) -> None:
    applied.write(
        {
            "ensemble.yaml": "# a comment\n"
            + SPEC
            + "cluster: {slots: 1}\nresults: [{table: {path: other.csv}}]\n",
            "model/notes.txt": "thoughts",
            "model/.cloudburstignore": "*.txt\n",
        }
    )
    counts = to_do(applied)
    assert (counts["done"], counts["to_do"]) == (4, 0)


@pytest.mark.slow
def test_a_parameter_that_joins_keeps_the_rows_that_had_its_value(make_project: Any) -> None:
    code = "def fill(inflow, height, seed, gain=10):\n    return {'level': inflow * gain}\n"
    replicated = SPEC + "  replicates: {n: 2, as: seed}\n"
    project = make_project({"ensemble.yaml": replicated, "model/tank.py": code})
    assert project.run("apply").code == 0
    assert computed(project) == 8
    before = list(csv.DictReader(project.read("results/tanks.csv").splitlines()))

    edit(project, "    height:", "    gain: {values: [10, 20], was: 10}\n    height:")
    said = " ".join(project.run("plan").out.split())
    assert "16 rows: 8 done, 8 to do" in said
    assert "8 jobs: gain is new (was: 10) (line 7)" in said

    assert project.run("apply").code == 0
    assert computed(project) == 16
    rows = list(csv.DictReader(project.read("results/tanks.csv").splitlines()))
    kept = [{**row} for row in rows if row.pop("gain") == "10"]
    assert [{**row, "row": ""} for row in kept] == [{**row, "row": ""} for row in before]
    assert sorted({row["level"] for row in rows}) == ["10", "20", "40"]
    assert "as before `gain` was a parameter (was: 10" in " ".join(
        project.run("explain", "ensemble.yaml", "0").out.split()
    )
    assert "Nothing to do." in project.run("plan").out


def actions(project: Any) -> list[tuple[str, str, str, str]]:
    """Of what is planned: mark, verb, address and reason; what stays as it is left out."""
    plan = project.run("plan", "--json").json
    return [(a["mark"], a["verb"], a["address"], a["reason"]) for a in plan["actions"] if a["mark"] != "="]


@pytest.mark.slow
def test_places_of_results_and_the_order_of_rows_are_told_until_they_are_applied(applied: Any) -> None:
    assert actions(applied) == []
    applied.write(
        {
            "ensemble.yaml": SPEC
            + "results:\n  - table: {path: results/tanks.csv}\n  - table: {path: more.jsonl}\n"
        }
    )
    assert actions(applied) == [("+", "write", "more.jsonl", "new since it was applied last")]
    assert "+ write  more.jsonl  new since it was applied last (line 10)" in applied.run("plan").out
    assert applied.run("plan", "--detailed-exitcode").code == 3
    assert applied.run("apply").code == 0
    assert actions(applied) == []
    assert len(applied.read("more.jsonl").splitlines()) == 4

    edit(applied, "[1, 2]", "[2, 1]")
    edit(applied, "  - table: {path: more.jsonl}\n", "")
    assert actions(applied) == [
        ("~", "write", "results/tanks.csv", "rows stand in another order"),
        ("-", "leave", "more.jsonl", "not asked for any more; what is there stays as it is"),
    ]
    assert applied.run("apply").code == 0
    assert (computed(applied), levels(applied)) == (4, ["6", "8", "3", "4"])
    assert actions(applied) == []
    assert (applied.directory / "more.jsonl").exists()
