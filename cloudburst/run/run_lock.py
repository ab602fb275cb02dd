"""One `apply` at a time for a study: `run.lock`, who holds it, and what a killed holder left running."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import StudyBusy
from .processes import end, is_running, start_mark, wait_until_gone

LEFTOVER_GRACE = 15.0
"""Seconds the parts of a killed run have to end in good order: they notice and record what is done."""


@dataclass
class Holder:
    """What the lock's file says: who works on the study, and the processes that are theirs."""

    pid: int
    mark: str | None
    user: str
    host: str
    since: float
    parts: dict[str, tuple[int, str | None]] = field(default_factory=dict)

    def sentence(self) -> str:
        since = time.strftime("%H:%M:%S on %d %B", time.localtime(self.since))
        return f"{self.user} (process {self.pid} on {self.host}) has worked on it since {since}"


class RunLock:
    """Held while the object lives; `note_part` records a process, so that a later run can end it."""

    def __init__(self, file: IO[str], holder: Holder) -> None:
        self._file = file
        self._holder = holder
        self._write()

    def note_part(self, name: str, pid: int) -> None:
        self._holder.parts[name] = (pid, start_mark(pid))
        self._write()

    def drop_part(self, name: str) -> None:
        self._holder.parts.pop(name, None)
        self._write()

    def _write(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        json.dump(asdict(self._holder), self._file)
        self._file.flush()


@contextlib.contextmanager
def hold(path: Path, *, study: str) -> Iterator[RunLock]:
    """Take `run.lock`; ends what a killed holder left. Raises StudyBusy when someone holds it."""
    with open(path, "a+", encoding="utf-8") as file:
        os.chmod(path, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy(path, study) from None
        left = read_holder(path)
        if left is not None:
            end_parts(left)
        me = os.getpid()
        lock = RunLock(file, Holder(me, start_mark(me), _user(), socket.gethostname(), time.time()))
        try:
            yield lock
        finally:
            file.seek(0)
            file.truncate()


def busy(path: Path, study: str) -> StudyBusy:
    holder = read_holder(path)
    who = holder.sentence() if holder else "another process works on it"
    return StudyBusy(
        f"the study {study} is busy: {who}",
        "`cloudburst status` shows how far it is; wait for it, or press Ctrl-C there",
    )


def current_holder(path: Path) -> Holder | None:
    """Who works on the study now; None when nobody does (a leftover file does not count)."""
    holder = read_holder(path)
    return holder if holder and is_running(holder.pid, holder.mark) else None


def read_holder(path: Path) -> Holder | None:
    try:
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        parts = {str(name): (int(pid), mark) for name, (pid, mark) in data.pop("parts").items()}
        return Holder(**data, parts=parts)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def end_parts(holder: Holder) -> list[str]:
    """End what is left of a run whose `apply` is gone; the names of the parts that still ran.

    The parts notice that their parent is gone and end by themselves, the queue last; only what
    is still there after the grace is ended from here.
    """
    if holder.host != socket.gethostname():
        return []
    left = [(name, pid, mark) for name, (pid, mark) in holder.parts.items() if is_running(pid, mark)]
    deadline = time.monotonic() + LEFTOVER_GRACE
    for _, pid, mark in left:
        wait_until_gone(pid, mark, max(0.0, deadline - time.monotonic()))
    for _, pid, mark in reversed(left):
        end(pid, mark, grace=3.0)
    return [name for name, _, _ in left]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
