"""Moments as people write them: ISO 8601, UTC where no zone is said; as a parameter also seconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

FIRST_YEAR, LAST_YEAR = 1678, 2261
"""Whole years that nanoseconds since 1970 in 64 bits reach: what series are kept in."""


def is_moment(value: object) -> bool:
    """Whether a parameter's value says a moment: a text, or a number of seconds since 1970."""
    if isinstance(value, str):
        return moment(value) is not None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    first, end = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (FIRST_YEAR, LAST_YEAR + 1))
    return first <= value < end


def moment(text: str) -> datetime | None:
    """`2018-05-28T00:00:00`, `2018-05-28`, `2018-05-28T00:00+02:00`; None for what is none, or out of reach."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
