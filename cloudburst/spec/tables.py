"""`table`: a CSV file -> rows of values. Cells are read as YAML reads words: numbers, true, false, else text.

Blanks around a cell do not count, a blank cell is an absent parameter, a line of blank cells is no row.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Final

from ..diagnostics import Path, Problem
from . import scalars
from .ensemble import Scalar
from .schema import nearest

MAX_BYTES: Final = 100_000_000
MAX_REPORTED: Final = 20
"""Bad cells of one table that are reported one by one."""


@dataclass
class Reading:
    """One table being read. `rows` hold None where a cell is blank; `problems` may outgrow the rows."""

    asked: Mapping[str, Any]
    path: Path
    columns: list[str] = field(default_factory=list)
    rows: list[list[Scalar]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    sha256: str = ""
    problems: list[Problem] = field(default_factory=list)

    @property
    def file(self) -> str:
        return str(self.asked["file"])

    @property
    def types(self) -> Mapping[str, str]:
        types: Mapping[str, str] = self.asked.get("types", {})
        return types

    def complain(
        self, code: str, message: str, hint: str = "", *, at: Path = ("file",), warn: bool = False
    ) -> None:
        severity = "warning" if warn else "error"
        self.problems.append(Problem(code, (*self.path, *at), message, hint, severity))  # type: ignore[arg-type]


def read_table(
    asked: Mapping[str, Any], base: File, path: Path
) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The normal form of the table `asked` for at `path`, its file relative to `base`; {} where it has errors."""
    reading = Reading(asked, path)
    text = _text(reading, base / reading.file)
    if text is not None:
        _read_rows(reading, text)
    if any(problem.severity == "error" for problem in reading.problems):
        return {}, tuple(reading.problems)
    return _normal(reading), tuple(reading.problems)


def _normal(reading: Reading) -> dict[str, Any]:
    return {
        "file": reading.file,
        "columns": reading.columns,
        "where": reading.asked.get("where"),
        "sha256": reading.sha256,
        "lines": reading.lines,
        "rows": reading.rows,
    }


# ── the file ─────────────────────────────────────────────────────────────────────────────────
def _text(reading: Reading, file: File) -> str | None:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            hint = "keep only the columns and rows the study needs"
            reading.complain(
                "file-too-large", f"{reading.file} is larger than {MAX_BYTES // 1_000_000} MB", hint
            )
            return None
        reading.sha256 = hashlib.sha256(data).hexdigest()
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        reading.complain(
            "no-such-file", f"there is no file {reading.file} beside the ensemble file", _neighbour(file)
        )
    except OSError as error:
        reading.complain("unreadable-file", f"cannot read {reading.file}: {os.strerror(error.errno or 0)}")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reading.complain("not-utf-8", f"{reading.file}, line {line}: not UTF-8", "save the table as UTF-8")
    return None


def _neighbour(file: File) -> str:
    try:
        close = nearest(file.name, (entry.name for entry in file.parent.iterdir()))
    except OSError:
        return f"there is no directory {file.parent.name} either"
    return f'did you mean "{close}"?' if close else ""


# ── rows ─────────────────────────────────────────────────────────────────────────────────────
def _read_rows(reading: Reading, text: str) -> None:
    try:
        records = _records(text)
        _, header = next(records, (0, []))
        places = _choose_columns(reading, [name.strip() for name in header])
        if places is None:
            return
        for line, cells in records:
            _take_row(reading, line, cells, len(header), places)
    except csv.Error as error:
        reading.complain(
            "table-syntax", f"{reading.file} cannot be read as CSV: {error}", "is a quote left open?"
        )
        return
    if not reading.rows and not reading.problems:
        reading.complain("empty", f"{reading.file} has no row below its header")
    _report_the_rest(reading)
    _warn_of_mixtures(reading)


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins on; lines without anything in a cell are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _choose_columns(reading: Reading, header: list[str]) -> list[int] | None:
    """Where in a line the columns asked for stand, in the order asked; None when that cannot be said."""
    if not header:
        reading.complain("empty", f"{reading.file} is empty", "its first line names the columns")
        return None
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        reading.complain(
            "table-separator", f"{reading.file} has one column, {header[0]!r}", "columns are parted by commas"
        )
        return None
    asked = reading.asked.get("columns")
    reading.columns = list(asked) if asked else header
    _complain_of_names(reading, header)
    if reading.problems:
        return None
    return [header.index(name) for name in reading.columns]


