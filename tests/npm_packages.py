"""Packages of npm that tests ask: fetched once, kept by name and version."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

MISSING = "node and npm are needed: on Debian: apt-get install nodejs npm"


def installed(*packages: str) -> Path:
    """A directory with `packages` (`name@version`) in its `node_modules`.

    Skips the test where they cannot be had, or fails it where every part is to be there.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        lacking(MISSING)
    kept = _cache() / "-".join(package.rpartition("/")[2].replace("@", "-") for package in packages)
    if not kept.is_dir():
        _install(packages, kept)
    return kept


def _install(packages: tuple[str, ...], kept: Path) -> None:
    """Whole or not at all: two test runs may both want it."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as new:
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", new)
        fetched = subprocess.run(
            ["npm", "install", *options, *packages], capture_output=True, text=True, cwd=new
        )
        if fetched.returncode != 0:
            lacking(f"npm cannot fetch {' and '.join(packages)}: {fetched.stderr.strip()[-400:]}")
        if not kept.is_dir():
            shutil.copytree(new, f"{new}.whole", symlinks=True)
            try:
                Path(f"{new}.whole").rename(kept)
            except OSError:  # another was first
                shutil.rmtree(f"{new}.whole")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloudburst-tests"


def lacking(sentence: str) -> None:
    """Skips, or fails where every part is to be there."""
    if os.environ.get("CLOUDBURST_REQUIRE_PARTS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)
