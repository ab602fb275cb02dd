"""Tables in Excel workbooks (.xlsx). The only home of openpyxl, which the extra `tables` brings."""

from __future__ import annotations

import datetime
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any, Final

from . import records
from .records import NoTable, Records
from .scalars import Unusable
from .schema import nearest

MAX_UNPACKED: Final = 1_000_000_000
"""Bytes. A workbook is a zip: a small one may hold anything."""

_TIME = re.compile(r"[hsHS]")
_AGAIN = "open the workbook and save it again"


def read(data: bytes, sheet: str | None) -> Records:
    """The records of a sheet, the first one when none is named. Raises NoTable."""
    try:
        import openpyxl
    except ImportError as error:
        raise records.missing_extra("an Excel workbook", "openpyxl") from error
    _refuse_bombs(data)
    values, formulas = (_sheet(openpyxl, data, sheet, data_only=only) for only in (True, False))
    rows = _numbered(values, formulas)
    _, header = next(rows, (0, []))
    names = [_name(cell) for cell in header]
    return Records(names, _filled(rows, len(names)), typed=True, unit="row")


def _refuse_bombs(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    except zipfile.BadZipFile as error:
        raise NoTable("table-syntax", "is no Excel workbook", _AGAIN) from error
    if size > MAX_UNPACKED:
        message = f"holds more than {MAX_UNPACKED // 1_000_000} MB"
        raise NoTable("file-too-large", message, "keep only the sheet the study needs")


def _sheet(openpyxl: Any, data: bytes, wanted: str | None, *, data_only: bool) -> Any:
    """openpyxl meets a damaged workbook with errors of many kinds, and an unusual one with warnings."""
    try:
        with warnings.catch_warnings(action="ignore"):
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=data_only)
            sheets = {one.title: one for one in book.worksheets}
    except Exception as error:
        raise _broken(error) from error
    if not sheets:
        raise NoTable("table-syntax", "has no sheet with cells")
    if wanted is None:
        return next(iter(sheets.values()))
    if wanted not in sheets:
        titles = {title.lower(): title for title in sheets}
        near = nearest(wanted, titles)
        hint = f'did you mean "{titles[near]}"?' if near else f"it has {', '.join(sheets)}"
        raise NoTable("unknown-sheet", f'has no sheet "{wanted}"', hint, ("sheet",))
    return sheets[wanted]


def _numbered(values: Any, formulas: Any) -> Iterator[tuple[int, list[Any]]]:
    """Every row that holds something, without the blank cells at its end."""
    for number, (found, written) in enumerate(zip(_rows(values), _rows(formulas), strict=True), 1):
        cells = [_cell(one, beside) for one, beside in zip(found, written, strict=True)]
        while cells and not records.some(cells[-1:]):
            cells.pop()
        if cells:
            yield number, cells


def _rows(sheet: Any) -> Iterator[Any]:
    """A sheet's own word on how large it is may be wrong. Warnings are kept quiet for a row at a time."""
    sheet.reset_dimensions()
    rows = iter(sheet.iter_rows())
    while True:
        try:
            with warnings.catch_warnings(action="ignore"):
                row = next(rows, None)
        except Exception as error:
            raise _broken(error) from error
        if row is None:
            return
        yield row


def _cell(found: Any, written: Any) -> Any:
    """The value a formula had when the workbook was saved; a day without hours is a date."""
    if found.data_type == "e":
        return Unusable(f"{found.value} is the error of a formula", "mend the formula, and save the workbook")
    if found.value is None and written.value is not None:
        return Unusable("a formula here was never computed", _AGAIN)
    if isinstance(found.value, datetime.datetime) and not _TIME.search(str(found.number_format)):
        return found.value.date()
    return found.value


def _name(cell: Any) -> str:
    return "" if not records.some([cell]) or isinstance(cell, Unusable) else str(records.plain(cell)).strip()


def _filled(rows: Iterator[tuple[int, list[Any]]], width: int) -> Iterator[tuple[int, list[Any]]]:
    for number, cells in rows:
        yield number, [*cells, *[None] * (width - len(cells))]


def _broken(error: Exception) -> NoTable:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return NoTable("table-syntax", f"cannot be read as an Excel workbook: {reason}", _AGAIN)
