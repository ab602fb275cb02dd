"""`table`: a file -> rows of values. The ending of its name says what it is: CSV, TSV, JSON lines, Parquet or Excel.

In CSV and TSV cells are read as YAML reads words: numbers, true, false, else text; blanks around a cell do not count.
The others say themselves what is text. A blank cell is an absent parameter, a record of blank cells is no row.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Final

from ..diagnostics import Path, Problem
from . import excel, parquet, records, scalars
from .ensemble import Value
from .records import NoTable, Records
from .schema import nearest

MAX_BYTES: Final = 100_000_000
MAX_CELLS: Final = 10_000_000
MAX_REPORTED: Final = 20
"""Bad cells of one table that are reported one by one."""


@dataclass
class Reading:
    """One table being read. `rows` hold None where a cell is blank; `problems` may outgrow the rows."""

    asked: Mapping[str, Any]
    path: Path
    columns: list[str] = field(default_factory=list)
    rows: list[list[Value]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    sha256: str = ""
    unit: str = "line"
    typed: bool = False
    problems: list[Problem] = field(default_factory=list)

    @property
    def file(self) -> str:
        return str(self.asked["file"])

    @property
    def types(self) -> Mapping[str, str]:
        types: Mapping[str, str] = self.asked.get("types", {})
        return types

    @property
    def has_decimal_commas(self) -> bool:
        return bool(self.asked.get("decimal") == ",")

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
    _complain_of_options(reading)
    data = None if reading.problems else _bytes(reading, base / reading.file)
    if data is not None:
        _read_rows(reading, data)
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
def _csv(data: bytes, asked: Mapping[str, Any]) -> Records:
    return records.separated(data, asked.get("separator", ","))


def _tsv(data: bytes, asked: Mapping[str, Any]) -> Records:
    return records.separated(data, asked.get("separator", "\t"))


def _excel(data: bytes, asked: Mapping[str, Any]) -> Records:
    return excel.read(data, asked.get("sheet"))


_TEXT_OPTIONS = frozenset({"separator", "decimal"})
_FORMATS: Mapping[str, tuple[Callable[[bytes, Mapping[str, Any]], Records], frozenset[str]]] = {
    ".csv": (_csv, _TEXT_OPTIONS),
    ".tsv": (_tsv, _TEXT_OPTIONS),
    ".jsonl": (lambda data, _: records.json_lines(data), frozenset()),
    ".parquet": (lambda data, _: parquet.read(data), frozenset()),
    ".xlsx": (_excel, frozenset({"sheet"})),
}
"""By the ending of the name: how it is read, and which keys say more about it."""


def _complain_of_options(reading: Reading) -> None:
    """Keys that mean nothing for this kind of file, or cannot both be."""
    ending = _ending(reading)
    for key in sorted({"sheet", *_TEXT_OPTIONS} & reading.asked.keys() - _FORMATS[ending][1]):
        message = f'"{key}" says nothing of a {ending} file'
        hint = f"it is for {' and '.join(one for one, (_, keys) in _FORMATS.items() if key in keys)} files"
        reading.complain("no-such-option", message, hint, at=(key,))
    separator = reading.asked.get("separator", "," if ending == ".csv" else "\t")
    if separator == reading.asked.get("decimal") and not reading.problems:
        message = f'"{separator}" cannot both part the columns and mark the decimals'
        reading.complain("same-mark", message, 'say what parts the columns: separator: ";"', at=("decimal",))


def _ending(reading: Reading) -> str:
    return os.path.splitext(reading.file)[1].lower()


def _bytes(reading: Reading, file: File) -> bytes | None:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        reading.complain(
            "no-such-file", f"there is no file {reading.file} beside the ensemble file", _neighbour(file)
        )
        return None
    except OSError as error:
        reading.complain("unreadable-file", f"cannot read {reading.file}: {os.strerror(error.errno or 0)}")
        return None
    if len(data) > MAX_BYTES:
        message = f"{reading.file} is larger than {MAX_BYTES // 1_000_000} MB"
        reading.complain("file-too-large", message, "keep only the columns and rows the study needs")
        return None
    reading.sha256 = hashlib.sha256(data).hexdigest()
    return data


def _neighbour(file: File) -> str:
    try:
        close = nearest(file.name, (entry.name for entry in file.parent.iterdir()))
    except OSError:
        return f"there is no directory {file.parent.name} either"
    return f'did you mean "{close}"?' if close else ""


# ── rows ─────────────────────────────────────────────────────────────────────────────────────
def _read_rows(reading: Reading, data: bytes) -> None:
    read, _ = _FORMATS[_ending(reading)]
    try:
        found = read(data, reading.asked)
        reading.unit, reading.typed = found.unit, found.typed
        places = _choose_columns(reading, found.header)
        if places is None:
            return
        for number, cells in found.rows:
            _take_row(reading, number, cells, len(found.header), places)
            if len(reading.rows) * len(places) > MAX_CELLS:
                raise NoTable("too-many-values", f"has more than {MAX_CELLS:,} cells", _FEWER)
    except NoTable as error:
        reading.complain(error.code, f"{reading.file} {error.message}", error.hint, at=error.at)
        return
    if not reading.rows and not reading.problems:
        reading.complain("empty", f"{reading.file} has no row below its header")
    _report_the_rest(reading)
    _warn_of_mixtures(reading)


_FEWER = "name the columns the study needs: `columns: […]`"


def _choose_columns(reading: Reading, header: list[str]) -> list[int] | None:
    """Where in a record the columns asked for stand, in the order asked; None when that cannot be said."""
    if not header:
        reading.complain("empty", f"{reading.file} is empty", "its first line names the columns")
        return None
    if not reading.typed and len(header) == 1 and (mark := _other_separator(header[0])):
        message = f"{reading.file} has one column, {scalars.shortened(header[0])!r}"
        reading.complain("table-separator", message, f"say what parts the columns: separator: {mark}")
        return None
    asked = reading.asked.get("columns")
    reading.columns = list(asked) if asked else header
    _complain_of_names(reading, header)
    if reading.problems:
        return None
    return [header.index(name) for name in reading.columns]


def _other_separator(name: str) -> str | None:
    """As it is written in YAML: what parts the names that were read as one."""
    return next((shown for mark, shown in _SEPARATORS.items() if mark in name), None)


_SEPARATORS = {";": '";"', "\t": '"\\t"', ",": '","', "|": '"|"'}


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


def _take_row(reading: Reading, number: int, cells: list[Any], width: int, places: list[int]) -> None:
    if len(cells) != width:
        message = f"{reading.file}, {reading.unit} {number}: {len(cells)} cells under {width} columns"
        hint = "give the column a name" if reading.typed else "a cell with a separator in it needs quotes"
        reading.complain("ragged-row", message, hint)
        return
    row: list[Value] = []
    for name, place in zip(reading.columns, places, strict=True):
        try:
            row.append(_value(reading, cells[place], reading.types.get(name)))
        except scalars.Unusable as error:
            where = f'{reading.file}, {reading.unit} {number}, column "{name}"'
            reading.complain("wrong-cell", f"{where}: {error.message}", error.hint)
            row.append(None)
    reading.rows.append(row)
    reading.lines.append(number)


def _report_the_rest(reading: Reading) -> None:
    left = len(reading.problems) - MAX_REPORTED
    if left > 0:
        del reading.problems[MAX_REPORTED:]
        reading.complain("wrong-cell", f"{reading.file}: {left} more {reading.unit}s or cells like these")


def _warn_of_mixtures(reading: Reading) -> None:
    for place, name in enumerate(reading.columns):
        if name not in reading.types and (found := _mixture(reading, place)):
            other, text = found
            message = (
                f'column "{name}" of {reading.file} holds text ({reading.unit} {text}) '
                f"and what is none ({reading.unit} {other})"
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
def _value(reading: Reading, cell: Any, wanted: str | None) -> Value:
    """None for a blank cell. Raises Unusable, with a sentence, for one that is not what its column's type says."""
    if reading.typed:
        value = records.plain(cell)
        if value is None or wanted is None:
            return value
        return _of_type(records.word(value).strip(), wanted)
    return read_cell(cell, wanted, decimal_commas=reading.has_decimal_commas)


