"""Numbers and durations in words, the same in the terminal and on the status page."""

from __future__ import annotations

from ..words import count

__all__ = ["count", "duration", "rate"]


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


def rate(per_second: float) -> str:
    """Jobs over time, in the unit that gives a number one can think of: `28.1 a second`."""
    units = (("a second", 1), ("a minute", 60), ("an hour", 3600))
    unit, seconds = next((u for u in units if per_second * u[1] >= 1), units[-1])
    number = per_second * seconds
    return f"{number:,.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"
