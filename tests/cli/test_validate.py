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
    ended = study.run("plan")
    assert (ended.code, "warning[" in ended.err) == (0, True)
