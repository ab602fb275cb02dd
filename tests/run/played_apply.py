"""`apply` before a played cluster, which computes at once; and a hand that stops it at any of its acts.

An act is what others could see: a file of the study that is opened to be written, made, moved or removed, a
ledger that is opened, rows that are recorded, a word with the controller or the file store.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from cloudburst.compile.normal import thaw
from cloudburst.run import apply as room
from cloudburst.run import replica
from cloudburst.run.events import StopSignal, Summary
from cloudburst.run.ledger import Ledger
from cloudburst.run.observe import read_study
from cloudburst.run.places import Places

if TYPE_CHECKING:
    import pytest

NOBODY = 2**31 - 1
"""The pid of who is stopped: of no process, as that of one that is gone."""

AT_ONCE = 2
"""Rows that the played controller records in one transaction."""

FAILS = 3
"""The `a` whose jobs fail."""


# ── stopping ─────────────────────────────────────────────────────────────────────────────────
class Stopped(BaseException):
    """As if the process were not there any more: from this act on none succeeds, not even of those that tidy up."""


class _Hand:
    """Counts acts. Python keeps a hook on what is audited for good, so there is one, idle unless it is told to look."""

    def __init__(self) -> None:
        self.home: str | None = None
        self.acts = 0
        self.last = sys.maxsize
        self._hooked = False

    def act(self) -> None:
        if self.home is None:
            return
        self.acts += 1
        if self.acts > self.last:
            raise Stopped

    def look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.home is not None and _changes(event, arguments) and _within(self.home, arguments[0]):
            self.act()

    def hook(self) -> None:
        if not self._hooked:
            sys.addaudithook(self.look)
            self._hooked = True


_CHANGES = frozenset(
    {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "sqlite3.connect"}
)


def _changes(event: str, arguments: tuple[Any, ...]) -> bool:
    return event in _CHANGES or (event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR)))


def _within(home: str, path: object) -> bool:
    return isinstance(path, str | os.PathLike) and home in os.fspath(path)


HAND = _Hand()


@contextmanager
def watched(home: Path, acts: int = sys.maxsize) -> Iterator[_Hand]:
    """Inside, acts in the directory `home` are counted; after so many nothing succeeds any more."""
    HAND.hook()
    HAND.home, HAND.acts, HAND.last = str(home), 0, acts
    try:
        with patch("os.getpid", return_value=NOBODY):
            yield HAND
    finally:
        HAND.home = None


# ── the cluster ──────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class PlayedFiles:
    directory: Path

    def has(self, _kind: str, digest: str) -> bool:
        HAND.act()
        return (self.directory / digest).exists()

    def put(self, _kind: str, path: Path) -> None:
        import hashlib

        HAND.act()
        content = path.read_bytes()
        (self.directory / hashlib.sha256(content).hexdigest()).write_bytes(content)


@dataclass(frozen=True)
class PlayedController:
    """Computes what it is handed, a few rows a transaction, into the ledger at `path`: the client's own, or one far away."""

    path: Path
    study: str

    def status(self) -> dict[str, Any]:
        HAND.act()
        return {"state": "idle", "sinks": []}

    def pause(self) -> None:
        raise AssertionError("nobody asked to stop")

    def put_study(
        self,
        frozen: Mapping[str, Any],
        order: Mapping[str, Any],
        *,
        rows: tuple[int, int] | None = None,
        retry: Sequence[str] | None = None,
        keep_stale: bool = False,
    ) -> None:
        HAND.act()
        payload, jobs = order["payload"], thaw(frozen)
        with Ledger.open(self.path, self.study, create=True) as ledger:
            ledger.begin(payload)
            known = ledger.states([job.id for job in jobs], payload, keep_stale=keep_stale)
            waiting = {job.id: job for job in jobs[slice(*(rows or (None, None)))]}
            again = frozenset(retry or ())
            left = [
                job for job in waiting.values() if known.get(job.id, "stale") == "stale" or job.id in again
            ]
            for start in range(0, len(left), AT_ONCE):
                HAND.act()
                ledger.record(
                    _outcome(job, payload, 1 + (job.id in again)) for job in left[start : start + AT_ONCE]
                )

    # ── its ledger, from afar ────────────────────────────────────────────────────────────────
    def ledger(self) -> dict[str, Any]:
        HAND.act()
        if not self.path.exists():
            return {"study": None, "uuid": None, "last": 0, "payloads": {}}
        with Ledger.open(self.path, self.study) as ledger:
            return {
                "study": self.study,
                "uuid": ledger.uuid,
                "last": ledger.last_line(),
                "payloads": ledger.payloads(),
            }

    def rows(self, after: int, limit: int) -> dict[str, Any]:
        HAND.act()
        with Ledger.open(self.path, self.study) as ledger:
            page = ledger.page(after, at_most=min(limit, AT_ONCE))
            return {"uuid": ledger.uuid, **replica.to_json(page)}

    def put_rows(self, body: Mapping[str, Any]) -> dict[str, Any]:
        HAND.act()
        with Ledger.open(self.path, self.study, create=True) as ledger:
            page, after = replica.read_page(body), ledger.last_line()
            ledger.note_payloads(body["payloads"])
            new = ledger.record(page.outcomes, page.losses)
            return {"new": new, "uuid": ledger.uuid, "after": after, "last": ledger.last_line()}


