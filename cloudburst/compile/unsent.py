"""Files that are spoken of where none is sent: a path in a case, a table's cell or a list stays a text, and the file
behind it stays at home. Looks whether files are there; never reads one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from .. import diagnostics
from ..diagnostics import Problem
from ..spec.ensemble import Cases, Ensemble, Files, Listed, Table, Value
from .filters import axes

MOST_LOOKED_AT = 50
"""So many values of a parameter are looked at: a table of files is all of them alike."""

_HINT = "files are sent by `grid: {{{name}: {{glob: …}}}}`, under `inputs:`, or in the worker directory"

_Found = tuple[str, Value, diagnostics.Path]


def check_unsent(ensemble: Ensemble, base: Path) -> Iterator[Problem]:
    """Warnings, one for a parameter. `base`: where the spec lies; what lies in the worker directory travels."""
    at_work = base / ensemble.worker.directory
    patterns = {one.pattern for one in ensemble.inputs}
    told: set[str] = set()
    for name, value, path in _values(ensemble):
        if name in told:
            continue
        message = _as_map(value)
        if isinstance(value, str) and value not in patterns and _stays(value, base, at_work):
            message = f"{value} is a text here: the file of that name is not sent to workers"
        if message:
            told.add(name)
            yield Problem("file-not-sent", path, message, _HINT.format(name=name), "warning")


def _as_map(value: Value) -> str:
    """`{glob: …}` and `{file: …}` mean files in `grid` and `zip` alone."""
    if isinstance(value, Mapping) and len(value) == 1 and (key := next(iter(value))) in ("glob", "file"):
        return f"{{{key}: …}} is a map here, and means no file"
    return ""


def _stays(value: str, base: Path, at_work: Path) -> bool:
    if not value or "\0" in value or len(value) > 1000 or os.path.isabs(value):
        return False
    return _is_file(base / value) and not _is_file(at_work / value)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _values(ensemble: Ensemble) -> Iterator[_Found]:
    """What is written as a parameter's value, with its place; of a table's cells the place is the file's."""
    for block in ensemble.blocks:
        yield from ((one.name, one.value, one.path) for one in block.fixed)
        for source in block.sources:
            for axis in axes(source):
                if isinstance(axis.values, Listed) and not isinstance(axis.values, Files):
                    few = enumerate(axis.values.values[:MOST_LOOKED_AT])
                    yield from ((axis.name, value, (*axis.path, index)) for index, value in few)
            if isinstance(source, Cases):
                for index, row in enumerate(source.rows[:MOST_LOOKED_AT]):
                    yield from ((name, value, (*source.path, index, name)) for name, value in row.items())
            elif isinstance(source, Table):
                for row in islice(source.rows, MOST_LOOKED_AT):
                    yield from ((name, value, (*source.path, "file")) for name, value in row.items())
