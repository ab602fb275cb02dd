"""Moments in nanoseconds since 1970, exact: when a job's time is 0, and when each point of a series is."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ..series import CODES, NO_TIME, Kind, Values
from .line_protocol import EARLIEST, LATEST

SECOND = 10**9

_REMEMBERED = 100_000
"""Points of an index whose times are kept for the next series."""

_FRACTION = re.compile(r"(?<=:\d\d)[.,](\d+)")


def job_start(start: str | None, parameters: Mapping[str, Any]) -> int:
    """The moment at which a job's time is 0. `start` is a parameter's name, a moment, or None for 1970.

    Raises ValueError with a sentence when it is no moment.
    """
    if start is None:
        return 0
    if start not in parameters:
        return moment_of(start)
    try:
        return moment_of(parameters[start])
    except ValueError as error:
        raise ValueError(f"the parameter {start} is to be the start, and {error}") from None


def moment_of(value: Any) -> int:
    """ISO 8601, in UTC unless it says otherwise, or seconds since 1970. Raises ValueError with a sentence."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = after(0, value)
    elif isinstance(value, str):
        found = _read(value.strip())
    else:
        found = None
    if found is None or not EARLIEST <= found <= LATEST:
        raise ValueError(f"{value!r} is not a moment such as 2018-05-28T00:00:00")
    return found


def _read(text: str) -> int | None:
    """To the nanosecond, where Python's own reader knows microseconds."""
    fraction = _FRACTION.search(text)
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", text, count=1))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    parts = int(fraction[1][:9].ljust(9, "0")) if fraction else 0
    return (since.days * 86_400 + since.seconds) * SECOND + parts


def after(start: int, seconds: float) -> int | None:
    """`seconds` after `start`, to the nearest nanosecond whatever their size; None for NaN and the infinities."""
    try:
        above, below = seconds.as_integer_ratio()
    except (ValueError, OverflowError):
        return None
    if below == 1:
        return start + above * SECOND
    return start + (2 * above * SECOND + below) // (2 * below)


def times_of(index: Values, start: int) -> Sequence[int | None] | None:
    """When each point of a series is; None for a point without a time InfluxDB can hold, and for an index of texts."""
    if index.kind == "text":
        return None
    if len(index) > _REMEMBERED:
        return _times(index.kind, index.stored, start)
    return _times_again(index.kind, array(CODES[index.kind], index.stored).tobytes(), start)


@lru_cache(maxsize=8)
def _times_again(kind: Kind, stored: bytes, start: int) -> Sequence[int | None]:
    """The series of a study most often share their index."""
    numbers: array[Any] = array(CODES[kind])
    numbers.frombytes(stored)
    return _times(kind, numbers, start)


def _times(kind: Kind, stored: Sequence[Any], start: int) -> Sequence[int | None]:
    if kind == "datetime64[ns]":
        times = [None if t == NO_TIME else t for t in stored]
    elif kind == "timedelta64[ns]":
        times = [None if t == NO_TIME else start + t for t in stored]
    else:
        times = [after(start, seconds) for seconds in stored]
    return [None if t is None or not EARLIEST <= t <= LATEST else t for t in times]
