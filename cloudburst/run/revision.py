"""Which git revision a study is at, and whether that tells all of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ..compile.plan_archive import Source

_WITHIN = 20.0
"""Seconds; such a question takes far less, and a plan must not hang on it."""


def revision_of(directory: Path, used: Iterable[Path]) -> Source | None:
    """Of the files `used`; None where there is no git, no repository around `directory` or no commit.

    Dirty: one of the files differs from what is committed, or is not in git at all.
    """
    revision = git(directory, "rev-parse", "--verify", "HEAD")
    above = git(directory, "rev-parse", "--show-toplevel")
    if revision is None or above is None:
        return None
    top = Path(os.path.realpath(above.rstrip("\n")))
    committed = _names(git(top, "ls-files", "-z"))
    changed = _names(git(top, "diff", "--name-only", "--no-ext-diff", "-z", "HEAD"))
    names = (os.path.relpath(os.path.realpath(path), top) for path in used if path.is_file())
    return Source(revision.strip(), dirty=any(name in changed or name not in committed for name in names))


def _names(listing: str | None) -> frozenset[str]:
    return frozenset((listing or "").split("\0"))


def git(directory: Path, *arguments: str) -> str | None:
    """What git prints; None when it is not there, or says no."""
    command = ["git", "--no-optional-locks", "-C", str(directory), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WITHIN, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
