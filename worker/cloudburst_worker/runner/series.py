"""Time series as bytes: one line of JSON, a newline, then the numbers (docs/contracts.md).

pandas and numpy are known by how they look, never imported: what the job returned brings them along.
"""

from __future__ import annotations

import contextlib
import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_NOT_A_TIME = -(2**63)


class BadSeries(Exception):
    """What looked like a series is none; the message says why, without saying where."""


@dataclass(frozen=True)
class Column:
    """One column: its kind and either its little-endian bytes or, for `text`, its values."""

    name: str
    kind: str
    length: int
    data: bytes = b""
    values: list[str | None] = field(default_factory=list)

    def header(self) -> dict[str, Any]:
        named: dict[str, Any] = {"name": self.name, "kind": self.kind}
        return {**named, "values": self.values} if self.kind == "text" else named


@dataclass(frozen=True)
class Series:
    name: str
    index: Column
    columns: tuple[Column, ...]


def looks_like_frame(value: Any) -> bool:
    """Whether `value` is a pandas Series or DataFrame."""
    return _pandas_name(value) is not None


def looks_like_pair(value: Any) -> bool:
    """Whether `value` is a dict with exactly the keys `time` and `value`, sequences at least in part."""
    if not isinstance(value, dict) or len(value) != 2 or set(value) != {"time", "value"}:
        return False
    return any(_is_sequence(part) for part in value.values())


def from_frame(name: str, value: Any) -> Series:
    """The series of a pandas Series or DataFrame. Raises BadSeries."""
    index = _from_array(_label(value.index.name, "index"), _flat_index(value.index))
    if _pandas_name(value) == "Series":
        return _checked(Series(name, index, (_from_array("value", value),)))
    labels = [_column_label(label) for label in value.columns]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise BadSeries(f"has the column {twice[0]!r} more than once")
    columns = tuple(_from_array(label, value.iloc[:, i]) for i, label in enumerate(labels))
    return _checked(Series(name, index, columns))


def from_pair(name: str, value: Mapping[str, Any]) -> Series:
    """The series of `{"time": …, "value": …}`. Raises BadSeries."""
    for key in ("time", "value"):
        if not _is_sequence(value[key]):
            raise BadSeries(f"has `{key}` that is no sequence but {type(value[key]).__name__}")
    return _checked(Series(name, _from_any("time", value["time"]), (_from_any("value", value["value"]),)))


def encode(all_series: Sequence[Series]) -> bytes:
    """The series object of a job."""
    header = {
        "format": 1,
        "series": [
            {
                "name": one.name,
                "length": one.index.length,
                "index": one.index.header(),
                "columns": [column.header() for column in one.columns],
            }
            for one in all_series
        ],
    }
    parts = [json.dumps(header, separators=(",", ":")).encode("ascii"), b"\n"]
    for one in all_series:
        parts.append(one.index.data)
        parts.extend(column.data for column in one.columns)
    return b"".join(parts)


# ── what is a series ─────────────────────────────────────────────────────────────────────────
def _pandas_name(value: Any) -> str | None:
    for kind in type(value).__mro__:
        if kind.__name__ in ("Series", "DataFrame") and kind.__module__.split(".")[0] == "pandas":
            return kind.__name__
    return None


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and hasattr(value, "tolist")


def _is_sequence(value: Any) -> bool:
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        return False
    return isinstance(value, (Sequence, array)) or (_is_array(value) and getattr(value, "ndim", 1) > 0)


def _checked(series: Series) -> Series:
    for column in series.columns:
        if column.length != series.index.length:
            raise BadSeries(
                f"has {series.index.length} in `{series.index.name}` and {column.length} in `{column.name}`"
            )
    return series


def _label(label: Any, otherwise: str) -> str:
    return otherwise if label is None else str(label)


def _column_label(label: Any) -> str:
    return ".".join(map(str, label)) if isinstance(label, tuple) else str(label)


def _flat_index(index: Any) -> Any:
    if getattr(index, "nlevels", 1) > 1:
        raise BadSeries("has an index of several levels: call reset_index() before returning it")
    return index.to_timestamp() if hasattr(index, "to_timestamp") and hasattr(index, "freq") else index


# ── columns ──────────────────────────────────────────────────────────────────────────────────
def _from_any(name: str, values: Any) -> Column:
    return _from_array(name, values) if _is_array(values) else _from_list(name, list(values))