def _complain_of_names(reading: Reading, header: list[str]) -> None:
    for index, name in enumerate(reading.asked.get("columns", ())):
        if name not in header:
            _complain_of_stranger(reading, name, header, ("columns", index))
    for name in reading.types:
        if name not in header:
            _complain_of_stranger(reading, name, header, ("types", name))
    for name in dict.fromkeys(reading.columns):
        if header.count(name) > 1:
            reading.complain(
                "duplicate-column", f'{reading.file} has {header.count(name)} columns "{name}"', "rename one"
            )
    if "" in reading.columns:
        message = f"column {reading.columns.index('') + 1} of {reading.file} has no name"
        reading.complain("unnamed-column", message, "name it, or list the columns to take: `columns: […]`")


def _complain_of_stranger(reading: Reading, name: str, header: list[str], at: Path) -> None:
    close = nearest(name, header)
    hint = f'did you mean "{close}"?' if close else f"it has {scalars.shortened(', '.join(header), 120)}"
    reading.complain(
        "unknown-column", f'{reading.file} has no column "{scalars.shortened(name)}"', hint, at=at
    )


def _take_row(reading: Reading, line: int, cells: list[str], width: int, places: list[int]) -> None:
    if len(cells) != width:
        message = f"{reading.file}, line {line}: {len(cells)} cells under {width} columns"
        reading.complain("ragged-row", message, "a cell with a comma in it needs double quotes")
        return
    row: list[Scalar] = []
    for name, place in zip(reading.columns, places, strict=True):
        try:
            row.append(_value(cells[place].strip(), reading.types.get(name)))
        except scalars.Unusable as error:
            where = f'{reading.file}, line {line}, column "{name}"'
            reading.complain("wrong-cell", f"{where}: {error.message}", error.hint)
            row.append(None)
    reading.rows.append(row)
    reading.lines.append(line)


def _report_the_rest(reading: Reading) -> None:
    left = len(reading.problems) - MAX_REPORTED
    if left > 0:
        del reading.problems[MAX_REPORTED:]
        reading.complain("wrong-cell", f"{reading.file}: {left} more lines or cells like these")


def _warn_of_mixtures(reading: Reading) -> None:
    for place, name in enumerate(reading.columns):
        if name not in reading.types and (found := _mixture(reading, place)):
            other, text = found
            message = (
                f'column "{name}" of {reading.file} holds text (line {text}) and what is none (line {other})'
            )
            reading.complain("mixed-column", message, f"say what it is: `types: {{{name}: text}}`", warn=True)


def _mixture(reading: Reading, place: int) -> tuple[int, int] | None:
    """The lines of the first cell that is no text and of the first that is, when a column has both."""
    first: dict[bool, int] = {}
    for line, row in zip(reading.lines, reading.rows, strict=True):
        if row[place] is not None:
            first.setdefault(isinstance(row[place], str), line)
    return (first[False], first[True]) if len(first) == 2 else None


# ── cells ────────────────────────────────────────────────────────────────────────────────────
def _value(cell: str, wanted: str | None) -> Scalar:
    """Raises Unusable, with a sentence, for a cell that is not what its column's type says."""
    if not cell:
        return None
    match wanted:
        case None:
            return _as_it_looks(cell)
        case "text":
            return cell
        case "boolean":
            value: Scalar = scalars.boolean(cell)
        case "integer":
            number = scalars.number(cell)
            value = int(number) if number is not None and number == int(number) else None
        case _:
            value = scalars.number(cell)
    if value is None:
        raise scalars.Unusable(
            f'"{scalars.shortened(cell)}" is no {_TYPE_WORDS[wanted]}', "correct it, or choose another type"
        )
    return value


_TYPE_WORDS = {"number": "number", "integer": "whole number", "boolean": "true or false"}


def _as_it_looks(cell: str) -> Scalar:
    truth = scalars.boolean(cell)
    if truth is not None:
        return truth
    number = scalars.number(cell)
    return cell if number is None else number
