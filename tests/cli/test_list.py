"""`list`: the studies below a directory, as far as this machine knows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import jsonschema

from cloudburst import assets
from cloudburst.run import listing, run_lock
from cloudburst.run.kept import applied as kept_plans
from cloudburst.run.ledger import Ledger
from cloudburst.run.observe import read_study
from cloudburst.run.planning import counted_plan
from cloudburst.run.plans import keep_plan

from .conftest import ENSEMBLE, TANK, Project

if TYPE_CHECKING:
    import pytest


def listed(project: Project, *arguments: str) -> dict[str, Any]:
    """The studies by file."""
    ended = project.run("list", "--json", *arguments)
    assert ended.code == 0, ended.err
    jsonschema.Draft7Validator(json.loads(assets.schema("list").read_text())).validate(ended.json)
    return {one["spec"]: one for one in ended.json["studies"]}


def test_each_study_has_a_line_with_its_counts(computed: Project) -> None:
    computed.write({"more/deep/other.yml": ENSEMBLE.replace("name: tanks", "name: other")})
    ended = computed.run("list")
    assert ended.code == 0
    assert [line.split() for line in ended.out.splitlines()] == [
        ["study", "file", "rows", "done", "failed", "to", "do", "runs", "where"],
        ["tanks", "ensemble.yaml", "8", "7", "1", "0", "here"],
        ["other", "more/deep/other.yml", "8", "0", "8", "here"],
        [],
        ["2", "studies"],
    ]


def test_a_broken_file_hides_no_other(computed: Project) -> None:
    computed.write({"broken/ensemble.yaml": ENSEMBLE.replace("parameters:", "parametres:")})
    computed.write({"broken/no.yaml": "cloudburst: [\n"})
    ended = computed.run("list")
    assert ended.code == 0
    said = " ".join(ended.out.split())
    assert "tanks ensemble.yaml 8 7 1 0 here" in said
    assert 'broken/ensemble.yaml: line 8: unknown key "parametres"' in said
    assert listed(computed)["broken/no.yaml"]["problem"].startswith("line 1: ")
    assert listed(computed)["broken/ensemble.yaml"]["study"] == "tanks"


def test_what_is_no_study_is_not_listed(study: Project) -> None:
    study.write(
        {
            ".hidden/ensemble.yaml": ENSEMBLE,
            "node_modules/x/ensemble.yaml": ENSEMBLE,
            "env/pyvenv.cfg": "",
            "env/lib/ensemble.yaml": ENSEMBLE,
            "compose.yaml": "services:\n  cloudburst: {image: x}\n",
            "other.yaml": "extends: nothing.yaml\n",
        }
    )
    (study.directory / "loop").symlink_to(study.directory)
    assert set(listed(study)) == {"ensemble.yaml"}


def test_a_file_that_only_others_build_upon_is_none(study: Project) -> None:
    base = ENSEMBLE.replace("name: tanks\n", "")
    study.write({"base.yaml": base, "a.yaml": "extends: base.yaml\nname: one\n"})
    found = listed(study)
    assert set(found) == {"ensemble.yaml", "a.yaml"}
    assert found["a.yaml"]["rows"] == 8


def test_since_an_edit_only_a_plan_knows_what_is_to_do(computed: Project) -> None:
    study = read_study(computed.directory / "ensemble.yaml")
    keep_plan(study, counted_plan(study), 1.5)
    before = listed(computed)["ensemble.yaml"]
    assert (before["to_do"], before["edited"], before["applied"]) == (0, False, 1.5)
    computed.write({"ensemble.yaml": ENSEMBLE.replace("[1, 2, 3]", "[1, 2, 3, 4]")})
    after = listed(computed)["ensemble.yaml"]
    assert (after["rows"], after["done"], after["to_do"], after["edited"]) == (11, 7, None, True)
    assert "edited" in computed.run("list").out
    (kept,) = kept_plans(study.places)
    kept.path.write_bytes(b"no zip")
    assert listed(computed)["ensemble.yaml"]["to_do"] == 3, "a plan that is damaged hides nothing"


def test_rows_that_are_one_job_are_not_to_do_for_ever(computed: Project) -> None:
    """Counted by the plan that was applied: eight rows, which are three jobs."""
    spec = ENSEMBLE + 'job: {inflow: "{{ inflow }}"}\n'
    computed.write({"ensemble.yaml": spec, "model/tank.py": "def fill(inflow):\n    return inflow\n"})
    study = read_study(computed.directory / "ensemble.yaml")
    keep_plan(study, counted_plan(study), 1.5)
    with Ledger.open(study.places.ledger, "tanks", create=True) as ledger:
        ledger.begin(study.payload.digest)
    assert listed(computed)["ensemble.yaml"]["to_do"] == 3


def test_who_works_on_a_study_is_said(computed: Project) -> None:
    study = read_study(computed.directory / "ensemble.yaml")
    with run_lock.hold(study.places.lock, study="tanks"):
        running = listed(computed)["ensemble.yaml"]["running"]
        assert running["pid"] == os.getpid()
        assert abs(running["since"] - time.time()) < 3600
        assert f"pid {os.getpid()}, " in computed.run("list").out
    assert listed(computed)["ensemble.yaml"]["running"] is None


def test_results_whose_file_is_gone_are_not_forgotten(computed: Project) -> None:
    (computed.directory / "ensemble.yaml").unlink()
    (gone,) = listed(computed).values()
    assert (gone["study"], gone["spec"], gone["done"]) == ("tanks", ".", 7)
    assert "its ensemble file is gone" in computed.run("list").out


def test_a_ledger_that_cannot_be_read_is_a_reason(computed: Project) -> None:
    (computed.directory / ".cloudburst/tanks/ledger.sqlite").write_bytes(b"no database" * 500)
    assert "is not a ledger, or is damaged" in listed(computed)["ensemble.yaml"]["problem"]


def test_directories_may_be_named(study: Project) -> None:
    study.write({"a/ensemble.yaml": ENSEMBLE, "b/ensemble.yaml": ENSEMBLE})
    assert set(listed(study, "a", "b")) == {"a/ensemble.yaml", "b/ensemble.yaml"}
    assert set(listed(study, "a", "./a")) == {"a/ensemble.yaml"}
    ended = study.run("list", "none")
    assert (ended.code, "there is no directory none" in ended.err) == (1, True)


def test_nothing_there(make_project: Any) -> None:
    assert "there is no study here or below" in make_project({}).run("list").out


def test_a_tree_that_is_too_large_is_said(study: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_DIRECTORIES", 2)
    study.write({f"d{n}/x": "" for n in range(3)})
    assert "too large: not all below it was looked through" in study.run("list").err


def test_of_a_space_that_has_to_be_walked_only_a_plan_knows_the_rows(
    study: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert listed(study)["ensemble.yaml"]["rows"] == 8
    monkeypatch.setattr(listing, "MOST_WALKED", 5)
    one = listed(study)["ensemble.yaml"]
    assert (one["rows"], one["to_do"]) == (None, None)


def test_no_code_is_packed_and_no_vendor_imported(make_project: Any) -> None:
    """A hundred studies, and not one worker directory is looked into."""
    project: Project = make_project({"model/tank.py": TANK})
    for number in range(100):
        project.write({f"s{number}/ensemble.yaml": ENSEMBLE})
    os.mkfifo(project.directory / "model" / "pipe")  # whoever read it would wait for ever
    shutil.copytree(project.directory / "s0", project.directory / "s0/again")
    code = (
        "import sys; from cloudburst.cli import main; main(['list']);"
        "print(sorted({'redis','rq','docker','digitalocean','requests','numpy','scipy'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=project.directory, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said[-2:] == ["101 studies", "[]"]
