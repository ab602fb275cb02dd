"""A ledger that an earlier version wrote is read as it is, and brought up to date with every line."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloudburst.run.ledger import Counts, Ledger
from cloudburst.run.ledger_schema import VERSION

GOLDEN = sorted(Path(__file__).parent.glob("ledger-*.sql"))
OLD, NEW = "a" * 64, "b" * 64
JOBS = [f"{number:020x}" for number in (1, 2, 3, 4)]
COLUMNS = (
    "id, payload, attempt, row, status, kind, error, output, result, series, files, started, seconds, worker"
)


def test_there_is_one_of_every_earlier_version() -> None:
    assert [path.name for path in GOLDEN] == [f"ledger-{version}.sql" for version in range(1, VERSION)]


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as database:
        database.executescript(request.param.read_text("utf-8"))
    return tmp_path / "ledger.sqlite"


def asked(path: Path, question: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(question).fetchall()


def contents(ledger: Ledger) -> dict[str, Any]:
    return {
        "payloads": ledger.payloads(),
        "counts": (ledger.counts(OLD), ledger.counts(NEW)),
        "losses": [*ledger.losses(OLD), *ledger.losses(NEW)],
        "newest": ledger.newest_payload(),
        "meta": ledger.meta,
        "attempts": [repr(ledger.attempts(job)) for job in JOBS],  # with a NaN, which equals nothing
    }


def test_every_line_comes_along(path: Path) -> None:
    before = asked(path, f"SELECT line, {COLUMNS} FROM outcomes ORDER BY line")
    assert len(before) == 7
    with Ledger.open(path, "waves") as ledger:
        as_it_is = contents(ledger)
    assert asked(path, "PRAGMA user_version") != [(VERSION,)], "reading changes nothing"
    with Ledger.open(path, "waves", create=True) as ledger:
        assert contents(ledger) == as_it_is
        assert len(ledger.uuid) == 32
        page = ledger.page(0)
        assert (len(page.outcomes), len(page.losses), page.more) == (7, 3, False)
    assert asked(path, f"SELECT line, {COLUMNS} FROM outcomes ORDER BY line") == before
    assert asked(path, "PRAGMA user_version") == [(VERSION,)]
    assert asked(path, "PRAGMA integrity_check") == [("ok",)]


def test_what_was_recorded_is_what_it_was(path: Path) -> None:
    with Ledger.open(path, "waves", create=True) as ledger:
        assert (ledger.counts(OLD), ledger.counts(NEW)) == (Counts(1, 1), Counts(3, 1))
        one, two, three, four = (ledger.outcomes(JOBS)[job] for job in JOBS)
        assert one["result"] == {
            "low": 0.1 + 0.2,
            "text": "Überlauf 😀 it's",
            "nested": {"a": [1, None, True]},
        }
        assert one["output"] == "gelöst\n"
        assert (two["attempt"], two["result"]["b"]) == (2, -math.inf)
        assert math.isnan(two["result"]["a"])
        assert three["files"] == {"plot": {"object": "e" * 64, "size": 9, "name": "p.png"}}
        assert (four["kind"], four["error"]) == ("timeout", "ended after 60 s")
        assert [loss.at for loss in ledger.losses(NEW)] == [1532100003.5, 1532100007.25]
        assert ledger.meta.study == "waves"
        ledger.record([{**four, "attempt": 2, "status": "done", "kind": None}])
        assert ledger.counts(NEW) == Counts(4, 0)


def test_it_is_then_laid_out_like_a_new_one(path: Path, tmp_path: Path) -> None:
    Ledger.open(path, "waves", create=True).close()
    Ledger.open(tmp_path / "new.sqlite", "waves", create=True).close()
    layout = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    assert asked(path, layout) == asked(tmp_path / "new.sqlite", layout)