def _outcome(job: Any, payload: str, attempt: int) -> dict[str, Any]:
    """The same whenever and wherever it is computed; it fails for one value, however often."""
    fails = job.description["a"] == FAILS
    return {
        "format": 1,
        "id": job.id,
        "row": job.row.index,
        "attempt": attempt,
        "payload": payload,
        "status": "failed" if fails else "done",
        "kind": "error" if fails else None,
        "error": "ValueError: no" if fails else None,
        "output": "",
        "result": None if fails else {"value": f"{job.id} by {payload[:6]}"},
        "series": None,
        "files": {},
        "started": 1.5e9,
        "seconds": 0.25,
        "worker": "node-1/0",
    }


@dataclass(frozen=True)
class PlayedCluster:
    """One on this machine, or one that outlives the command and keeps a ledger of its own."""

    places: Places
    outlives_us: bool

    @property
    def controller(self) -> PlayedController:
        afar = self.places.spec.parent / "afar"
        path = afar / "ledger.sqlite" if self.outlives_us else self.places.ledger
        return PlayedController(path, self.places.study)

    @property
    def files(self) -> PlayedFiles:
        return PlayedFiles(self.places.spec.parent / "afar")

    def stands(self) -> bool:
        return self.outlives_us and self.controller.path.exists()

    def start(self) -> PlayedCluster:
        HAND.act()
        return self

    def watch(self) -> None:
        """Nothing dies here."""

    def stop(self, *, now: bool) -> None:
        """Nothing runs."""


def play(monkeypatch: pytest.MonkeyPatch, *, afar: bool) -> None:
    """From now on `apply` has played clusters."""
    monkeypatch.setattr(room, "make_cluster", lambda study, *_: PlayedCluster(study.places, afar))
    monkeypatch.setattr(room, "controller_of", lambda cluster: cluster.controller)
    monkeypatch.setattr(room, "files_of", lambda cluster: cluster.files)
    monkeypatch.setattr(room, "follow", lambda *_, **__: {"state": "finished", "sinks": []})


def apply(spec: Path, **asked: Any) -> Summary:
    """As the command does it, but for the talk."""
    (spec.parent / "afar").mkdir(exist_ok=True)
    options = {"rows": None, "retry": None, **asked}
    return room.apply(read_study(spec), on_event=lambda _: None, stop=StopSignal(), **options)


def attempts(ledger: Path) -> set[tuple[str, str, int, str]]:
    """Every attempt that is recorded: id, payload, number, status."""
    question = (
        "SELECT o.id, p.digest, o.attempt, o.status FROM outcomes o JOIN payloads p ON p.number = o.payload"
    )
    database = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        found = database.execute(question).fetchall()
    finally:
        database.close()
    assert len(found) == len(set(found))
    return set(found)
