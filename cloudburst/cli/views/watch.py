"""A study as it is computed: a picture that fills the terminal; elsewhere the lines that `apply` has."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ...run.events import Note, Progress
from ...run.results import first_line
from ...run.sentences import of_all_line
from . import rental
from .failures import ID_DIGITS
from .grid import cut, one_line
from .paint import Paint
from .screen import Screen
from .status import nodes, sink_lines, slots_line
from .telling import JsonTeller, PlainTeller
from .words import duration

if TYPE_CHECKING:
    from rich.live import Live

    from ..watching import Sight

BAR = 30
FEW_NODES = 4
"""Shown on the lowest terminal."""
BESIDE_NODES = 16
"""Lines a picture needs beside those of the nodes, at most."""


class Window(Protocol):
    def show(self, sight: Sight) -> None: ...
    def say(self, text: str) -> None: ...


@contextmanager
def window(screen: Screen, file: str) -> Iterator[Window]:
    """What suits the screen; a picture is taken away when the context ends."""
    if screen.live:
        with _Picture(screen, file) as picture:
            yield picture
    else:
        yield _Lines(screen)


class _Lines:
    """As `apply` tells it, for logs and programs."""

    def __init__(self, screen: Screen) -> None:
        self._teller = JsonTeller(screen) if screen.as_json else PlainTeller(screen)
        self._screen = screen
        self._said: frozenset[str] = frozenset()
        self._bill: Mapping[str, Any] | None = None

    def show(self, sight: Sight) -> None:
        self._teller.tell(Progress(sight.status))
        if sight.rental is not None and sight.rental is not self._bill:
            self._bill = sight.rental
            self._screen.data({"event": "rental", "rental": sight.rental})
            if not sight.rental["away"]:
                self._screen.note(rental.money_line(sight.rental))
        problems = frozenset(_problems(sight))
        for problem in sorted(problems - self._said):
            self._teller.say(f"warning: {problem}")
        self._said = problems

    def say(self, text: str) -> None:
        self._teller.tell(Note(text))


class _Picture:
    """Drawn anew at every look, on the terminal's other page: what was there before comes back."""

    def __init__(self, screen: Screen, file: str) -> None:
        self._screen = screen
        self._file = file
        self._live = _make_live(screen)

    def __enter__(self) -> _Picture:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, sight: Sight) -> None:
        screen = self._screen
        size = self._live.console.size  # a window may be made larger meanwhile
        self._draw(
            lines(sight, file=self._file, width=size.width, height=size.height, paint=screen.error_paint)
        )

    def say(self, text: str) -> None:
        self._draw([text])

    def _draw(self, shown: list[str]) -> None:
        from rich.text import Text

        text = Text.from_ansi("\n".join(shown), no_wrap=True, overflow="crop")
        self._live.update(text, refresh=True)


def _make_live(screen: Screen) -> Live:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=screen.err, no_color=not screen.error_paint.on)
    return Live(
        console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    )


# ── the picture ──────────────────────────────────────────────────────────────────────────────
def lines(sight: Sight, *, file: str, width: int, height: int, paint: Paint) -> list[str]:
    """At most `height` lines of at most `width` columns; the nodes give way first."""
    status = sight.status
    where = f" on {sight.where}" if sight.where else ""
    shown = [
        paint.bold(cut(f"{sight.study}{where}", width)),
        cut(f"{_state(status)}, for {duration(status['seconds'])}", width),
        "",
        f"{paint.green(bar(status))} {cut(of_all_line(status), width - BAR - 1)}",
        cut(slots_line(status), width),
        *_money(sight, width),
        "",
        *nodes(status["nodes"], width=width, paint=paint, at_most=max(FEW_NODES, height - BESIDE_NODES)),
    ]
    beside = [
        *(line for line in sink_lines(status["sinks"], paint)),
        *(part for line in _problems(sight) for part in wrapped(line, width, paint)),
        *_failures(sight, file, paint),
    ]
    if beside:
        shown += ["", *beside]
    foot = ["", paint.dim("Ctrl-C ends the watching, not the study.")]
    return [*(cut_painted(line, width) for line in shown[: max(1, height - len(foot))]), *foot]


def _money(sight: Sight, width: int) -> list[str]:
    """In one line: what machines cost and until when. Where they cannot be asked, that is a problem."""
    bill = sight.rental
    return [] if bill is None or bill["away"] else [cut(rental.money_line(bill), width)]


def bar(status: Mapping[str, Any]) -> str:
    """How much of this run has ended."""
    over = status["done"] + status["failed"]
    whole = over + status["to_do"]
    filled = BAR if not whole else BAR * over // whole
    return "━" * filled + "╌" * (BAR - filled)


def _state(status: Mapping[str, Any]) -> str:
    reason = first_line(status["reason"])
    return f"{status['state']}: {reason}" if reason else str(status["state"])


def _problems(sight: Sight) -> list[str]:
    problems = [one_line(problem) for problem in sight.status["problems"]]
    if sight.trouble:
        problems.append(f"no answer for {duration(sight.silent)}: {sight.trouble}")
    if sight.rental is not None:
        problems += rental.troubles(sight.rental)
    return problems


def _failures(sight: Sight, file: str, paint: Paint) -> Iterator[str]:
    if not sight.status["failed"]:
        return
    failed = paint.red(f"{sight.status['failed']:,} failed")
    yield f"{failed}, `cloudburst failures{file}` lists them"
    for outcome in sight.failures:
        why = one_line(first_line(outcome["error"]))
        yield f"  {outcome['id'][:ID_DIGITS]}  row {outcome['row']}  {outcome['kind']}  {why}"


def wrapped(problem: str, width: int, paint: Paint) -> list[str]:
    """A sentence about what is wrong is shown whole."""
    first, *others = textwrap.wrap(problem, width - len("warning: ")) or [""]
    return [f"{paint.yellow('warning')}: {first}", *(f"         {other}" for other in others)]


def cut_painted(line: str, width: int) -> str:
    """Cut where there is no colour; painted lines are cut by the terminal's picture."""
    return line if "\x1b" in line else cut(line, width)
