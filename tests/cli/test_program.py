"""How commands begin and end, whichever they are."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

import cloudburst
from cloudburst.cli import program
from cloudburst.cli.program import COMMANDS

ALL = [name for section in COMMANDS.values() for name in section]


def test_version(study: Any) -> None:
    ended = study.run("--version")
    assert (ended.code, ended.out.strip()) == (0, f"cloudburst, version {cloudburst.__version__}")


def test_alone_it_lists_its_commands(study: Any) -> None:
    ended = study.run()
    assert ended.code == 0
    assert all(name in ended.out for name in ALL)
    assert study.run("--help").out == ended.out


def test_the_table_of_commands_is_the_directory_of_commands() -> None:
    files = {
        p.stem.rstrip("_").replace("_", "-")
        for p in Path(program.__file__).parent.joinpath("commands").glob("[a-z]*.py")
    }
    assert files == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_that_fits_and_takes_json(study: Any, name: str) -> None:
    ended = study.run(name, "--help")
    assert ended.code == 0
    assert ended.err == ""
    assert "--json" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("typo", "hint"),
    [
        ("plna", "did you mean `cloudburst plan`?"),
        ("statsu", "did you mean `cloudburst status`?"),
        ("runjob", "did you mean `cloudburst run-job`?"),
        ("xyzzy", "`cloudburst --help` lists the commands"),
    ],
)
def test_a_mistyped_command(study: Any, typo: str, hint: str) -> None:
    ended = study.run(typo)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"error: there is no command {typo}\n  hint: {hint}\n"


def test_a_mistyped_option(study: Any) -> None:
    ended = study.run("plan", "--job", "x.jsonl")
    assert ended.code == 2
    assert ended.err == "error: cloudburst plan has no option --job\n  hint: did you mean --jobs?\n"
    assert study.run("--versoin").err.startswith(
        "error: cloudburst has no option --versoin\n  hint: did you mean"
    )


def test_too_many_arguments(study: Any) -> None:
    ended = study.run("plan", "ensemble.yaml", "another.yaml")
    assert ended.code == 2
    assert ended.err.startswith(
        "error: got unexpected extra argument (another.yaml)\n  hint: `cloudburst plan --help`"
    )


@pytest.mark.parametrize(
    "name", ["plan", "validate", "apply", "status", "failures", "results", "lock", "destroy"]
)
def test_no_study_here(make_project: Any, name: str) -> None:
    ended = make_project({}).run(name)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: there is no ensemble.yaml here\n  hint: `cloudburst init` writes one")


def test_a_mistyped_file_and_a_directory(study: Any) -> None:
    assert (
        study.run("plan", "ensmble.yaml").err
        == "error: there is no file ensmble.yaml\n  hint: did you mean ensemble.yaml?\n"
    )
    assert study.run("plan", ".").err == "error: . is a directory\n  hint: did you mean ensemble.yaml?\n"
    assert "no ensemble.yaml in it" in study.run("plan", "model").err
    assert "no directory nowhere" in study.run("plan", "nowhere/x.yaml").err


def test_errors_are_json_when_json_is_asked_for(study: Any) -> None:
    for arguments in (["plna", "--json"], ["plan", "--json", "--jbos", "x"], ["plan", "--json", "none.yaml"]):
        ended = study.run(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert set(ended.error) == {"error", "hint", "exit_code"}
        assert ended.error["exit_code"] == 2


def test_colour_only_on_a_terminal_that_wants_it(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in study.on_a_terminal("plna").err
    assert "\x1b[" not in study.run("plna").err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in study.on_a_terminal("plna").err


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def raises(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(importlib.import_module("cloudburst.cli.commands.init").command, "callback", raises)


def test_a_bug_of_ours_says_so_with_its_traceback(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, ZeroDivisionError("oh"))
    ended = study.run("init")
    assert ended.code == 1
    assert "Traceback (most recent call last)" in ended.err
    assert "this is a bug in CloudBurst" in ended.err
    assert "please report it" in ended.err
    assert "ZeroDivisionError" in json.loads(study.run("init", "--json").err)["traceback"]


def test_ctrl_c_is_quiet(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, KeyboardInterrupt())
    assert study.run("init") == type(study.run("--version"))(130, "", "")


def test_a_reader_who_leaves_is_a_normal_ending(study: Any) -> None:
    process = study.process("schema")
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), error) == (0, "")
