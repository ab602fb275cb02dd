"""What a return value says: which parts stay in the row, which are series, which are files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

from . import series

DEPTH_LIMIT = 64


class Unstorable(Exception):
    """Something in the return value cannot be kept; the message names the place and the type."""


@dataclass
class Returned:
    """A return value taken apart. `result` is JSON; `files` maps a name to the path as returned."""

    result: dict[str, Any] = field(default_factory=dict)
    series: list[series.Series] = field(default_factory=list)
    files: dict[str, PurePath] = field(default_factory=dict)


def take_apart(value: Any) -> Returned:
    """Judges a return value: a map key by key, anything else under `value`. Raises Unstorable."""
    returned = Returned()
    if isinstance(value, dict) and not series.looks_like_pair(value):
        for key, part in value.items():
            _check_key(key, "result")
            _judge(key, part, f"result.{key}", returned)
    else:
        _judge("value", value, "result", returned)
    return returned


def _judge(name: str, value: Any, where: str, returned: Returned) -> None:
    if series.looks_like_frame(value) or series.looks_like_pair(value):
        returned.series.append(_series(name, value, where))
    elif isinstance(value, PurePath):
        returned.files[name] = value
    else:
        returned.result[str(name)] = to_json(value, where)


def _series(name: str, value: Any, where: str) -> series.Series:
    make = series.from_frame if series.looks_like_frame(value) else series.from_pair
    try:
        return make(name, value)
    except series.BadSeries as error:
        raise Unstorable(f"`{where}` is a series that {error}") from error


def to_json(value: Any, where: str, depth: int = 0) -> Any:
    """`value` as what JSON can hold. `where` is its place, such as `result.foo[2]`. Raises Unstorable."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return _plain_scalar(value)
    if depth > DEPTH_LIMIT:
        raise Unstorable(f"`{where[:200]}` is nested more than {DEPTH_LIMIT} deep, or contains itself")
    if isinstance(value, Mapping):
        return {
            _check_key(key, where): to_json(part, f"{where}.{key}", depth + 1) for key, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [to_json(part, f"{where}[{i}]", depth + 1) for i, part in enumerate(value)]
    if hasattr(value, "dtype") and hasattr(value, "tolist") and not series.looks_like_frame(value):
        return _from_numpy(value, where, depth)
    return _from_library(value, where)


def _plain_scalar(value: Any) -> Any:
    """A scalar without its subclass: an enum's value, numpy's text as text."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value.value if isinstance(value, Enum) else value)
    return value


def _from_numpy(value: Any, where: str, depth: int) -> Any:
    kind = getattr(value.dtype, "kind", "")
    if kind == "c":
        raise Unstorable(f"`{where}` is complex ({_type_name(value)}): return its real and imaginary part")
    if kind == "M":
        return to_json(value.astype(str).tolist(), where, depth + 1)
    if kind == "m":
        return to_json((value.astype("timedelta64[ns]").astype("float64") / 1e9).tolist(), where, depth + 1)
    return to_json(value.tolist(), where, depth + 1)


def _from_library(value: Any, where: str) -> Any:
    """The few classes of the standard library that have one obvious form in JSON."""
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Enum):
        return to_json(value.value, where)
    raise Unstorable(f"`{where}` is {_article(_type_name(value))}, which cannot be stored{_advice(value)}")


def _check_key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return str(key)
    raise Unstorable(
        f"`{where}` has the key {key!r} ({_type_name(key)}), and keys must be text: "
        "return {str(key): value for key, value in ….items()}"
    )


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _advice(value: Any) -> str:
    if isinstance(value, PurePath):
        return ": return files directly in the returned dict, not inside lists or inner dicts"
    if series.looks_like_frame(value):
        return ": return series directly in the returned dict, not inside lists or inner dicts"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ": write it to a file and return its pathlib.Path"
    if isinstance(value, (set, frozenset)):
        return " because it has no order: return sorted(…)"
    if hasattr(value, "read") and hasattr(value, "close"):
        return ": return the pathlib.Path of the file instead of the open file"
    if hasattr(value, "__next__"):
        return ": return list(…)"
    if callable(value):
        return ": it was returned without being called"
    return ": return numbers, texts, lists, dicts, series or pathlib.Path"
