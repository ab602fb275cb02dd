"""Walking millions of rows takes a while: on a terminal, a line says how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .screen import Screen

WORTH_A_LINE = 100_000
"""Rows; fewer are counted before anybody could read it."""

Progress = Callable[[int, int], None]


@contextmanager
def counting(screen: Screen) -> Iterator[Progress]:
    """What to call with the rows walked and the rows in all; the line is gone at the end."""
    shown = False

    def tell(walked: int, rows: int) -> None:
        nonlocal shown
        if screen.live and rows >= WORTH_A_LINE:
            shown = True
            screen.same_line(f"counting rows: {walked:,} of {rows:,}")

    try:
        yield tell
    finally:
        if shown:
            screen.same_line("")
