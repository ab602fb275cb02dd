"""`glob`: which files an axis has, and what is said where there are none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cloudburst.spec import build, globs
from cloudburst.spec.ensemble import Axis, Files

GRID = "parameters: {grid: {forcing: {glob: '%s'}}}\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("gcm/b.nc", "gcm/a.nc", "gcm/.hidden.nc", "gcm/deep/c.nc", "gcm/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def paths(read: Any, pattern: str) -> tuple[Any, ...]:
    loaded = read(GRID % pattern)
    assert loaded.ensemble is not None, loaded.diagnostics
    assert build(loaded.normal) == loaded.ensemble
    (axis,) = loaded.ensemble.blocks[0].sources
    assert isinstance(axis, Axis)
    assert isinstance(axis.values, Files)
    assert axis.values.pattern == pattern
    return axis.values.values


def test_files_are_sorted_and_directories_are_none(read: Any, files: Path) -> None:
    assert paths(read, "gcm/*.nc") == ("gcm/a.nc", "gcm/b.nc")
    assert paths(read, "gcm/**/*.nc") == ("gcm/a.nc", "gcm/b.nc", "gcm/deep/c.nc")
    assert paths(read, "./gcm/*") == ("gcm/a.nc", "gcm/b.nc", "gcm/notes.txt")
    assert paths(read, "gcm/a.nc") == ("gcm/a.nc",)


def test_files_walk_together_with_their_names(read: Any, files: Path) -> None:
    loaded = read("parameters: {zip: [{forcing: {glob: 'gcm/*.nc'}, model: [A, B]}]}\n")

    assert loaded.ensemble is not None, loaded.diagnostics
    assert loaded.normal["parameters"][0]["zip"] == [
        {"forcing": {"glob": "gcm/*.nc", "paths": ["gcm/a.nc", "gcm/b.nc"]}, "model": {"values": ["A", "B"]}}
    ]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("gcm/*.cdf", "matches no file"), ("gmc/*.nc", "no directory gmc"), ("gcm/deep", "matches no file")],
)
def test_a_pattern_without_files_is_told_once(read: Any, files: Path, pattern: str, words: str) -> None:
    text = f"parameters: {{zip: [{{forcing: {{glob: '{pattern}'}}, model: [A, B]}}]}}\n"
    (found,) = read(text).diagnostics

    assert (found.code, found.span.line) == ("no-file-matches", 4)
    assert words in found.message


def test_files_outside_are_taken_with_a_note(read: Any, files: Path) -> None:
    loaded = read(GRID % f"{files.as_posix()}/../{files.name}/gcm/*.nc")
    assert loaded.ensemble is not None

    (files.parent / "outside.nc").write_text("")
    (found,) = read(GRID % "../outside.nc").diagnostics
    assert (found.code, found.severity) == ("input-outside", "note")


def test_a_name_that_is_no_text(read: Any, files: Path) -> None:
    Path(os.fsdecode(os.fsencode(files / "gcm") + b"/\xff.nc")).write_text("")
    (found,) = read(GRID % "gcm/*.nc").diagnostics

    assert found.code == "strange-name"


def test_a_pattern_that_matches_too_much(read: Any, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(globs, "MAX_FILES", 1)
    (found,) = read(GRID % "gcm/*.nc").diagnostics

    assert found.code == "too-many-values"
