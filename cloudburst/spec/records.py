"""The records of a table's file: the names in its header, and the cells below. CSV, TSV and JSON lines are read here.

Parquet and Excel have a module each (`parquet`, `excel`). What a cell means is `tables`' to say.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from ..diagnostics import Path
from . import scalars
from .ensemble import Value

UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(eq=False)
class NoTable(Exception):
    """The file cannot be read as a table. `message` goes on after the file's name; `at` is the key it is about."""

    code: str
    message: str
    hint: str = ""
    at: Path = ("file",)


@dataclass(frozen=True)
class Records:
    """A header and what stands below it, each record with its number in the file, counted in `unit`s from 1.

    Cells are words as written, or, when `typed`, values as the file holds them; a cell that cannot be had is the
    `Unusable` that says why. Iterating raises NoTable.
    """

    header: list[str]
    rows: Iterable[tuple[int, list[Any]]]
    typed: bool
    unit: Literal["line", "row"]


def missing_extra(kind: str, package: str) -> NoTable:
    """The one sentence for a package that the extra `tables` brings."""
    return NoTable(
        "missing-extra",
        f"is {kind}, which {package} reads, and that is not installed",
        "pip install 'cloudburst[tables]', or save the table as CSV",
    )


# ── text ─────────────────────────────────────────────────────────────────────────────────────
def decoded(data: bytes) -> str:
    """The text of a file, its byte-order mark left out. Raises NoTable."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NoTable("not-utf-8", f"has bytes in line {line} that are not UTF-8", _AS_UTF_8) from error


_AS_UTF_8 = "save the table as UTF-8"


def separated(data: bytes, separator: str) -> Records:
    """CSV and its kin: cells between separators, quoted where they hold one."""
    records = _separated(decoded(data), separator)
    _, header = next(records, (0, []))
    return Records([name.strip() for name in header], records, typed=False, unit="line")


def _separated(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins on; lines without anything in a cell are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise NoTable(
            "table-syntax", f"cannot be read as CSV beyond line {line}: {error}", "is a quote left open?"
        ) from error


# ── JSON lines ───────────────────────────────────────────────────────────────────────────────
def json_lines(data: bytes) -> Records:
    """A map in each line; the columns are their keys, in order of appearance."""
    maps = [(number, _map(number, line)) for number, line in _lines(decoded(data)) if line.strip()]
    header = list(dict.fromkeys(name for _, one in maps for name in one))
    rows = ((number, [one.get(name) for name in header]) for number, one in maps)
    return Records(header, (row for row in rows if any(map(_is_there, row[1]))), typed=True, unit="line")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Only "\\n" ends a line: other breaks may stand inside a JSON text."""
    return enumerate(text.split("\n"), 1)


def _map(number: int, line: str) -> Mapping[str, Any]:
    try:
        value = json.loads(line, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise NoTable(
            "table-syntax", f"cannot be read in line {number}: {reason}", "each line is one JSON map"
        ) from error
    if not isinstance(value, dict):
        raise NoTable("table-syntax", f"has no map in line {number}", 'write {"name": value, …}')
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key "{scalars.shortened(twice)}" stands twice')
    return found


# ── values that have a type ──────────────────────────────────────────────────────────────────
def _is_there(cell: Any) -> bool:
    """Whether a typed cell holds anything: a blank text and NaN are how others write an absent value."""
    if isinstance(cell, str):
        return bool(cell.strip())
    return not (cell is None or (isinstance(cell, float) and math.isnan(cell)))


def some(cells: Iterable[Any]) -> bool:
    """Whether a record holds anything at all."""
    return any(map(_is_there, cells))


def plain(cell: Any) -> Value:
    """A typed cell as JSON has it, None where it is blank. Raises Unusable for what is no value of a parameter."""
    if isinstance(cell, scalars.Unusable):
        raise cell
    if not _is_there(cell):
        return None
    for kind, make in _PLAIN:
        if isinstance(cell, kind):
            return make(cell)
    raise scalars.Unusable(f"a value of the kind {type(cell).__name__} has no place here", _AS_TEXT)


_AS_TEXT = "save it as a number or as text"


def _text(cell: str) -> str:
    if UNSTORABLE.search(cell):
        raise scalars.Unusable("the text holds U+0000 or half a character", "no program can be given it")
    return cell


def _integer(cell: int) -> int:
    if abs(cell) >= 10**scalars.MAX_DIGITS:
        raise scalars.Unusable(
            "a number is too long", f"numbers have at most {scalars.MAX_DIGITS} digits; save it as text"
        )
    return cell


def _finite(cell: float) -> float:
    if math.isinf(cell):
        raise scalars.Unusable(f"{cell} is not a finite number", "leave the cell blank, or give a number")
    return cell


def _decimal(cell: Decimal) -> Value:
    if not cell.is_finite():
        raise scalars.Unusable(f"{cell} is not a finite number", "leave the cell blank, or give a number")
    return _integer(int(cell)) if cell == cell.to_integral_value() else float(cell)


def _list(cell: list[Any]) -> Value:
    return [plain(item) for item in cell]


def _mapping(cell: Mapping[Any, Any]) -> Value:
    return {_text(str(key)): plain(item) for key, item in cell.items()}


_PLAIN: tuple[tuple[type, Callable[[Any], Value]], ...] = (
    (str, _text),
    (bool, bool),
    (int, _integer),
    (float, _finite),
    (Decimal, _decimal),
    (datetime.datetime, datetime.datetime.isoformat),
    (datetime.date, datetime.date.isoformat),
    (datetime.time, datetime.time.isoformat),
    (list, _list),
    (dict, _mapping),
)


def word(value: Value) -> str:
    """A typed value as it would be written in a CSV file. Raises Unusable for a list or a map."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise scalars.Unusable("a list or a map has no other type", "leave this column out of `types`")
