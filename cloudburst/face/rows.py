"""Tables on their way in and out: DataFrames where pandas is there, else lists of dicts with the same columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..run.sinks.formats import ABSENT, Cell, Column, Sheet
from . import frames

if TYPE_CHECKING:
    import pandas

MOMENT = "started"
"""The one column of a table that holds moments."""


class Rows(list[dict[str, Any]]):
    """A table without pandas: a dict a row, each with every column. What a cell lacks is None.

    `attrs` says what the table is about, as that of a DataFrame does.
    """

    def __init__(
        self, rows: Iterable[dict[str, Any]], columns: Sequence[str], attrs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(rows)
        self.columns = tuple(columns)
        self.attrs = dict(attrs or {})


# ── out ──────────────────────────────────────────────────────────────────────────────────────
def table(sheet: Sheet) -> pandas.DataFrame | Rows:
    """The sheet, read to its end."""
    rows = [[_present(cell) for cell in row] for row in sheet.rows]
    _with_moments(rows, sheet.columns)
    if frames.has_pandas():
        return frames.frame(rows, sheet.columns, about=sheet.about, moments=(MOMENT,))
    return rows_of(rows, sheet.columns, about=sheet.about)


def rows_of(rows: Iterable[Sequence[Any]], columns: Sequence[Column], *, about: Mapping[str, Any]) -> Rows:
    names = [column.name for column in columns]
    return Rows((dict(zip(names, row, strict=True)) for row in rows), names, about)


def _present(cell: Cell) -> Any:
    return None if cell is ABSENT else cell


def _with_moments(rows: list[list[Any]], columns: Sequence[Column]) -> None:
    """UTC. A parameter or an output of that name has another one in a table."""
    for place, column in enumerate(columns):
        if column.name == MOMENT:
            for row in rows:
                row[place] = None if row[place] is None else datetime.fromisoformat(row[place])


# ── in ───────────────────────────────────────────────────────────────────────────────────────
def points(rows: Any) -> list[dict[str, Any]]:
    """What was given as a DataFrame or as dicts, as JSON values. An empty cell of a DataFrame is not given.

    Raises UsageError for what is neither.
    """
    if frames.is_frame(rows):
        return [plain_row(row, number) for number, row in enumerate(frames.records(rows))]
    if isinstance(rows, Mapping | str) or not isinstance(rows, Iterable):
        raise UsageError(
            f"rows are a DataFrame or a list of dicts, and this is a {type(rows).__name__}",
            "one row is [{…}]" if isinstance(rows, Mapping) else "such as [{'demand': 0.9}, {'demand': 1.1}]",
        )
    found = list(rows)
    for number, row in enumerate(found):
        if not isinstance(row, Mapping):
            raise UsageError(
                f"row {number} is a {type(row).__name__}, and a row is a dict of parameters",
                "name the values: dict(zip(names, x))",
            )
    return [plain_row(row, number) for number, row in enumerate(found)]


def plain_row(row: Mapping[Any, Any], number: int) -> dict[str, Any]:
    for name in row:
        if not isinstance(name, str):
            raise UsageError(
                f"row {number} has the name {name!r}, and a parameter's name is a text", "name the columns"
            )
    return {name: plain(value) for name, value in row.items()}


def plain(value: Any) -> Any:
    """Numbers and arrays of numpy, and what a DataFrame holds, as Python has them; the rest as it is."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    listed = getattr(value, "tolist", None)
    if callable(listed):
        return plain(listed())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, float | int | str):  # of a class derived from it
        return next(kind(value) for kind in (float, int, str) if isinstance(value, kind))
    return value
