"""The locked requirements of the programs that run in stock containers (`make requirements`)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "stack" / "requirements").glob("*.txt"))


def pins(path: Path) -> dict[str, str]:
    """Name -> version of every package."""
    lines = [line for line in path.read_text("utf-8").splitlines() if re.match(r"\w", line)]
    found = [re.match(r"(\S+)==([\w.]+)", line) for line in lines]
    assert all(found), lines
    return {match[1]: match[2] for match in found if match}


def test_there_is_one_for_each_program_that_needs_packages() -> None:
    assert [path.stem for path in FILES] == ["controller", "dashboard", "worker"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_package_is_pinned_by_hash_and_no_address_stands_there(path: Path) -> None:
    text = path.read_text("utf-8")
    blocks = re.split(r"\n(?=\w)", text)
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)
    assert "://" not in text
    assert not re.search(r"--(index|extra-index|find-links|trusted)|file:|/(home|root|tmp|opt)/", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_versions_are_those_the_package_allows(path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    allowed = {found.name: found.specifier for found in map(Requirement, project["dependencies"])}
    for name, version in pins(path).items():
        assert name not in allowed or allowed[name].contains(version), f"{name} {version}; make requirements"


def test_programs_that_talk_to_each_other_have_the_same_versions() -> None:
    found: dict[str, set[str]] = {}
    for path in FILES:
        for name, version in pins(path).items():
            found.setdefault(name, set()).add(version)
    assert {name: versions for name, versions in found.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_was_asked_for_is_what_was_locked(path: Path) -> None:
    asked = [line for line in path.with_suffix(".in").read_text("utf-8").splitlines() if line[:1].isalpha()]
    locked = pins(path)
    for wanted in map(Requirement, asked):
        assert wanted.specifier.contains(locked[wanted.name]), f"{wanted}; make requirements"
