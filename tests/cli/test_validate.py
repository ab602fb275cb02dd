"""`validate`: for people, for programs, for GitHub."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def wrong(study: Any) -> Any:
    """Three mistakes: a key, a value, and an argument the function has not."""
    text = study.read("ensemble.yaml").replace("timeout: 1m", "timeuot: 1m").replace("seed: 3", "seed: three")
    study.write({"ensemble.yaml": text})
    return study


def test_no_mistakes(study: Any) -> None:
    ended = study.run("validate")
    assert (ended.code, ended.out, ended.err) == (0, "ensemble.yaml: no mistakes found\n", "")
    assert study.run("validate", "--json").json == {"format": 1, "valid": True, "diagnostics": []}


def test_every_mistake_at_once_on_the_first_stream(wrong: Any) -> None:
    ended = wrong.run("validate")
    assert (ended.code, ended.err) == (2, "")
    assert "ensemble.yaml:3:7: error" in ended.out
    assert "ensemble.yaml:7:3: error" in ended.out
    assert ended.out.endswith("2 errors\n")


def test_as_json(wrong: Any) -> None:
    ended = wrong.run("validate", "--json")
    assert (ended.code, ended.json["valid"], ended.err) == (2, False, "")
    assert [d["span"]["line"] for d in ended.json["diagnostics"]] == [3, 7]


def test_for_github(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = wrong.run("validate", "--format", "github")
    assert ended.out.startswith("::error file=ensemble.yaml,")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert wrong.run("validate").out == ended.out
    assert "::error" not in wrong.run("validate", "--format", "human").out
    assert wrong.run("validate", "--json").json["valid"] is False


def test_several_files_at_once(wrong: Any) -> None:
    text = wrong.read("ensemble.yaml").replace("timeuot", "timeout").replace("seed: three", "seed: 3")
    wrong.write({"good.yaml": text, "deep/worse.yaml": "cloudburst: 1\n"})
    ended = wrong.run("validate", "good.yaml", "ensemble.yaml", "deep/worse.yaml")
    assert ended.code == 2
    assert ended.out.startswith("good.yaml: no mistakes found\n")
    assert "\nensemble.yaml:3:7: error" in ended.out
    assert "\ndeep/worse.yaml:1:1: error" in ended.out
    files = {
        d["file"]
        for d in wrong.run("validate", "deep/worse.yaml", "ensemble.yaml", "--json").json["diagnostics"]
    }
    assert files == {"ensemble.yaml", "deep/worse.yaml"}
    assert wrong.run("validate", "good.yaml", "good.yaml").out == "good.yaml: no mistakes found\n"
    ended = wrong.run("validate", "good.yaml", "goood.yaml")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean good.yaml?" in ended.err


def test_annotations_name_files_from_the_root_of_the_repository(
    wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(wrong.directory.parent))
    ended = wrong.run("validate", "--format", "github")
    assert ended.out.startswith(f"::error file={wrong.directory.name}/ensemble.yaml,")
    monkeypatch.setenv("GITHUB_WORKSPACE", "/elsewhere")
    assert wrong.run("validate", "--format", "github").out.startswith("::error file=ensemble.yaml,")


def test_the_function_is_looked_at_too(study: Any) -> None:
    study.write({"model/tank.py": "def fill(inflow, height): pass\n"})
    ended = study.run("validate")
    assert ended.code == 2
    assert "area" in ended.out


def test_warnings_alone_are_no_failure(study: Any) -> None:
    study.write(
        {"ensemble.yaml": study.read("ensemble.yaml").replace("{inflow: 3, height", "{inflow: 9, height")}
    )
    ended = study.run("validate")
    assert ended.code == 0
    assert "warning[" in ended.out
    assert study.run("validate", "--json").json["valid"] is True
    ended = study.run("plan")
    assert (ended.code, "warning[" in ended.err) == (0, True)


def test_strictly_warnings_fail(study: Any) -> None:
    assert study.run("validate", "--strict").code == 0
    study.write(
        {"ensemble.yaml": study.read("ensemble.yaml").replace("{inflow: 3, height", "{inflow: 9, height")}
    )
    ended = study.run("validate", "--strict")
    assert ended.code == 2
    assert ended.out.endswith("1 warning\n")
    ended = study.run("validate", "--strict", "--json")
    assert (ended.code, ended.json["valid"]) == (2, False)
    assert study.run("validate", "--strict", "--format", "github").out.startswith("::warning file=")
