"""A part that lives only as long as the program that started it: its standard input is the line."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable


def hold(let_go: Callable[[], None]) -> None:
    """Call `let_go` once, from a thread, when standard input ends: the parent is gone or hung up."""
    line = sys.stdin.fileno()
    threading.Thread(target=_watch, args=(line, let_go), name="lifeline", daemon=True).start()


def _watch(line: int, let_go: Callable[[], None]) -> None:
    try:
        while os.read(line, 4096):
            pass
    finally:
        let_go()
