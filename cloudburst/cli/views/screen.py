"""The terminal: the two streams, how wide they are, whether they show colour. Only views write here.

Human text and `--json` never mix: what a command says is either sentences or JSON, on each stream.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TextIO

from ...run.sinks.strict_json import json_text
from .paint import Paint

NARROWEST = 40


class ReaderGone(Exception):
    """Whoever read our output has closed it: `cloudburst plan | head` is a normal ending."""


@dataclass(frozen=True)
class Screen:
    """`as_json`: the user asked for `--json`."""

    out: TextIO
    err: TextIO
    as_json: bool = False

    # ── what it is like ──────────────────────────────────────────────────────────────────────
    @cached_property
    def width(self) -> int:
        """In columns: the terminal's, COLUMNS when that is set, else 80."""
        return max(NARROWEST, shutil.get_terminal_size((80, 24)).columns)

    @cached_property
    def height(self) -> int:
        """In lines: the terminal's, LINES when that is set, else 24."""
        return shutil.get_terminal_size((80, 24)).lines

    @property
    def live(self) -> bool:
        """Whether a progress bar can be drawn (on the second stream, so that the first stays clean)."""
        return not self.as_json and _is_terminal(self.err) and os.environ.get("TERM") != "dumb"

    @property
    def paint(self) -> Paint:
        return Paint(_shows_colour(self.out))

    @property
    def error_paint(self) -> Paint:
        return Paint(_shows_colour(self.err))

    # ── saying ───────────────────────────────────────────────────────────────────────────────
    def say(self, text: str = "") -> None:
        """What was asked for, as sentences; nothing under `--json`."""
        if not self.as_json:
            self.raw(text + "\n")

    def note(self, text: str) -> None:
        """Beside what was asked for: progress, what to do next. On the second stream."""
        if not self.as_json:
            self.complain(text)

    def data(self, value: Any) -> None:
        """One JSON value in one line, at once: whoever reads it may act on it. Nothing without `--json`."""
        if self.as_json:
            self.raw(json_text(value) + "\n")
            _guarded(self.out.flush)

    def document(self, value: Any) -> None:
        """One JSON document, indented for people too; nothing without `--json`."""
        if self.as_json:
            self.raw(json_text(value, indent=2) + "\n")

    def raw(self, text: str) -> None:
        _write(self.out, text)

    def complain(self, text: str) -> None:
        """A line on the second stream, at once, whatever the form."""
        _write(self.err, text + "\n")
        _guarded(self.err.flush)

    def same_line(self, text: str) -> None:
        """What moves in one line of a terminal; an empty text takes the line away."""
        _write(self.err, f"\r\x1b[K{text}")
        _guarded(self.err.flush)

    def complain_json(self, value: Mapping[str, Any]) -> None:
        self.complain(json_text(value))

    # ── asking ───────────────────────────────────────────────────────────────────────────────
    @property
    def can_ask(self) -> bool:
        return _is_terminal(sys.stdin) and _is_terminal(self.err)

    def ask(self, question: str) -> bool:
        """Yes or no; no is the default, and the end of the input is a no."""
        _write(self.err, f"{question} [y/N] ")
        _guarded(self.err.flush)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def flush(self) -> None:
        for stream in (self.out, self.err):
            _guarded(stream.flush)

    def reader_is_gone(self) -> bool:
        """Whether the first stream is closed at its other end; what could not be written is still in it."""
        try:
            self.out.flush()
        except BrokenPipeError:
            return True
        return False

    def hang_up(self) -> None:
        """Nobody reads any more: what is left in the buffer must not raise when Python ends."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            except (OSError, ValueError):
                continue


def _write(stream: TextIO, text: str) -> None:
    try:
        _guarded(lambda: stream.write(text))
    except UnicodeEncodeError:  # a terminal that is not UTF-8 shows what it can
        coded = text.encode(stream.encoding or "ascii", "replace").decode(stream.encoding or "ascii")
        _guarded(lambda: stream.write(coded))


def _guarded(action: Callable[[], object]) -> None:
    try:
        action()
    except BrokenPipeError as error:
        raise ReaderGone from error


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False


def _shows_colour(stream: TextIO) -> bool:
    """https://no-color.org: set and not empty means no colour."""
    return _is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
