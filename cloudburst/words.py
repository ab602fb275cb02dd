"""Numbers of things and lists of things in a sentence, the same in every room."""

from __future__ import annotations

from collections.abc import Iterable


def count(number: int, one: str, many: str = "") -> str:
    """`1 row`, `1,380 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(words: Iterable[str], last: str = "and", *, most: int | None = None) -> str:
    """`a`, `a and b`, `a, b and c`; of more than `most` words the first, `and 7 more`. "" for none."""
    shown = list(words)
    if most is not None and len(shown) > most:
        shown = [*shown[:most], f"{len(shown) - most} more"]
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}" if len(shown) > 1 else "".join(shown)
