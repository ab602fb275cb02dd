"""kill -9 at every moment of whatever writes a ledger: what was said to be recorded is there, and it goes on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloudburst.run.ledger import Ledger

from . import killed_ledger as killed
from .killed_ledger import ACKNOWLEDGED, EACH, TAKES

pytestmark = pytest.mark.slow

Lines = set[tuple[Any, ...]]


@pytest.fixture
def memory() -> Iterator[Path]:
    """In memory where there is such a file system: a killed process loses nothing that the kernel has, so waiting for a
    disk would show no more."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cloudburst-", dir=place) as directory:
        yield Path(directory)


def homes(deed: str, directory: Path) -> list[tuple[Path, list[str]]]:
    """One for each moment, with what was acknowledged until then."""
    done = subprocess.run(
        [sys.executable, killed.__file__, deed, str(directory)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = [directory / str(number + 1) for number in range(len(list(directory.iterdir())) - 1)]
    assert len(found) > 20, "too few moments to mean anything"
    return [(home, (home / ACKNOWLEDGED).read_text().split()) for home in found]


def lines(path: Path) -> Lines:
    """Every attempt and every loss in the file, which is sound."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        attempts = database.execute(
            "SELECT p.digest, id, attempt, status FROM outcomes JOIN payloads p ON number = payload"
        )
        losses = database.execute(
            "SELECT p.digest, id, attempt, at FROM losses JOIN payloads p ON number = payload"
        )
        return {*attempts, *losses}


COUNTED = """
WITH last AS (
    SELECT payload, status FROM outcomes o
    WHERE attempt = (SELECT max(attempt) FROM outcomes n WHERE n.id = o.id AND n.payload = o.payload))
SELECT number,
    (SELECT count(*) FROM last WHERE payload = number AND status = 'done'),
    (SELECT count(*) FROM last WHERE payload = number AND status = 'failed')
FROM payloads ORDER BY number"""


def check_counts(path: Path) -> None:
    """What the ledger says of its jobs is what counting them gives."""
    with closing(sqlite3.connect(path)) as database:
        kept = database.execute("SELECT number, done, failed FROM payloads ORDER BY number").fetchall()
        assert kept == database.execute(COUNTED).fetchall()


def again(deed: str, home: Path) -> Lines:
    """The deed once more, to its end."""
    killed.DEEDS[deed][1](home, lambda _what: None)
    check_counts(killed.path(home))
    return lines(killed.path(home))


def test_killed_while_recording(memory: Path) -> None:
    for home, acknowledged in homes("record", memory):
        path = killed.path(home)
        if path.exists():
            with Ledger.open(path, "waves", create=True):
                check_counts(path)
            takes, rest = divmod(len(lines(path)), EACH + 1)
            assert rest == 0, "a transaction is there whole or not at all"
            assert takes >= len(acknowledged)
        else:
            assert not acknowledged
        assert len(again("record", home)) == TAKES * (EACH + 1)


def test_killed_while_merging(memory: Path) -> None:
    moments = homes("merge", memory)
    before = lines(killed.path(memory / "before"))
    mine = {line[:3] for line in before}
    theirs = {
        line
        for line in lines(killed.other(memory / "before"))
        if line[:3] not in mine or isinstance(line[3], float)
    }
    for home, acknowledged in moments:
        found = lines(killed.path(home))
        assert found in (before, before | theirs)
        assert found == before | theirs or not acknowledged
        check_counts(killed.path(home))
        assert again("merge", home) == before | theirs


def test_killed_while_bringing_rows_home(memory: Path) -> None:
    """Nothing up to the line that is noted as known is missing, whatever the moment."""
    moments = homes("adopt", memory)
    whole = lines(killed.path(moments[-1][0]))
    for home, acknowledged in moments:
        with Ledger.open(killed.other(home), "waves") as another:
            with Ledger.open(killed.path(home), "waves", create=True) as ledger:
                known = ledger.pulled(another.uuid)
            assert known >= max(map(int, acknowledged), default=0)
            page = another.page(0, at_most=1000, through=known)
        here = {line[:3] for line in lines(killed.path(home))}
        assert {(x["payload"], x["id"], x["attempt"]) for x in page.outcomes if known} <= here
        assert again("adopt", home) == whole


def test_killed_while_brought_up_to_date(memory: Path) -> None:
    moments = homes("migrate", memory)
    before = lines(killed.path(memory / "before"))
    for home, _acknowledged in moments:
        with Ledger.open(killed.path(home), "waves"):
            assert lines(killed.path(home)) == before, "it can be read, whichever version it is in now"
        assert again("migrate", home) == before
