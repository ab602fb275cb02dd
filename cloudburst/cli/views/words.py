"""Numbers, durations and values in words, the same everywhere."""

from __future__ import annotations

import json


def short(value: object) -> str:
    """A value as a cell: numbers as short as reads back within six digits, texts bare, the rest as JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str | int):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def exact(value: object) -> str:
    """A value as it is: texts bare, everything else as JSON, floats to the last bit."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def count(number: int, one: str, many: str = "") -> str:
    """`1 row`, `1,380 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """`25 ms`, `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.2g} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def bytes_in_words(size: int) -> str:
    """Decimal units, as the ensemble file has them: `1.2 MB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return count(size, "byte")
