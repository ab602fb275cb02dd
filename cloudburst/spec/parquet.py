"""Tables in Parquet files. The only home of pyarrow, which the extra `tables` brings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import records
from .records import NoTable, Records

_AT_ONCE = 4096


def read(data: bytes) -> Records:
    """The records of a Parquet file. Raises NoTable."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise records.missing_extra("a Parquet file", "pyarrow") from error
    return _read(pyarrow, parquet, data)


def _read(pyarrow: Any, parquet: Any, data: bytes) -> Records:
    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(data))
        header = [str(name) for name in file.schema_arrow.names]
    except (pyarrow.ArrowException, OSError) as error:
        raise _broken(error) from error
    return Records(header, _rows(pyarrow, file), typed=True, unit="row")


def _rows(pyarrow: Any, file: Any) -> Iterator[tuple[int, list[Any]]]:
    number = 0
    try:
        for batch in file.iter_batches(batch_size=_AT_ONCE):
            columns = [_values(pyarrow, column) for column in batch.columns]
            for cells in zip(*columns, strict=True):
                number += 1
                if records.some(cells):
                    yield number, list(cells)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _broken(error) from error


def _values(pyarrow: Any, column: Any) -> list[Any]:
    """A moment has microseconds in Python: what is finer is cut off."""
    kind = column.type
    if pyarrow.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pyarrow.timestamp("us", kind.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _broken(error: Exception) -> NoTable:
    reason = (str(error).splitlines() or [""])[0]
    return NoTable("table-syntax", f"cannot be read as Parquet: {reason}", "write the file again")
