"""schema, completion, doctor: commands that need no study."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cloudburst import assets


def test_the_schema_as_it_is(study: Any) -> None:
    assert study.run("schema").out == assets.schema("ensemble").read_text().rstrip("\n") + "\n"
    assert json.loads(study.run("schema", "--json").out)["title"] == "CloudBurst ensemble"
    assert Path(study.run("schema", "--path").out.strip()).is_file()


def test_a_schema_that_is_not_there(study: Any) -> None:
    ended = study.run("schema", "ensembel")
    assert (ended.code, ended.err) == (
        2,
        "error: there is no schema ensembel\n  hint: did you mean ensemble?\n",
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_the_program(study: Any, shell: str) -> None:
    ended = study.run("completion", shell)
    assert ended.code == 0
    assert "_CLOUDBURST_COMPLETE" in ended.out


@pytest.mark.parametrize(("words", "among"), [("cloudburst st", "status"), ("cloudburst plan --r", "--rows")])
def test_completion_knows_commands_and_options(study: Any, words: str, among: str) -> None:
    asking = {
        "_CLOUDBURST_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    process = study.process(env={**os.environ, **asking})
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert among in [line.partition(",")[2] for line in out.split()]


def test_doctor_finds_this_machine_fit(study: Any) -> None:
    ended = study.run("doctor", "--json")
    findings = {f["about"]: f for f in ended.json["findings"]}
    assert list(findings) == [
        "python",
        "machine",
        "uv",
        "queue",
        "cache",
        "here",
        "scratch",
        "sockets",
        "study",
    ]
    assert all(f["hint"] for f in findings.values() if f["state"] != "ok")
    assert findings["uv"]["state"] == findings["queue"]["state"] == findings["study"]["state"] == "ok"
    assert ended.code == (1 if ended.json["problems"] else 0)
    text = study.run("doctor").out
    assert all(about in text for about in findings)


def test_doctor_without_a_study_looks_at_the_machine_only(make_project: Any) -> None:
    ended = make_project({}).run("doctor", "--json")
    assert "study" not in {f["about"] for f in ended.json["findings"]}


def test_doctor_names_the_ways_out_when_there_is_no_queue(
    study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDBURST_REDIS_URL", "no address at all")
    ended = study.run("doctor")
    assert ended.code == 1
    assert "problem  queue" in ended.out
    assert "→ such as redis://" in ended.out
    assert "a study cannot run here yet" in ended.out


def test_doctor_says_when_the_study_is_wrong(make_project: Any) -> None:
    ended = make_project({"ensemble.yaml": "cloudburst: 1\n"}).run("doctor")
    assert ended.code == 1
    assert "→ `cloudburst validate ensemble.yaml`" in ended.out
