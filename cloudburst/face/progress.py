"""How far it is, for somebody who waits: a bar that moves in a notebook, lines on the second stream elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Any, Protocol

from ..run.events import Doing, Event, Progress, Warned
from ..run.sentences import doing_line, node_line, of_all_line, progress_line

LINE_EVERY = 10.0
"""Seconds between two lines of progress, at least."""
DRAW_EVERY = 0.1
"""Seconds between two pictures of a bar."""


class Teller(Protocol):
    def tell(self, event: Event) -> None: ...

    def say(self, text: str) -> None:
        """A sentence between the events."""


@contextmanager
def telling(wanted: bool) -> Iterator[Teller]:
    """What suits the place. A bar stays where it is, as it was last."""
    if not wanted:
        yield Silent()
        return
    display = notebook_display()
    teller = Lines() if display is None else Bar(display)
    try:
        yield teller
    finally:
        teller.end()


def notebook_display() -> Any:
    """`IPython.display.display` in a notebook; None where nothing displayed can be changed later."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    return display


class Silent:
    def tell(self, event: Event) -> None:
        """Nobody asked."""

    def say(self, text: str) -> None:
        """Nobody asked."""


class Lines:
    """Lines that read well in a log: each step as it comes, and now and then how far it is."""

    def __init__(self) -> None:
        self._next = time.monotonic()
        self._last: Mapping[str, Any] | None = None
        self._said = ""

    def tell(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._progress(event.status)
        else:
            self.say(event_line(event))

    def _progress(self, status: Mapping[str, Any]) -> None:
        if status["state"] in ("idle", "starting"):
            self._nodes(status)
            return
        self._last = status
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY
            self.say(progress_line(status))

    def _nodes(self, status: Mapping[str, Any]) -> None:
        for text in map(node_line, preparing(status)):
            if text != self._said:
                self.say(text)

    def say(self, text: str) -> None:
        if text == self._said:
            return
        self._said = text
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def end(self) -> None:
        if self._last is not None:
            self.say(progress_line(self._last))


class Bar:
    """One display that is drawn anew. Warnings and notes stay under it."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None
        self._text, self._share = "starting", -1.0
        self._notes: list[str] = []
        self._drawn, self._is_due = time.monotonic(), False

    def tell(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._move(event.status)
        elif isinstance(event, Doing):
            self._text = doing_line(event)
            self._draw()
        else:
            self.say(event_line(event))

    def _move(self, status: Mapping[str, Any]) -> None:
        if status["state"] in ("idle", "starting"):
            self._text = next(map(node_line, preparing(status)), "starting")
        else:
            over = status["done"] + status["failed"]
            self._text = f"{status['state']}: {of_all_line(status)}"
            self._share = over / max(1, over + status["to_do"])
        self._draw()

    def say(self, text: str) -> None:
        self._notes.append(text)
        self._draw(now=True)

    def end(self) -> None:
        if self._is_due:
            self._draw(now=True)

    def _draw(self, *, now: bool = False) -> None:
        if self._handle is None:
            self._handle = self._display(self._picture(), raw=True, display_id=True)
            return
        self._is_due = not now and time.monotonic() - self._drawn < DRAW_EVERY
        if not self._is_due:
            self._drawn = time.monotonic()
            self._handle.update(self._picture(), raw=True)

    def _picture(self) -> dict[str, str]:
        lines = [self._text, *self._notes]
        amount = f' value="{self._share:.4f}"' if self._share >= 0 else ""
        notes = "".join(f"<br>{escape(note)}" for note in self._notes)
        html = f"<progress max=1{amount}></progress> <span>{escape(self._text)}</span>{notes}"
        return {"text/plain": "\n".join(lines), "text/html": html}


def preparing(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [node for node in status["nodes"] if node["state"] in ("preparing", "broken")]


def event_line(event: Event) -> str:
    if isinstance(event, Doing):
        return doing_line(event)
    if isinstance(event, Progress):
        return progress_line(event.status)
    return f"warning: {event.text}" if isinstance(event, Warned) else event.text
