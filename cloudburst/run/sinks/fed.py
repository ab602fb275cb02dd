"""What a sink is known to hold of each job: written when the server has said so, read when a feeder starts anew.

A memory that is lost costs time and nothing else: the same points are written over themselves.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ...errors import CloudBurstError

_TABLE = """
CREATE TABLE IF NOT EXISTS fed (
    id       TEXT PRIMARY KEY,
    outcome  TEXT NOT NULL,
    manner   TEXT NOT NULL,
    shape    TEXT NOT NULL,
    points   INTEGER NOT NULL,
    left_out TEXT NOT NULL,
    problem  TEXT NOT NULL
) WITHOUT ROWID"""

_AT_ONCE = 500
"""Ids in one question; every SQLite takes that many variables."""


@dataclass(frozen=True)
class Fed:
    """What is stored of one job. `outcome` names the attempt, `manner` how it was tagged and timed, `shape`
    where its points are; `left_out` counts what cannot be stored, `problem` says what should be and is not."""

    id: str
    outcome: str
    manner: str
    shape: str
    points: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


class Memory:
    """A file of its own for each sink. Every method may raise CloudBurstError."""

    def __init__(self, path: Path) -> None:
        """At `path`, made when missing and made anew when it cannot be read."""
        self._path = path
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._database = _opened(path)
            except sqlite3.DatabaseError:
                path.unlink(missing_ok=True)
                self._database = _opened(path)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def keep(self, fed: Iterable[Fed]) -> None:
        """In one transaction; a job's last record stands for it."""
        lines = [
            (x.id, x.outcome, x.manner, x.shape, x.points, json.dumps(dict(x.left_out)), x.problem)
            for x in fed
        ]
        with _translated(self._path), self._database:
            self._database.executemany("INSERT OR REPLACE INTO fed VALUES (?, ?, ?, ?, ?, ?, ?)", lines)

    def of(self, ids: Sequence[str]) -> dict[str, Fed]:
        """Of those jobs that are fed."""
        found: dict[str, Fed] = {}
        with _translated(self._path):
            for start in range(0, len(ids), _AT_ONCE):
                some = ids[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                for line in self._database.execute(f"SELECT * FROM fed WHERE id IN ({marks})", some):  # noqa: S608
                    job, outcome, manner, shape, points, left_out, problem = line
                    found[job] = Fed(job, outcome, manner, shape, points, json.loads(left_out), problem)
        return found

    def jobs(self) -> int:
        """How many have points."""
        with _translated(self._path):
            return int(self._database.execute("SELECT count(*) FROM fed WHERE points > 0").fetchone()[0])

    def forget_all_but(self, ids: Iterable[str]) -> None:
        """Of the others nothing is stored any more."""
        with _translated(self._path), self._database:
            self._database.execute("CREATE TEMP TABLE held (id TEXT PRIMARY KEY) WITHOUT ROWID")
            self._database.executemany("INSERT OR IGNORE INTO held VALUES (?)", ((job,) for job in ids))
            self._database.execute("DELETE FROM fed WHERE id NOT IN (SELECT id FROM held)")
            self._database.execute("DROP TABLE held")

    def points(self) -> int:
        """Stored in all."""
        with _translated(self._path):
            return int(self._database.execute("SELECT coalesce(sum(points), 0) FROM fed").fetchone()[0])

    def left_out(self) -> Counter[str]:
        """What cannot be stored, of all jobs."""
        counted: Counter[str] = Counter()
        with _translated(self._path):
            for (text,) in self._database.execute("SELECT left_out FROM fed WHERE left_out <> '{}'"):
                counted.update(json.loads(text))
        return counted

    def problems(self) -> tuple[int, str]:
        """How many jobs have one, and what the first of them says."""
        with _translated(self._path):
            found = self._database.execute(
                "SELECT count(*), coalesce((SELECT problem FROM fed WHERE problem <> '' ORDER BY id LIMIT 1), '')"
                " FROM fed WHERE problem <> ''"
            ).fetchone()
        return int(found[0]), str(found[1])


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=30)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(_TABLE)
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise CloudBurstError(
            f"{path}, which says what a sink holds, cannot be used: {error}",
            "it may be removed: the sink is then filled once more",
        ) from error
