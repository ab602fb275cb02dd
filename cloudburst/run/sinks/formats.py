"""Three ways to write a sheet down: CSV, JSON lines, SQLite. What stands in a sheet is decided elsewhere."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from ...errors import CloudBurstError, UsageError
from .replace import replaced_whole
from .strict_json import json_text

Kind = Literal["integer", "number", "text", "boolean", "json", "mixed"]
"""What the values of a column are; `mixed` where no one kind holds them all exactly."""


class Absent(Enum):
    """The one value that says: this row has no such thing (not even null)."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

Cell = Any
"""JSON (None is a null the user wrote or returned) or ABSENT."""


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind


@dataclass(frozen=True)
class Sheet:
    """Columns, the rows under them (read once, lazily), and what the sheet is about, name by name."""

    columns: tuple[Column, ...]
    rows: Iterable[Sequence[Cell]]
    about: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def kind_of(value: Cell) -> Kind | None:
    """None for what fits any column: absent and null."""
    if value is ABSENT or value is None:
        return None
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if _LEAST <= value <= _GREATEST else "mixed"
    if isinstance(value, float):
        return "number"
    return "text" if isinstance(value, str) else "json"


_LEAST, _GREATEST = -(2**63), 2**63 - 1  # what SQLite's integers hold


def wider(one: Kind | None, other: Kind | None) -> Kind | None:
    """The kind that holds both."""
    if one == other or other is None:
        return one
    if one is None:
        return other
    return "number" if {one, other} == {"integer", "number"} else "mixed"


def only(sheet: Sheet, names: Sequence[str]) -> Sheet:
    """The sheet with these columns, in this order. Raises UsageError for a name it does not have."""
    have = {name: at for at, name in enumerate(sheet.names)}
    for name in names:
        if name not in have:
            near = get_close_matches(name, have, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(have)}"
            raise UsageError(f"the results have no column {name}", hint)
    places = [have[name] for name in names]
    return Sheet(
        tuple(sheet.columns[at] for at in places),
        ([row[at] for at in places] for row in sheet.rows),
        sheet.about,
    )


# ── text ─────────────────────────────────────────────────────────────────────────────────────
_NEEDS_QUOTES = re.compile(r'[",\r\n]').search


class Writes(Protocol):
    """All that is asked of a text stream."""

    def write(self, text: str, /) -> object: ...


def write_csv(sheet: Sheet, file: Writes) -> None:
    """Quoted as RFC 4180 says; lines end in a line feed, as every Unix tool expects."""
    file.write(",".join(_quoted(name) for name in sheet.names) + "\n")
    for row in sheet.rows:
        file.write(",".join(map(csv_cell, row)) + "\n")


def csv_cell(value: Cell) -> str:
    """Floats as `repr` writes them, so that they read back bit for bit; absent and null are empty."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return _quoted(value)
    if value is ABSENT or value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _quoted(json_text(value))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES(text) else text


def write_jsonl(sheet: Sheet, file: Writes) -> None:
    """One map a row; absent values are left out, so that a null is always one somebody wrote."""
    names = sheet.names
    for row in sheet.rows:
        present = {
            name: value for name, value in zip(names, row, strict=True) if not isinstance(value, Absent)
        }
        file.write(json_text(present) + "\n")


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────
_DECLARED: Mapping[Kind, str] = {
    "integer": "INTEGER",
    "number": "REAL",
    "text": "TEXT",
    "boolean": "BOOLEAN",
    "json": "TEXT",
    "mixed": "",  # no declared type: SQLite then keeps every value as it is given
}


def write_sqlite(sheet: Sheet, path: Path, name: str = "results") -> None:
    """A table `name`, and a table `study` (key, value) that says where the numbers come from."""
    names = _apart(sheet.names)
    with closing(sqlite3.connect(path)) as connection:
        _check_width(connection, len(names))
        # The file is new and is thrown away unless it becomes whole: a journal would guard nothing.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        declared = ", ".join(
            f"{_identifier(own)} {_DECLARED[column.kind]}".rstrip()
            for own, column in zip(names, sheet.columns, strict=True)
        )
        connection.execute(f"CREATE TABLE {_identifier(name)} ({declared})")
        marks = ", ".join("?" * len(names))
        insert = f"INSERT INTO {_identifier(name)} VALUES ({marks})"  # noqa: S608 - an identifier, quoted
        connection.executemany(insert, ([_bound(value) for value in row] for row in sheet.rows))
        connection.execute("CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT)")
        connection.executemany("INSERT INTO study VALUES (?, ?)", sheet.about.items())
        connection.commit()


def _apart(names: Iterable[str]) -> list[str]:
    """SQLite takes `k` and `K` for one name: the second becomes `K_2`."""
    taken: set[str] = set()
    apart = []
    for name in names:
        candidate, count = name, 1
        while candidate.lower() in taken:
            count += 1
            candidate = f"{name}_{count}"
        taken.add(candidate.lower())
        apart.append(candidate)
    return apart


def _check_width(connection: sqlite3.Connection, width: int) -> None:
    limit = connection.getlimit(sqlite3.SQLITE_LIMIT_COLUMN)
    if width > limit:
        raise CloudBurstError(
            f"the table has {width} columns; one of SQLite holds {limit}",
            "write .csv or .jsonl, or return what belongs together as one list or one series",
        )


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def _bound(value: Cell) -> Any:
    """A value as SQLite stores it; it has no NaN and would make it a NULL, as absent values are."""
    if value is ABSENT or value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int) and not _LEAST <= value <= _GREATEST:
        return str(value)
    return json_text(value) if isinstance(value, list | dict) else value


# ── by name ──────────────────────────────────────────────────────────────────────────────────
TEXT_FORMATS: Mapping[str, Callable[[Sheet, Writes], None]] = {"csv": write_csv, "jsonl": write_jsonl}

FORMATS = (*TEXT_FORMATS, "sqlite")


def format_of(path: Path) -> str:
    """By the suffix. Raises UsageError where it says nothing."""
    suffix = path.suffix.lower().removeprefix(".")
    name = "sqlite" if suffix == "db" else suffix
    if name not in FORMATS:
        raise UsageError(f"{path.name} does not say its format", "end it in .csv, .jsonl or .sqlite")
    return name


def write_file(sheet: Sheet, path: Path, form: str | None = None) -> None:
    """The sheet as a file, replaced whole. Raises CloudBurstError where it cannot be written."""
    form = form or format_of(path)
    with replaced_whole(path) as new:
        if form == "sqlite":
            _write_sqlite(sheet, new, path)
            return
        # A lone surrogate (a job may print or return one) has no bytes in UTF-8 and is written escaped.
        with open(new, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            TEXT_FORMATS[form](sheet, file)


def _write_sqlite(sheet: Sheet, new: Path, path: Path) -> None:
    try:
        write_sqlite(sheet, new)
    except sqlite3.Error as error:
        raise CloudBurstError(f"cannot write {path}: {error}", "is there room on the disk?") from error
