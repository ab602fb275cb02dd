"""Processes that are killed while they write a ledger, each a moment later than the one before.

`python killed_ledger.py DEED DIRECTORY` does a deed of `DEEDS` in one child after another, in a directory each (1, 2, …), until one
lives to its end. A child is killed (SIGKILL, by itself) at a statement or within it, every so many steps of SQLite's machine. What it was
told is on the disk it writes into `acknowledged`, line by line.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from test_ledger import NEW, OLD, outcome

from cloudburst.run.ledger import Ledger, Loss

STEPS = 300
"""Of SQLite's machine between two moments."""

ACKNOWLEDGED = "acknowledged"
GOLDEN = Path(__file__).parent.parent / "golden" / "ledger-1.sql"

TAKES = 3
EACH = 3
PAGE = 4

Acknowledge = Callable[[object], None]


def path(home: Path) -> Path:
    return home / "ledger.sqlite"


def other(home: Path) -> Path:
    return home / "other.sqlite"


# ── deeds ────────────────────────────────────────────────────────────────────────────────────
def record(home: Path, acknowledge: Acknowledge) -> None:
    """A new ledger, and some outcomes and a loss at a time."""
    with Ledger.open(path(home), "waves", create=True) as ledger:
        ledger.begin(NEW)
        for take in range(TAKES):
            first = take * EACH
            status = "failed" if take % 2 else "done"
            some = [outcome(number, status) for number in range(first, first + EACH)]
            ledger.record(some, [Loss(some[0]["id"], NEW, 1, "node-1/0", float(take))])
            acknowledge(take)


def merge(home: Path, acknowledge: Acknowledge) -> None:
    with (
        Ledger.open(path(home), "waves", create=True) as ledger,
        Ledger.open(other(home), "waves") as another,
    ):
        ledger.merge(another)
        acknowledge("merged")


def adopt(home: Path, acknowledge: Acknowledge) -> None:
    """Page by page, from where it knows it has everything."""
    with (
        Ledger.open(path(home), "waves", create=True) as ledger,
        Ledger.open(other(home), "waves") as another,
    ):
        ledger.note_payloads(another.payloads())
        more = True
        while more:
            page = another.page(ledger.pulled(another.uuid), at_most=PAGE)
            ledger.adopt(page, another.uuid)
            acknowledge(page.last)
            more = page.more


def migrate(home: Path, acknowledge: Acknowledge) -> None:
    Ledger.open(path(home), "waves", create=True).close()
    acknowledge("migrated")


# ── what stands before them ──────────────────────────────────────────────────────────────────
def nothing(_home: Path) -> None:
    """The deed begins with no file."""


def two_ledgers(home: Path) -> None:
    with Ledger.open(path(home), "waves", create=True) as ledger:
        ledger.record([outcome(number) for number in range(3)] + [outcome(90, payload=OLD)])
    with Ledger.open(other(home), "waves", create=True) as ledger:
        ledger.begin(OLD, now=5.0)
        ledger.record([outcome(number, "failed", payload=OLD) for number in range(5)])
        ledger.begin(NEW, now=9.0)
        lost = Loss(outcome(1)["id"], NEW, 1, "node-1/0", 4.0)
        ledger.record([outcome(number, "failed") for number in range(2, 8)], [lost])
        ledger.record([outcome(number, attempt=2) for number in range(2, 8)])


def version_one(home: Path) -> None:
    database = sqlite3.connect(path(home))
    database.executescript(GOLDEN.read_text("utf-8"))
    database.close()


Deed = Callable[[Path, Acknowledge], None]
DEEDS: dict[str, tuple[Callable[[Path], None], Deed]] = {
    "record": (nothing, record),
    "merge": (two_ledgers, merge),
    "adopt": (two_ledgers, adopt),
    "migrate": (version_one, migrate),
}


# ── killing ──────────────────────────────────────────────────────────────────────────────────
def arm(moment: int) -> None:
    """From now on every connection counts, and at the moment there is no process any more."""
    left = moment
    connect = sqlite3.connect

    def tick(*_statement: Any) -> int:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def counting(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_progress_handler(tick, STEPS)
        connection.set_trace_callback(tick)
        return connection

    sqlite3.connect = counting  # type: ignore[assignment]


def lives(home: Path, deed: Deed, moment: int) -> bool:
    """Whether a child that is to be killed at the moment is through before it."""
    child = os.fork()
    if child == 0:
        told = os.open(home / ACKNOWLEDGED, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        arm(moment)
        deed(home, lambda what: os.write(told, f"{what}\n".encode()))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert status == 0, "the child failed"
    return True


def main(name: str, directory: Path) -> None:
    prepare, deed = DEEDS[name]
    before = directory / "before"
    before.mkdir()
    prepare(before)
    for moment in count(1):
        home = directory / str(moment)
        shutil.copytree(before, home)
        if lives(home, deed, moment):
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
