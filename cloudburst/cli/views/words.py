"""Numbers, durations and values in words, the same everywhere."""

from __future__ import annotations

import json
import textwrap
from decimal import Decimal

from ...compile import money
from ...run.words import count, duration

__all__ = ["bytes_in_words", "count", "duration", "exact", "filled", "hours", "price", "short", "usd"]

hours = money.spell
"""Of a limit, as the ensemble file has it: `8h`, `20m`."""


def usd(amount: float) -> str:
    """`1.42 USD`, as the JSON forms have money."""
    return money.usd(Decimal(repr(amount)))


def price(hourly: float) -> str:
    """`0.357 USD an hour`."""
    return money.price(Decimal(repr(hourly)))


def filled(text: str, width: int) -> list[str]:
    """In so many columns, what follows the first line set in. Space at the beginning stays."""
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)


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


def bytes_in_words(size: int) -> str:
    """Decimal units, as the ensemble file has them: `1.2 MB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return count(size, "byte")