def _from_array(name: str, values: Any) -> Column:
    """A column from anything with a dtype: numpy arrays, pandas Series and Index."""
    if getattr(values, "ndim", 1) != 1:
        raise BadSeries(f"has `{name}` of {values.ndim} dimensions, not one")
    kind = getattr(values.dtype, "kind", "O")
    if kind in "iub":
        return _numbers(name, values, kind)
    if kind == "f":
        return Column(name, "float64", len(values), _floats(values))
    if kind in "Mm":
        unit = "datetime64[ns]" if kind == "M" else "timedelta64[ns]"
        return Column(name, unit, len(values), _nanoseconds(values, unit))
    if kind == "c":
        raise BadSeries(f"has complex numbers in `{name}`: return real and imaginary part as two columns")
    return _from_list(name, list(values.tolist()))


def _plain(values: Any) -> Any:
    """The numpy array inside a pandas object, or the array itself."""
    return values.to_numpy() if hasattr(values, "to_numpy") else values


def _floats(values: Any) -> bytes:
    try:
        data: bytes = _plain(values).astype("<f8").tobytes()
    except (TypeError, ValueError):  # a nullable float of pandas with gaps
        data = values.to_numpy(dtype="<f8", na_value=float("nan")).tobytes()
    return data


def _numbers(name: str, values: Any, kind: str) -> Column:
    has_gaps = getattr(values, "hasnans", False) or bool(getattr(_plain(values).dtype, "kind", "O") == "O")
    if has_gaps:  # a nullable integer of pandas
        return _from_list(name, list(values.tolist()))
    if kind == "u" and len(values) and int(values.max()) >= 2**63:
        return Column(name, "float64", len(values), _plain(values).astype("<f8").tobytes())
    return Column(name, "int64", len(values), _plain(values).astype("<i8").tobytes())


def _nanoseconds(values: Any, unit: str) -> bytes:
    """Little-endian int64 nanoseconds; times with a zone become UTC."""
    if getattr(values.dtype, "tz", None) is not None:
        values = getattr(values, "dt", values).tz_convert(None)
    data: bytes = _plain(values).astype(unit).astype("<i8").tobytes()
    return data


def _from_list(name: str, values: list[Any]) -> Column:
    if set(map(type, values)) <= {float, int}:  # what most lists are
        return _from_numbers(name, values)
    values = [_scalar(value) for value in values]
    if any(isinstance(value, str) for value in values):
        values = [None if value != value else value for value in values]  # pandas marks a missing text by NaN
    present = [value for value in values if value is not None]
    if all(isinstance(value, (int, float)) for value in present):
        return _from_numbers(name, [float("nan") if value is None else value for value in values])
    if all(isinstance(value, str) for value in present):
        return Column(name, "text", len(values), values=values)
    if all(isinstance(value, datetime) for value in present):
        return Column(name, "datetime64[ns]", len(values), _little("q", [_instant(v) for v in values]))
    if all(isinstance(value, timedelta) for value in present):
        return Column(name, "timedelta64[ns]", len(values), _little("q", [_duration(v) for v in values]))
    kinds = ", ".join(sorted({type(value).__name__ for value in present}))
    raise BadSeries(f"has {kinds} in `{name}`: all numbers, all times or all texts can be stored")


def _from_numbers(name: str, values: list[Any]) -> Column:
    """Whole numbers stay whole where 64 bits hold them all."""
    if all(map(_is_whole, set(map(type, values)))):
        with contextlib.suppress(OverflowError):
            return Column(name, "int64", len(values), _little("q", values))
    try:
        return Column(name, "float64", len(values), _little("d", values))
    except OverflowError as error:
        raise BadSeries(f"has a number in `{name}` that is too large for 64 bits") from error


def _is_whole(kind: type) -> bool:
    return issubclass(kind, int)


def _scalar(value: Any) -> Any:
    """One entry as a plain Python value; what stands for "nothing" in pandas becomes None."""
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, (str, int, float, datetime, timedelta)) or value is None:
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    return value.item() if hasattr(value, "item") and hasattr(value, "dtype") else value


def _instant(value: datetime | None) -> int:
    if value is None:
        return _NOT_A_TIME
    utc = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
    return _duration(utc - _EPOCH) + int(getattr(value, "nanosecond", 0))


def _duration(value: timedelta | None) -> int:
    return _NOT_A_TIME if value is None else (value // _MICROSECOND) * 1000


def _little(code: str, numbers: list[Any]) -> bytes:
    packed = array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()
