"""What happens while something is done, as it happens: a bar on a terminal, lines elsewhere, JSON lines.

All three are told the same events (run/events.py) and say nothing of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ...run.events import Doing, Event, Progress, Warned
from ...run.sentences import doing_line, node_line, of_all_line, progress_line
from .screen import Screen

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LINE_EVERY = 10.0
"""Seconds of a run between two lines of progress where there is no terminal."""
JSON_EVERY = 1.0


class Teller(Protocol):
    def tell(self, event: Event) -> None: ...
    def say(self, text: str) -> None:
        """A sentence from the command itself, between the events."""


@contextmanager
def telling(screen: Screen) -> Iterator[Teller]:
    """The teller that suits the screen; a bar is taken away when the context ends."""
    if screen.as_json:
        yield JsonTeller(screen)
    elif screen.live:
        with LiveTeller(screen) as teller:
            yield teller
    else:
        yield PlainTeller(screen)


class JsonTeller:
    """Every event is a JSON line; progress at most once a second, and whenever the state changes."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._pace = Pace(JSON_EVERY)

    def tell(self, event: Event) -> None:
        if isinstance(event, Progress) and not self._pace.is_due(event.status):
            return
        self._screen.data(event.to_json())

    def say(self, text: str) -> None:
        self._screen.data({"event": "note", "text": text})


class PlainTeller:
    """Lines that read well in a log; each thing is said once."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._pace = Pace(LINE_EVERY)
        self._said: dict[str, str] = {}

    def tell(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._nodes(event.status)
            if self._pace.is_due(event.status) and event.status["state"] not in ("idle", "starting"):
                self._screen.note(progress_line(event.status))
        else:
            self._screen.note(event_line(event, self._screen))

    def _nodes(self, status: Mapping[str, Any]) -> None:
        for node in status["nodes"]:
            text = node_line(node)
            if self._said.get(node["node"]) != text and node["state"] in ("preparing", "broken"):
                self._screen.note(text)
            self._said[node["node"]] = text

    def say(self, text: str) -> None:
        self._screen.note(text)


class LiveTeller:
    """One line that moves: what is being prepared, then the bar. Warnings and notes scroll above it."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._bar, self._task = _make_bar(screen)

    def __enter__(self) -> LiveTeller:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._move(event.status)
        elif isinstance(event, Doing):
            self._bar.update(self._task, description=doing_line(event), counts="")
        else:
            self.say(event_line(event, self._screen))

    def _move(self, status: Mapping[str, Any]) -> None:
        preparing = [node for node in status["nodes"] if node["state"] in ("preparing", "broken")]
        if status["state"] in ("idle", "starting"):
            self._bar.update(
                self._task, description=node_line(preparing[0]) if preparing else "starting", counts=""
            )
            return
        over = status["done"] + status["failed"]
        self._bar.update(
            self._task,
            description=status["state"],
            completed=over,
            total=over + status["to_do"],
            counts=of_all_line(status),
        )

    def say(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False)


def _make_bar(screen: Screen) -> tuple[Bar, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(file=screen.err, width=screen.width, no_color=not screen.error_paint.on, soft_wrap=True)
    text = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[counts]}", markup=False),
    )
    bar = Progress(*text, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    return bar, bar.add_task("starting", total=None, counts="")


class Pace:
    """Says when enough of a run has passed for another line; a new state is always worth one."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._state = ""
        self._next = 0.0

    def is_due(self, status: Mapping[str, Any]) -> bool:
        due = status["state"] != self._state or status["seconds"] >= self._next
        if due:
            self._state = status["state"]
            self._next = status["seconds"] + self._every
        return bool(due)


# ── sentences ────────────────────────────────────────────────────────────────────────────────
def event_line(event: Event, screen: Screen) -> str:
    if isinstance(event, Doing):
        return doing_line(event)
    if isinstance(event, Progress):
        return progress_line(event.status)
    return (
        f"{screen.error_paint.yellow('warning')}: {event.text}" if isinstance(event, Warned) else event.text
    )
