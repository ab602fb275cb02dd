"""`glob`: a pattern -> the files it matches, sorted. They are listed here; their content is read where jobs are made."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path as File
from pathlib import PurePosixPath
from typing import Any, Final

from ..diagnostics import Path, Problem
from .scalars import shortened

MAX_FILES: Final = 100_000
"""Of one pattern."""

_MAGIC = frozenset("*?[")


def list_files(axis: Mapping[str, Any], base: File, path: Path, problems: list[Problem]) -> dict[str, Any]:
    """The axis with `paths` beside its `glob`, relative to `base` as the pattern is; {} where there are none."""
    pattern = str(axis["glob"])
    try:
        paths = sorted(set(islice(_files(pattern, base), MAX_FILES + 1)), key=PurePosixPath)
    except (OSError, ValueError) as error:
        problems.append(
            _problem("unreadable-file", path, f'"{shortened(pattern)}" cannot be listed: {error}')
        )
        return {}
    found = list(_complaints(pattern, base, paths, path))
    problems += found
    return {} if any(one.severity == "error" for one in found) else {**axis, "paths": paths}


def _files(pattern: str, base: File) -> Iterator[str]:
    matches = glob.iglob(pattern, root_dir=base, recursive=True)
    """Some more than once: `**/**` comes by many ways."""
    return (os.path.normpath(match) for match in matches if os.path.isfile(base / match))


def _complaints(pattern: str, base: File, paths: list[str], path: Path) -> Iterator[Problem]:
    if not paths:
        yield _no_match(pattern, base, path)
    elif len(paths) > MAX_FILES:
        message = f'"{shortened(pattern)}" matches more than {MAX_FILES:,} files'
        yield _problem("too-many-values", path, message, "several axes, or a narrower pattern")
    elif strange := next((one for one in paths if not _is_text(one)), None):
        message = f"{strange!r} has a name that is not UTF-8"
        yield _problem("strange-name", path, message, "rename the file")
    elif not _is_inside(pattern, base):
        message = (
            f'"{pattern}" lies outside the directory of the ensemble file: a copy of that directory lacks it'
        )
        yield Problem("input-outside", (*path, "glob"), message, severity="note")


def _no_match(pattern: str, base: File, path: Path) -> Problem:
    fixed = os.path.dirname(pattern[: _first_magic(pattern)])
    if not os.path.isdir(base / fixed):
        return _problem(
            "no-file-matches", path, f'"{pattern}" matches nothing: there is no directory {fixed}'
        )
    hint = "`*` stays within one directory, `**` goes below; names that begin with a dot must be spelled out"
    return _problem("no-file-matches", path, f'"{pattern}" matches no file', hint)


def _first_magic(pattern: str) -> int:
    return next((place for place, sign in enumerate(pattern) if sign in _MAGIC), len(pattern))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_inside(pattern: str, base: File) -> bool:
    return File(os.path.normpath(base / pattern)).is_relative_to(os.path.normpath(base))


def _problem(code: str, path: Path, message: str, hint: str = "") -> Problem:
    return Problem(code, (*path, "glob"), message, hint)
