"""Plan files as a user lives through them: written, reviewed, applied, refused."""

from __future__ import annotations

import csv
from typing import Any

import pytest


def table(project: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(project.read("results/tanks.csv").splitlines()))


def test_a_plan_is_written_and_says_how_it_is_applied(study: Any) -> None:
    ended = study.run("plan", "--out", "tanks.cbplan")
    assert ended.code == 0
    assert "`cloudburst apply tanks.cbplan`" in ended.err
    assert {"ensemble.lock", "tanks.cbplan"} <= set(study.names)
    assert not (study.directory / ".cloudburst").exists(), "a plan makes no state"
    first = (study.directory / "tanks.cbplan").read_bytes()
    study.run("plan", "--out", "tanks.cbplan")
    assert (study.directory / "tanks.cbplan").read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "--out", "tanks.zip"], "its name ends in .cbplan: tanks.cbplan"),
        (
            ["plan", "--out", "tanks.cbplan", "--jobs", "-"],
            "--jobs and --out are answers to different questions",
        ),
        (["plan", "--out", "no/such/tanks.cbplan"], "no/such/tanks.cbplan cannot be written"),
        (["apply", "none.cbplan"], "there is no file none.cbplan"),
        (["apply", "ensemble.yaml", "-f", "ensemble.yaml"], "-f goes with a plan file"),
        (["apply", "none.cbplan", "--rows", "0:3"], "none.cbplan says which rows"),
        (["show", "none.cbplan"], "there is no file none.cbplan"),
        (["show", "--applied", "12"], "give 4 digits or more"),
        (["show", "--applied", "1234"], "no plan that was applied begins with 1234"),
    ],
)
def test_mistakes_have_a_sentence(study: Any, arguments: list[str], words: str) -> None:
    ended = study.run(*arguments)
    assert ended.code in (1, 2)
    assert words in " ".join(ended.err.split())


@pytest.mark.slow
def test_what_was_reviewed_is_what_runs(study: Any) -> None:
    """The files were edited after the review: the plan's own rows and code run, and it can be applied again."""
    assert study.run("plan", "--out", "tanks.cbplan").code == 0
    study.run("plan", "--out", "other.cbplan", "--rows", "0:2")
    study.write({"ensemble.yaml": study.read("ensemble.yaml").replace("[1, 2, 3]", "[7]")})
    study.write({"model/tank.py": "raise SystemExit('edited after the review')\n"})
    ended = study.run("apply", "tanks.cbplan")
    assert "7 done, 1 failed" in ended.out, "of the eight one fails, edited or not"
    assert [row["inflow"] for row in table(study)] == ["1", "1", "1", "2", "2", "2", "3", "3"]
    again = study.run("apply", "tanks.cbplan")
    assert (again.code, "Nothing to do" in again.out) == (4, True)
    (kept,) = study.run("show", "--json").json["applied"]
    assert kept["rows"] == 8
    a_year_later = study.run("show", "--applied", kept["plan"][:6])
    assert (
        "inflow: [1, 2, 3]"
        in study.run("show", "--applied", kept["plan"], "--json").json["spec"]["ensemble.yaml"]
    )
    assert "block main: 3 inflow × 3 height" in a_year_later.out
    assert "from files outside git" in a_year_later.out
    refused = study.run("apply", "other.cbplan")
    assert refused.code == 1
    assert "0 of its jobs were done when it was made, now 2 are" in " ".join(refused.err.split())


def test_a_study_nothing_was_applied_to_has_nothing_to_show(study: Any) -> None:
    assert study.run("show").out == "nothing was applied yet\n"


def test_a_plan_file_shows_what_it_would_run(study: Any) -> None:
    study.run("plan", "--out", "tanks.cbplan")
    shown = study.run("show", "tanks.cbplan")
    assert shown.code == 0
    assert "8 rows: 8 to do" in shown.out
