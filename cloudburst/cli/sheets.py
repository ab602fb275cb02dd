"""Sheets of results, to a file or to the first stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from ..run.results import Result
from ..run.sinks.formats import TEXT_FORMATS, Sheet, format_of, only, write_file
from ..run.sinks.table import open_sheet
from .views.screen import Screen


class Printed:
    """The first stream as what the formats write to."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def write(self, text: str, /) -> object:
        self._screen.raw(text)
        return None


class Counted:
    """The rows of a sheet, and how many there were once they are read."""

    def __init__(self, rows: Iterable[Sequence[object]]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Sequence[object]]:
        for row in self._rows:
            self.count += 1
            yield row


def print_sheet(screen: Screen, results: Iterable[Result], form: str) -> None:
    with open_sheet(results, about={}) as sheet:
        TEXT_FORMATS[form](sheet, Printed(screen))


def deliver(
    screen: Screen, sheet: Sheet, *, out: Path | None, form: str | None, columns: Sequence[str]
) -> int:
    """Write the sheet where it was asked for; how many rows it had. Raises UsageError for what does not fit."""
    counted = Counted(sheet.rows)
    sheet = replace(sheet, rows=counted)
    if columns:
        sheet = only(sheet, columns)
    if out is None:
        form = form or ("jsonl" if screen.as_json else "csv")
        if form not in TEXT_FORMATS:
            raise UsageError(
                f"{form} cannot be printed", "give a file with --out, such as --out results.sqlite"
            )
        TEXT_FORMATS[form](sheet, Printed(screen))
    else:
        write_file(sheet, out, form or format_of(out))
    return counted.count
