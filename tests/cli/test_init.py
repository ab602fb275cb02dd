"""`init`: what it writes is a study that is right as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudburst import assets
from cloudburst.cli.starter import study_name


def test_it_writes_a_study_and_says_what_is_next(make_project: Any) -> None:
    project = make_project({})
    ended = project.run("init", "my study")
    assert (ended.code, ended.err) == (0, "")
    assert project.names == [
        "my study/ensemble.yaml",
        "my study/pendulum/pendulum.py",
        "my study/pendulum/requirements.txt",
    ]
    assert "Next: cd 'my study' && cloudburst plan" in ended.out
    first, *_ = text = project.read("my study/ensemble.yaml").splitlines()
    address = json.loads(assets.schema("ensemble").read_text())["$id"]
    assert first == f"# yaml-language-server: $schema={address}"
    assert "name: my-study" in text


def test_what_it_writes_has_no_mistake_and_no_warning(make_project: Any) -> None:
    project = make_project({})
    project.run("init")
    ended = project.run("validate", "--json")
    assert (ended.code, ended.json["diagnostics"]) == (0, [])
    assert project.run("plan", "--json").json["rows"] == 30


def test_the_function_it_writes_runs(make_project: Any) -> None:
    project = make_project({})
    project.run("init")
    names: dict[str, Any] = {}
    exec(project.read("pendulum/pendulum.py"), names)
    result = names["swing"](length=1.0, angle=10, damping=0.0, seed=1)
    assert result["period"] == pytest.approx(2.01, abs=0.02)  # 2 pi sqrt(l / g) for a small angle
    assert len(result["swinging"]["time"]) == len(result["swinging"]["value"]) == 101


def test_it_never_overwrites(make_project: Any) -> None:
    project = make_project({"pendulum/pendulum.py": "mine"})
    ended = project.run("init")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: pendulum/pendulum.py is there already, and nothing was written")
    assert project.names == ["pendulum/pendulum.py"]
    assert project.read("pendulum/pendulum.py") == "mine"


def test_a_place_that_cannot_be_written(make_project: Any) -> None:
    ended = make_project({"file": ""}).run("init", "file/inside")
    assert ended.code == 1
    assert ended.err.startswith("error: cannot write file/inside/ensemble.yaml: ")


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("Net3 diameters", "net3-diameters"),
        ("3rd", "3rd"),
        ("Ålesund", "lesund"),
        ("日本", "study"),
        ("a" * 50, "a" * 40),
    ],
)
def test_the_study_is_named_after_its_directory(directory: str, name: str) -> None:
    assert study_name(directory) == name
