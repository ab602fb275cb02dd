"""`plan --against REV`: what a pull request changes, with lines, and without ledger or network."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import jsonschema
import pytest

from cloudburst import assets

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None, reason="git is not on PATH: install it (apt-get install git)"
)


def git(project: Any, *arguments: str) -> None:
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *author, *arguments], cwd=project.directory, check=True, capture_output=True)


@pytest.fixture
def committed(study: Any) -> Any:
    git(study, "init", "--quiet", "--initial-branch", "main")
    git(study, "add", ".")
    git(study, "commit", "--quiet", "-m", "first")
    return study


def edit(project: Any, old: str, new: str, name: str = "ensemble.yaml") -> None:
    text = project.read(name)
    assert old in text
    project.write({name: text.replace(old, new)})


def test_nothing_differs_from_what_was_committed(committed: Any) -> None:
    ended = committed.run("plan", "--against", "HEAD", "--detailed-exitcode")
    assert ended.code == 0
    assert "Nothing differs." in ended.out


def test_rows_come_and_go_with_their_lines(committed: Any) -> None:
    edit(committed, "[1, 2, 3]", "[1, 2, 4]")
    ended = committed.run("plan", "--against", "main", "--detailed-exitcode")
    assert ended.code == 3
    said = " ".join(ended.out.split())
    assert "8 → 9 rows" in said
    assert "+ new 3 jobs inflow gained 4 (line 11)" in said
    assert "- gone 2 jobs inflow lost 3 (line 11)" in said
    assert "= kept 6 jobs" in said


def test_its_json_is_what_its_schema_says(committed: Any) -> None:
    edit(committed, "[1, 2, 3]", "[1, 2, 4]")
    edit(committed, "def fill", "# another\ndef fill", "model/tank.py")
    form = committed.run("plan", "--against", "main", "--json").json
    jsonschema.Draft7Validator(json.loads(assets.schema("comparison").read_text())).validate(form)
    assert (form["added"], form["removed"], form["kept"], form["code"]) == (3, 2, 6, ["tank.py"])


def test_it_touches_nothing_and_needs_no_ledger(committed: Any) -> None:
    edit(committed, "[1, 2, 3]", "[1, 2, 4]")
    before = [name for name in committed.names if not name.startswith(".git/")]
    committed.run("plan", "--against", "main")
    assert [name for name in committed.names if not name.startswith(".git/")] == before


def test_large_inputs_that_git_does_not_know_are_taken_as_they_are(study: Any) -> None:
    study.write({"city.inp": "pipes", ".gitignore": "*.inp\n"})
    edit(study, "parameters:", "inputs: {city: city.inp}\nparameters:")
    edit(study, "(inflow", "(city, inflow", "model/tank.py")
    study.write(
        {
            "ensemble.yaml": study.read("ensemble.yaml")
            + "job: {inflow: '{{ inflow }}', height: '{{ height }}', area: '{{ area }}', city: '{{ inputs.city }}'}\n"
        }
    )
    git(study, "init", "--quiet")
    git(study, "add", ".")
    git(study, "commit", "--quiet", "-m", "first")
    assert "Nothing differs." in study.run("plan", "--against", "HEAD").out


@pytest.mark.parametrize(
    ("revision", "words"),
    [("nope", "git knows no revision nope"), ("--output=x", "git knows no revision --output=x")],
)
def test_a_revision_that_is_none(committed: Any, revision: str, words: str) -> None:
    ended = committed.run("plan", f"--against={revision}")
    assert ended.code == 2
    assert words in ended.err
    assert "main" in ended.err


def test_no_repository_no_file_and_a_broken_file_have_a_sentence(study: Any) -> None:
    ended = study.run("plan", "--against", "HEAD")
    assert (ended.code, "is in no git repository" in ended.err) == (2, True)
    git(study, "init", "--quiet")
    whole = study.read("ensemble.yaml")
    study.write({"ensemble.yaml": whole.replace("grid:", "gird:")})
    git(study, "add", "model")
    git(study, "commit", "--quiet", "-m", "without the spec")
    git(study, "add", ".")
    git(study, "commit", "--quiet", "-m", "with a mistake")
    study.write({"ensemble.yaml": whole})
    assert "ensemble.yaml is not in HEAD~1" in study.run("plan", "--against", "HEAD~1").err
    broken = " ".join(study.run("plan", "--against", "HEAD").err.split())
    assert "the study at HEAD cannot be read: line 10:" in broken
