"""The one home of pandas, which may be missing: nothing here is called then but `has_pandas` and `is_frame`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..run.sinks.formats import Column, Kind

if TYPE_CHECKING:
    import pandas


def has_pandas() -> bool:
    """Whether it can be imported; found out without doing so."""
    if "pandas" in sys.modules:
        return sys.modules["pandas"] is not None
    return importlib.util.find_spec("pandas") is not None


def is_frame(value: Any) -> bool:
    """Who never imported pandas has no DataFrame."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def frame(
    rows: Sequence[Sequence[Any]],
    columns: Sequence[Column],
    *,
    about: Mapping[str, Any],
    index: Any = None,
    moments: Collection[str] = (),
) -> pandas.DataFrame:
    """Whole numbers and truth values keep their kind where cells are empty (`Int64`, `boolean`); `moments` are UTC."""
    import pandas

    cells = ([row[place] for row in rows] for place in range(len(columns)))
    made = pandas.DataFrame(
        {
            column.name: pandas.to_datetime(pandas.Series(one, dtype=object), utc=True)
            if column.name in moments
            else pandas.Series(one, dtype=_dtype(one, column.kind))
            for column, one in zip(columns, cells, strict=True)
        },
        index=pandas.RangeIndex(len(rows)),
    )
    if index is not None:
        made.index = index
    made.attrs.update(about)
    return made


def _dtype(cells: Sequence[Any], kind: Kind) -> Any:
    """A column of texts is what this pandas makes of one."""
    gaps = any(cell is None for cell in cells)
    kinds: dict[Kind, Any] = {
        "integer": "Int64" if gaps else "int64",
        "number": "float64",
        "boolean": "boolean" if gaps else "bool",
        "text": None if any(cell is not None for cell in cells) else object,
    }
    return kinds.get(kind, object)


# ── in ───────────────────────────────────────────────────────────────────────────────────────
def records(given: pandas.DataFrame) -> Iterator[dict[Any, Any]]:
    """A dict a row, without its empty cells. Raises UsageError where two columns share a name."""
    if not given.columns.is_unique:
        twice = given.columns[given.columns.duplicated()][0]
        raise UsageError(f"two columns are called {twice!r}", "drop one of them")
    for row in given.to_dict("records"):
        yield {name: value for name, value in row.items() if not _is_empty(value)}


def _is_empty(value: Any) -> bool:
    import pandas

    return bool(pandas.api.types.is_scalar(value) and pandas.isna(value))


def repeated(index: pandas.Index[Any], times: int) -> pandas.MultiIndex:
    """The index of rows that were computed `times` times: the row's own, then the number of the replicate."""
    import pandas

    return pandas.MultiIndex.from_product([index, range(times)], names=[index.name, "replicate"])