def read_cell(cell: str, wanted: str | None = None, *, decimal_commas: bool = False) -> Value:
    """What a cell of a CSV file means; `wanted` is its column's type. None for a blank one. Raises Unusable."""
    text = cell.strip()
    if not text:
        return None
    if records.UNSTORABLE.search(text):
        raise scalars.Unusable("the text holds U+0000", "no program can be given it")
    if decimal_commas and wanted != "text":
        text = _with_points(text)
    return _as_it_looks(text) if wanted is None else _of_type(text, wanted)


def _with_points(text: str) -> str:
    """1,5 as 1.5. A number with a point may mean thousands, or be a mistake."""
    if not _COMMA_NUMBER.fullmatch(text):
        if _POINT_NUMBER.fullmatch(text):
            raise scalars.Unusable(
                f'"{scalars.shortened(text)}" has a point where decimals have a comma',
                "write it with a comma and without marks between thousands",
            )
        return text
    return text.replace(",", ".")


_COMMA_NUMBER = re.compile(r"[-+]?[0-9]*,?[0-9]*([eE][-+]?[0-9]+)?")
_POINT_NUMBER = re.compile(r"[-+]?([0-9]*\.[0-9]+|[0-9]{1,3}(\.[0-9]{3})+(,[0-9]*)?)([eE][-+]?[0-9]+)?")


def _of_type(text: str, wanted: str) -> Value:
    match wanted:
        case "text":
            return text
        case "boolean":
            value: Value = scalars.boolean(text)
        case "integer":
            number = scalars.number(text)
            value = int(number) if number is not None and number == int(number) else None
        case _:
            value = scalars.number(text)
    if value is None:
        raise scalars.Unusable(
            f'"{scalars.shortened(text)}" is no {_TYPE_WORDS[wanted]}', "correct it, or choose another type"
        )
    return value


_TYPE_WORDS = {"number": "number", "integer": "whole number", "boolean": "true or false"}


def _as_it_looks(cell: str) -> Value:
    truth = scalars.boolean(cell)
    if truth is not None:
        return truth
    number = scalars.number(cell)
    return cell if number is None else number
