"""A command struck at one moment of its life: by what it asked of the API, or by what it said."""

from __future__ import annotations

import fnmatch
import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

import pytest

from ..imitation import Exchange
from ..rented import RentedLab
from ..studies import Project

ENDS_WITHIN = 400.0
"""Seconds for a command that was struck, or that missed its moment, to be over."""


class Moment(Protocol):
    """When to strike. Each is good for one command: it counts what it was told."""

    def is_it(self, what: Exchange | str) -> bool:
        """Told of every exchange that was done, before its answer leaves, and of every line the command says."""
        ...


@dataclass
class Asked:
    """The `nth` request of this kind was done, and its answer is on the way. `path` is the description's, or a pattern.
    `status`: only those with that answer."""

    method: str
    path: str
    nth: int = 1
    status: int | None = None
    _seen: int = 0

    def is_it(self, what: Exchange | str) -> bool:
        if isinstance(what, str) or self.method not in ("*", what.method):
            return False
        if self.path != what.template and not fnmatch.fnmatchcase(what.path, self.path):
            return False
        if self.status not in (None, what.status):
            return False
        self._seen += 1
        return self._seen == self.nth


@dataclass
class Said:
    """The command said a line with these words in it."""

    words: str

    def is_it(self, what: Exchange | str) -> bool:
        return isinstance(what, str) and self.words in what


@dataclass
class Counted:
    """The controller said for the first time that so many jobs run, and are done, at least."""

    running: int = 0
    done: int = 0

    def is_it(self, what: Exchange | str) -> bool:
        if not isinstance(what, str) or '"progress"' not in what:
            return False
        status = json.loads(what)["status"]
        return bool(status["running"] >= self.running and status["done"] >= self.done)


@dataclass
class Struck:
    """How it ended. `lines` are all that was said, on stdout and stderr; `stood` is what there was in the account."""

    code: int
    lines: list[str]
    stood: list[str]

    @property
    def said(self) -> str:
        return "".join(self.lines)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Those of `--json`."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]


@dataclass
class _Watch:
    process: subprocess.Popen[str]
    moment: Moment
    sign: signal.Signals
    stood: Callable[[], list[str]]
    struck: list[list[str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, what: Exchange | str) -> None:
        with self._lock:
            if self.moment.is_it(what) and not self.struck:
                self.process.send_signal(self.sign)
                self.struck.append(self.stood())


def strike(
    lab: RentedLab,
    project: Project,
    moment: Moment,
    *arguments: str,
    sign: signal.Signals = signal.SIGKILL,
    **variables: str,
) -> Struck:
    """Run a command, and send it a signal at that moment. Fails when the moment never comes."""
    process = project.start(*arguments, **variables)
    watch = _Watch(process, moment, sign, lab.imitation.account.left)
    lines: list[str] = []
    with watched(lab, watch.tell):
        readers = [
            threading.Thread(target=_read, args=(pipe, lines, watch.tell), daemon=True)
            for pipe in (process.stdout, process.stderr)
        ]
        for reader in readers:
            reader.start()
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            pytest.fail(f"no end of {arguments} after {ENDS_WITHIN:g} s:\n{''.join(lines)[-4000:]}")
        for reader in readers:
            reader.join(10)
    if not watch.struck:
        pytest.fail(f"{moment} never came: {arguments} ended with {process.returncode}\n{''.join(lines)}")
    return Struck(process.returncode, lines, watch.struck[0])


@contextmanager
def watched(lab: RentedLab, tell: Callable[[Exchange], None]) -> Iterator[None]:
    """Every exchange with the API is told, while a `with` lasts."""
    lab.imitation.watchers.append(tell)
    try:
        yield
    finally:
        lab.imitation.watchers.remove(tell)


def _read(pipe: IO[str] | None, lines: list[str], tell: Callable[[str], None]) -> None:
    assert pipe is not None
    with pipe:
        for line in pipe:
            lines.append(line)
            tell(line)
