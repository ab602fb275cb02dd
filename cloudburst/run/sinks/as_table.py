"""The parameters of some rows as a file that `table:` reads back as exactly these values, types included.

JSON lines hold every value a table can hold. CSV has only words: a text that looks like a number needs its
column's type said in the ensemble file, and what no type brings back is refused.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ...compile.space import Row
from ...errors import UsageError
from ...spec import records, scalars
from ...spec.ensemble import Value
from ...spec.tables import MAX_CELLS, read_cell
from .formats import ABSENT, Column, Sheet, csv_cell, write_file
from .strict_json import json_text

TYPES = (None, "text")
"""What a column of a CSV file may be said to be, so that its cells mean what they meant; None: nothing is said."""

SUFFIXES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Written:
    """A table's file: how many rows it has, and the `types` it needs beside its name."""

    rows: int
    types: Mapping[str, str]


@dataclass
class _Name:
    """One parameter on its way into the file. `fits` are the types that bring back every value so far."""

    fits: tuple[str | None, ...]
    lost: str = field(default="")


Fits = Callable[[Value], tuple[str | None, ...]]
"""Which types bring a value back."""


def write_as_table(rows: Iterable[Row], out: Path) -> Written:
    """Replace the file `out` whole; its rows are read once and put aside on the disk.

    Raises UsageError for a suffix that is neither .csv nor .jsonl, and for values the file cannot hold, CloudBurstError
    where it cannot be written.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"{out.name} is no file that `table:` reads back exactly", "end it in .csv or .jsonl"
        )
    with tempfile.TemporaryFile("w+", encoding="utf-8", prefix="cloudburst-") as aside:
        names: dict[str, _Name] = {}
        count = _put_aside(rows, aside, names, _fits_csv if suffix == ".csv" else _fits_jsonl)
        _refuse_what_is_lost(names, out)
        _refuse_size(count, len(names))
        aside.seek(0)
        columns = tuple(Column(name, "mixed") for name in names)
        write_file(Sheet(columns, _read_back(aside, tuple(names)), {}), out)
    return Written(count, {name: kind for name, one in names.items() if (kind := one.fits[0]) is not None})


def _put_aside(rows: Iterable[Row], aside: IO[str], names: dict[str, _Name], fits: Fits) -> int:
    count = 0
    for row in rows:
        if not row.values:
            raise UsageError(f"row {row.index} has no parameters", "a table has no row without any")
        for name, value in row.values.items():
            one = names.setdefault(name, _Name(TYPES))
            if one.fits:
                brought_back = fits(value)
                one.fits = tuple(kind for kind in one.fits if kind in brought_back)
                if not one.fits:
                    one.lost = f"row {row.index}: {scalars.shortened(json_text(value))}"
        json.dump(row.values, aside)
        aside.write("\n")
        count += 1
    return count


def _read_back(aside: IO[str], names: tuple[str, ...]) -> Iterator[list[Any]]:
    for line in aside:
        values = json.loads(line)
        yield [values.get(name, ABSENT) for name in names]


# ── what comes back ──────────────────────────────────────────────────────────────────────────
def _fits_csv(value: Value) -> tuple[str | None, ...]:
    if value is None or isinstance(value, list | dict):
        return ()
    cell = csv_cell_read(value)
    return tuple(kind for kind in TYPES if _same(value, lambda kind=kind: read_cell(cell, kind)))  # type: ignore[misc]


def csv_cell_read(value: Value) -> str:
    """The cell without the quotes that the format takes away again."""
    return value if isinstance(value, str) else csv_cell(value)


def _fits_jsonl(value: Value) -> tuple[str | None, ...]:
    return (None,) if value is not None and _same(value, lambda: records.plain(value)) else ()


def _same(value: Value, read: Callable[[], Value]) -> bool:
    try:
        return json.dumps(read()) == json.dumps(value)
    except scalars.Unusable:
        return False


def _refuse_what_is_lost(names: Mapping[str, _Name], out: Path) -> None:
    for name, one in names.items():
        if one.lost:
            message = f"{out.name} cannot hold the values of `{name}` so that they are read back as they are ({one.lost})"
            if out.suffix.lower() == ".csv":
                raise UsageError(message, f"JSON lines keep them: {os.path.splitext(out.name)[0]}.jsonl")
            raise UsageError(
                message, "a blank text or null in a table is an absent parameter: choose other rows"
            )


def _refuse_size(rows: int, names: int) -> None:
    if rows * names > MAX_CELLS:
        raise UsageError(
            f"{rows:,} rows of {names} parameters are more than the {MAX_CELLS:,} cells that `table:` reads",
            "choose some of them: --rows A:B",
        )
