"""What was ever computed: one line an attempt, in a SQLite file that any sqlite3 can read.

The first record of an attempt (id, payload, attempt) wins, so recording and merging can be
repeated freely. One process writes at a time; any number may read meanwhile.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from heapq import merge as in_turn
from itertools import groupby, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from ..errors import LedgerError
from . import marks
from .ledger_schema import VERSION, bring_up_to_date, version_of
from .ledger_walk import lie_close, walked
from .leftovers import beside

Outcome = Mapping[str, Any]
"""The outcome of one attempt, as schemas/row.schema.json says."""

State = Literal["done", "failed", "stale", "kept"]

FORMAT = 1

_AT_ONCE = 500
"""Ids in one question; every SQLite takes that many variables."""

PAGE_LINES = 500
PAGE_BYTES = 8_000_000
"""What a page holds at most, or one larger line."""

_COLUMNS = "o.id, o.row, o.attempt, p.digest, o.status, o.kind, o.error, o.output, o.result, o.series, o.files, o.started, o.seconds, o.worker"
_FROM = "FROM outcomes o JOIN payloads p ON p.number = o.payload"

# One line an id: the payload asked for goes first, then the one used last; of it the last attempt.
_CHOSEN = f"""
    SELECT o.line, row_number() OVER (
        PARTITION BY o.id ORDER BY p.digest = ? DESC, p.used DESC, p.number DESC, o.attempt DESC) AS place
    {_FROM} WHERE o.id IN (%s)"""
_LATEST = f"""
SELECT {_COLUMNS} FROM ({_CHOSEN}
) c JOIN outcomes o ON o.line = c.line JOIN payloads p ON p.number = o.payload WHERE c.place = 1"""  # noqa: S608
_LATEST_LAST = f"""
SELECT o.id, o.attempt, o.status, o.kind, o.line FROM ({_CHOSEN}
) c JOIN outcomes o ON o.line = c.line WHERE c.place = 1"""  # noqa: S608

_LAST_ATTEMPTS = """
SELECT o.id, o.attempt, o.status, o.kind, o.line FROM outcomes o
WHERE o.payload = ? AND o.id IN (%s) AND NOT EXISTS (
    SELECT 1 FROM outcomes n WHERE n.id = o.id AND n.payload = o.payload AND n.attempt > o.attempt)"""

_FAILED = f"""
SELECT {_COLUMNS} {_FROM} WHERE o.status = 'failed' AND p.digest = ? AND NOT EXISTS (
    SELECT 1 FROM outcomes n WHERE n.id = o.id AND n.payload = o.payload AND n.attempt > o.attempt)
"""  # noqa: S608
_LATEST_FAILURES = f"{_FAILED} ORDER BY o.line DESC LIMIT ?"

_FAILED_ROWS = """
SELECT o.id, coalesce(o.row, -1) FROM outcomes o WHERE o.status = 'failed' AND o.payload = ? AND NOT EXISTS (
    SELECT 1 FROM outcomes n WHERE n.id = o.id AND n.payload = o.payload AND n.attempt > o.attempt)
ORDER BY o.row, o.id"""

ERROR_LENGTH = 2000
"""Characters of an error that tell which one it is."""

_ENDINGS = f"""
SELECT o.id, o.status, o.kind, substr(o.error, 1, {ERROR_LENGTH}) FROM outcomes o
WHERE o.payload = ? AND o.id IN (%s) AND NOT EXISTS (
    SELECT 1 FROM outcomes n WHERE n.id = o.id AND n.payload = o.payload AND n.attempt > o.attempt)"""  # noqa: S608

NEWEST = 10_000
"""Jobs whose durations are asked for at most: those that ended last."""

_NEWEST_IDS = "SELECT id FROM outcomes WHERE payload = ? ORDER BY line DESC"
_DURATIONS = """
SELECT id, sum(seconds), max(status = 'done') FROM outcomes WHERE payload = ? AND id IN (%s) GROUP BY id"""

_DONE_AFTER = """
SELECT o.line, o.id, o.attempt, o.row FROM outcomes o
WHERE o.line > ? AND o.payload = ? AND o.status = 'done' AND NOT EXISTS (
    SELECT 1 FROM outcomes n WHERE n.id = o.id AND n.payload = o.payload AND n.attempt > o.attempt)
ORDER BY o.line LIMIT ?"""

_INSERT = """
INSERT OR IGNORE INTO outcomes
    (id, payload, attempt, row, status, kind, error, output, result, series, files, started, seconds, worker)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

_INSERT_LOSS = """
INSERT OR IGNORE INTO losses (line, id, payload, attempt, worker, at)
SELECT seq + 1, ?, ?, ?, ?, ? FROM sqlite_sequence WHERE name = 'outcomes'"""

_LOSS_COLUMNS = 6

_LAST_LINE = (
    "SELECT max((SELECT coalesce(max(line), 0) FROM outcomes), (SELECT coalesce(max(line), 0) FROM losses))"
)


@dataclass(frozen=True)
class Meta:
    """Whose ledger it is. `created` in seconds since the epoch."""

    study: str
    spec: str
    created: float


@dataclass(frozen=True, slots=True)
class Last:
    """The last attempt of a job under one payload. `line` grows with every record of the ledger."""

    attempt: int
    status: Literal["done", "failed"]
    kind: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How the last attempt of a job under one payload ended: `kind` and the beginning of `error` of a failure."""

    status: Literal["done", "failed"]
    kind: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker that ended with this attempt in its hands; `at` in seconds since the epoch."""

    id: str
    payload: str
    attempt: int
    worker: str
    at: float


@dataclass(frozen=True)
class Page:
    """The lines after `after` and up to `last`, in the order of recording; `more`: there are others."""

    after: int
    last: int
    more: bool
    outcomes: tuple[Outcome, ...] = ()
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """A job that is done, by its last attempt under one payload: where it is recorded, and for which row."""

    line: int
    id: str
    attempt: int
    row: int


@dataclass(frozen=True)
class Counts:
    """Jobs by their last attempt under one payload."""

    done: int
    failed: int


class Ledger:
    """Open one with `Ledger.open`; it is a context manager. Every method may raise LedgerError."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path
        self._numbers: dict[str, int] = {}

    @classmethod
    def open(cls, path: Path, study: str | None, *, create: bool = False, spec: Path | None = None) -> Self:
        """The ledger at `path`. With `create` for writing, made when missing; else for reading only,
        and then `study` may be None: whosever it is.

        `spec` is remembered as the file it belongs to. A reader sees what is committed while the
        controller writes. Raises LedgerError when there is none, it is another study's, of a later
        version, or no ledger at all.
        """
        if not create and not path.exists():
            raise LedgerError(f"there is no ledger at {path}", "nothing was computed yet: `cloudburst apply`")
        with _translated(path):
            if create and not path.exists():
                _make_whole(path, study or "", spec)
            database = _connect(path, write=create)
            try:
                _check_version(database, path)
                if create:
                    _make_durable(database)
                    _make(database, study or "", spec)
                ledger = cls(database, path)
                if study is not None:
                    ledger._check_owner(study)
            except BaseException:
                database.close()
                raise
        return ledger

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ── whose it is ──────────────────────────────────────────────────────────────────────────
    @property
    def meta(self) -> Meta:
        with _translated(self._path):
            found = dict(self._database.execute("SELECT key, value FROM meta"))
        return Meta(found.get("study", ""), found.get("spec", ""), float(found.get("created", 0)))

    @property
    def uuid(self) -> str:
        """The name of this very file, whatever it is called; empty in one of an earlier version."""
        return next((str(line[0]) for line in self._rows("SELECT value FROM meta WHERE key = 'uuid'")), "")

    def _check_owner(self, study: str) -> None:
        owner = self.meta.study
        if owner != study:
            raise LedgerError(
                f"the ledger at {self._path} belongs to the study {owner!r}, not to {study!r}",
                "`name:` says which study a file describes",
            )

    # ── writing ──────────────────────────────────────────────────────────────────────────────
    def begin(self, payload: str, now: float | None = None) -> None:
        """A run with this payload begins: it is the newest from here on."""
        with self._writing():
            self._note_payload(payload, time.time() if now is None else now, touch=True)

    def record(self, outcomes: Iterable[Outcome], losses: Iterable[Loss] = ()) -> int:
        """All of them in one transaction, on the disk when this returns; how many attempts were new.

        An attempt that is recorded already keeps its first record.
        """
        with self._writing():
            return self._record(outcomes, losses)

    def _record(self, outcomes: Iterable[Outcome], losses: Iterable[Loss]) -> int:
        now = time.time()
        new = self._insert(
            [_line(outcome, self._note_payload(outcome["payload"], now)) for outcome in outcomes]
        )
        self._insert_losses([(x, self._note_payload(x.payload, now)) for x in losses])
        return new

    def merge(self, other: Ledger) -> int:
        """The union of both, kept here; how many attempts were new. `other` is not changed."""
        with other.at_one_moment():
            return self.absorb(other.payloads(), other.records())

    def absorb(self, payloads: Mapping[str, float], records: Iterable[Outcome | Loss]) -> int:
        """What another ledger of this study has, in its order, in one transaction: all of it, or none where
        `records` raises. How many attempts were new."""
        new = 0
        with self._writing():
            self._note_payloads(payloads)
            for _, alike in groupby(records, type):  # losses keep their places between outcomes
                while some := tuple(islice(alike, _AT_ONCE)):
                    losses = [record for record in some if isinstance(record, Loss)]
                    new += self._record([x for x in some if not isinstance(x, Loss)], losses)
        return new

    def _insert(self, lines: Sequence[tuple[Any, ...]]) -> int:
        return max(0, self._database.executemany(_INSERT, lines).rowcount) if lines else 0

    def _insert_losses(self, losses: Sequence[tuple[Loss, int]]) -> None:
        """Losses, each with the number of its payload."""
        values = [(x.id, number, x.attempt, x.worker, x.at) for x, number in losses]
        self._database.executemany(_INSERT_LOSS, values)

    def _note_payloads(self, used: Mapping[str, float]) -> None:
        for digest, moment in used.items():
            self._note_payload(digest, moment)
            self._database.execute(
                "UPDATE payloads SET used = max(used, ?) WHERE digest = ?", (moment, digest)
            )

    def _note_payload(self, digest: str, used: float, *, touch: bool = False) -> int:
        """The payload's number. Seen for the first time it gets one; `touch` makes it the newest."""
        if touch or digest not in self._numbers:
            self._database.execute(
                "INSERT OR IGNORE INTO payloads (digest, used) VALUES (?, ?)", (digest, used)
            )
            if touch:  # later than all others, even when the clock was set back
                self._database.execute(
                    "UPDATE payloads SET used = max(?, (SELECT max(used) FROM payloads) + 0.001) WHERE digest = ?",
                    (used, digest),
                )
            found = self._database.execute("SELECT number FROM payloads WHERE digest = ?", (digest,))
            self._numbers[digest] = int(found.fetchone()[0])
        return self._numbers[digest]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction. What was noted about payloads is forgotten with a transaction that failed."""
        with _translated(self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                self._numbers.clear()
                self._database.execute("ROLLBACK")
                raise

    # ── another ledger of the same study (replica.py) ────────────────────────────────────────
    def note_payloads(self, used: Mapping[str, float]) -> None:
        """Payloads by digest, and when a run with each last began elsewhere."""
        with self._writing():
            self._note_payloads(used)

    def adopt(self, page: Page, other: str) -> int:
        """A page of the ledger `other`, and that it is known: one transaction; how many attempts were new."""
        with self._writing():
            before = self.last_line()
            new = self._record(page.outcomes, page.losses)
            marks.note_shared(self._database, other, before + 1, self.last_line())
            marks.note_pulled(self._database, other, page.after, page.last)
        return new

    def pulled(self, other: str) -> int:
        """Up to which line of the ledger `other` this one has everything."""
        with _translated(self._path):
            return marks.pulled(self._database, other)

    def forget_marks(self, other: str) -> None:
        """What was noted about `other` does not hold any more: it was set back."""
        with self._writing():
            marks.forget(self._database, other)

    def note_handed_over(self, other: str, page: Page, theirs: tuple[int, int]) -> None:
        """`other` has this page of ours now, as its lines after theirs[0] and up to theirs[1]."""
        with self._writing():
            marks.note_shared(self._database, other, page.after + 1, page.last)
            marks.note_pulled(self._database, other, *theirs)

    def unshared(self, other: str) -> list[tuple[int, int]]:
        """Runs of lines, first and last, that the ledger `other` is not known to have."""
        with _translated(self._path):
            return marks.gaps(self._database, other, self.last_line())

    # ── reading ──────────────────────────────────────────────────────────────────────────────
    def states(self, ids: Sequence[str], payload: str, *, keep_stale: bool = False) -> dict[str, State]:
        """What is known of each job as seen with this payload; a job never computed is absent.

        With `keep_stale` a result of other worker code is `kept`; what only failed there is still stale.
        """
        kept: State = "kept" if keep_stale else "stale"
        found: dict[str, State] = {}
        for job, is_asked, failed in self._endings(ids, payload):
            if failed:
                found[job] = "failed" if is_asked else "stale"
            else:
                found[job] = "done" if is_asked else kept
        return found

    def _endings(self, ids: Sequence[str], payload: str) -> Iterator[tuple[str, bool, bool]]:
        """Of each job that was ever computed: its id, whether the attempt that counts was with this payload, and
        whether it failed."""
        with self.at_one_moment():
            if lie_close(self._database, ids):
                yield from walked(self._database, ids, payload)
            else:
                for outcome in self._asked(_LATEST, ids, payload):
                    yield outcome[0], outcome[3] == payload, outcome[4] == "failed"

    def last_attempts(self, ids: Sequence[str], payload: str, *, keep_stale: bool = False) -> dict[str, Last]:
        """The last attempt of each job under exactly this payload; the others are absent.

        With `keep_stale`, of these the attempt that counts for them where it is done.
        """
        number = self._number(payload)
        found: dict[str, Last] = {}
        if number is not None:
            found = {line[0]: Last(*line[1:]) for line in self._asked(_LAST_ATTEMPTS, ids, number)}
        if keep_stale:
            others = [job for job in ids if job not in found]
            kept = {line[0]: Last(*line[1:]) for line in self._asked(_LATEST_LAST, others, payload)}
            found |= {job: last for job, last in kept.items() if last.status == "done"}
        return found

    def outcomes(self, ids: Sequence[str], payload: str | None = None) -> dict[str, Outcome]:
        """The outcome that counts for each job: its last attempt under `payload`, or where that has
        none (or is None) under the payload used last."""
        return {line[0]: _outcome(line) for line in self._asked(_LATEST, ids, payload or "")}

    def outcome(self, job_id: str, payload: str | None = None) -> Outcome | None:
        return self.outcomes([job_id], payload).get(job_id)

    def attempts(self, job_id: str) -> list[Outcome]:
        """Every attempt of one job, in the order they were recorded."""
        return list(self._outcomes(f"SELECT {_COLUMNS} {_FROM} WHERE o.id = ? ORDER BY o.line", (job_id,)))

    def failed_rows(self, payload: str) -> Iterator[tuple[str, int]]:
        """The id of every job that failed under this payload, and the row it ran for; by row."""
        number = self._number(payload)
        found = self._rows(_FAILED_ROWS, (number,)) if number is not None else iter(())
        return ((str(line[0]), int(line[1])) for line in found)

    def endings(self, ids: Sequence[str], payload: str) -> dict[str, Ended]:
        """How each of these jobs ended under exactly this payload; the others are absent."""
        number = self._number(payload)
        if number is None:
            return {}
        return {line[0]: Ended(*line[1:]) for line in self._asked(_ENDINGS, ids, number)}

    def done_after(self, line: int, payload: str, at_most: int) -> list[Done]:
        """Jobs done under exactly this payload, recorded after `line`, in that order."""
        number = self._number(payload)
        found = self._rows(_DONE_AFTER, (line, number, at_most)) if number is not None else ()
        return [Done(*each) for each in found]

    def latest_failures(self, payload: str, at_most: int) -> list[Outcome]:
        """Some of these, the one recorded last first."""
        return list(self._outcomes(_LATEST_FAILURES, (payload, at_most)))

    def ids_with(self, prefix: str, limit: int = 20) -> list[str]:
        """Ids that begin with these hex digits, at most `limit`."""
        found = self._rows(
            "SELECT DISTINCT id FROM outcomes WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
            (prefix, prefix + "g", limit),
        )
        return [line[0] for line in found]

    def __iter__(self) -> Iterator[Outcome]:
        """The outcome that counts for every job, in the order of recording, without holding them all."""
        return self._outcomes(
            f"SELECT {_COLUMNS} {_FROM} WHERE o.line = (SELECT n.line FROM outcomes n"  # noqa: S608
            " JOIN payloads q ON q.number = n.payload WHERE n.id = o.id"
            " ORDER BY q.used DESC, q.number DESC, n.attempt DESC LIMIT 1) ORDER BY o.line"
        )

    def counts(self, payload: str) -> Counts:
        """Kept up to date by the database: the same time for ten jobs and for ten million."""
        found = self._rows("SELECT done, failed FROM payloads WHERE digest = ?", (payload,))
        return Counts(*next(found, (0, 0)))

    def durations(self, payload: str) -> dict[str, float]:
        """Seconds by job, all its attempts together, of the `NEWEST` that ended last with this payload. Failed ones
        count, but while none is done it is empty: they may have failed at the door.

        Looks no further back than to the first record of this payload.
        """
        number, counts = self._number(payload), self.counts(payload)
        if number is None or not counts.done:
            return {}
        most = min(NEWEST, counts.done + counts.failed)
        newest: dict[str, None] = {}
        for (one,) in self._rows(_NEWEST_IDS, (number,)):
            newest[one] = None
            if len(newest) == most:
                break
        found = list(self._asked(_DURATIONS, list(newest), number))
        if not any(done for _, _, done in found):
            return {}
        by_id = {one: float(seconds) for one, seconds, _ in found if seconds is not None}
        return {one: by_id[one] for one in newest if one in by_id}

    def newest_payload(self) -> str | None:
        """The payload of the run that began last."""
        found = self._rows("SELECT digest FROM payloads ORDER BY used DESC, number DESC LIMIT 1")
        return next((str(line[0]) for line in found), None)

    def last_line(self) -> int:
        """The line written last, of an outcome or a loss; 0 for an empty ledger."""
        return int(next(self._rows(_LAST_LINE))[0])

    def last_end(self, after: int) -> float | None:
        """When the last attempt recorded after this line ended, seconds since the epoch by its node's
        clock; None when there is none."""
        found = self._rows("SELECT max(started + seconds) FROM outcomes WHERE line > ?", (after,))
        return next((float(line[0]) for line in found if line[0] is not None), None)

    def payloads(self) -> dict[str, float]:
        """Every payload that was ever run, and when a run with it last began (seconds since the epoch)."""
        return {
            str(digest): float(used)
            for digest, used in self._rows("SELECT digest, used FROM payloads ORDER BY number")
        }

    def page(self, after: int, *, at_most: int = PAGE_LINES, through: int | None = None) -> Page:
        """What was recorded after the line `after`, up to the line `through`: at most so many lines and
        `PAGE_BYTES`, or one larger line."""
        lines: list[tuple[Any, ...]] = []
        size, more = 0, False
        with self.at_one_moment():
            for line in self._lines(after, sys.maxsize if through is None else through, at_most + 1):
                size += sum(len(value) for value in line if isinstance(value, str))
                more = len(lines) == at_most or (bool(lines) and size > PAGE_BYTES)
                if more:
                    break
                lines.append(line)
        last = lines[-1][0] if lines else after
        return Page(
            after,
            last if more or through is None else through,
            more,
            tuple(_outcome(line[1:]) for line in lines if len(line) != _LOSS_COLUMNS),
            tuple(Loss(*line[1:]) for line in lines if len(line) == _LOSS_COLUMNS),
        )

    def _lines(self, after: int, through: int, at_most: int) -> Iterator[tuple[Any, ...]]:
        """Outcomes and losses by line."""
        limits = (after, through, at_most)
        outcomes = self._rows(
            f"SELECT o.line, {_COLUMNS} {_FROM} WHERE o.line > ? AND o.line <= ? ORDER BY o.line LIMIT ?",
            limits,
        )
        losses = self._rows(
            "SELECT l.line, l.id, p.digest, l.attempt, l.worker, l.at"
            " FROM losses l JOIN payloads p ON p.number = l.payload"
            " WHERE l.line > ? AND l.line <= ? ORDER BY l.line LIMIT ?",
            limits,
        )
        return in_turn(outcomes, losses, key=lambda line: int(line[0]))

    def records(self) -> Iterator[Outcome | Loss]:
        """Everything in the order of recording, without holding it; read it `at_one_moment`."""
        for line in self._lines(0, sys.maxsize, -1):
            yield Loss(*line[1:]) if len(line) == _LOSS_COLUMNS else _outcome(line[1:])

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """All that is read inside is as of one commit, whoever writes meanwhile."""
        with _translated(self._path):
            self._database.execute("BEGIN")
            try:
                yield
            finally:
                self._database.execute("COMMIT")

    def losses(self, payload: str) -> Iterator[Loss]:
        return self._losses(
            "SELECT l.id, p.digest, l.attempt, l.worker, l.at", "WHERE p.digest = ?", (payload,)
        )

    def _losses(self, select: str, where: str = "", values: Sequence[Any] = ()) -> Iterator[Loss]:
        joined = f"{select} FROM losses l JOIN payloads p ON p.number = l.payload {where} ORDER BY l.at"
        return (Loss(*line) for line in self._rows(joined, values))

    def _number(self, payload: str) -> int | None:
        found = self._rows("SELECT number FROM payloads WHERE digest = ?", (payload,))
        return next((int(line[0]) for line in found), None)

    def _outcomes(self, question: str, values: Sequence[Any] = ()) -> Iterator[Outcome]:
        return (_outcome(line) for line in self._rows(question, values))

    def _asked(self, question: str, ids: Sequence[str], first: Any) -> Iterator[tuple[Any, ...]]:
        """`question` with one variable for each id after `first`, a bounded number at a time."""
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            yield from self._rows(question % ",".join("?" * len(some)), (first, *some))

    def _rows(self, question: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        with _translated(self._path):
            yield from self._database.execute(question, values)


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Autocommit: transactions are begun by hand, where one is meant."""
    name = os.fspath(path)
    if not write:
        escaped = os.fspath(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        name = f"file:{escaped}?mode=ro"
    return sqlite3.connect(name, uri=not write, timeout=30, isolation_level=None)


def _make_durable(database: sqlite3.Connection) -> None:
    """A stream entry is deleted when its outcome is committed here, so a commit must be on the disk.

    In WAL mode that is one fsync a transaction, and a transaction holds many outcomes.
    """
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")


def _check_version(database: sqlite3.Connection, path: Path) -> None:
    version = version_of(database)
    if version > VERSION:
        raise LedgerError(
            f"the ledger at {path} was written by a later CloudBurst (version {version}; this one knows {VERSION})",
            "upgrade with `pip install --upgrade cloudburst`",
        )


def _make_whole(path: Path, study: str, spec: Path | None) -> None:
    """A new ledger appears with all its tables: who reads it at the first moment finds a ledger."""
    temporary = beside(path)
    try:
        database = _connect(temporary, write=True)
        try:
            _make(database, study, spec)
        finally:
            database.close()
        with suppress(FileExistsError):  # another process was first
            os.link(temporary, path)
    except OSError as error:
        raise LedgerError(f"the ledger at {path} cannot be made: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _make(database: sqlite3.Connection, study: str, spec: Path | None) -> None:
    bring_up_to_date(database)
    facts = {"study": study, "spec": "", "created": repr(time.time())}
    database.executemany("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", facts.items())
    if spec is not None:
        database.execute("UPDATE meta SET value = ? WHERE key = 'spec'", (os.fspath(spec),))


def _line(outcome: Outcome, payload: int) -> tuple[Any, ...]:
    """An outcome as a line of the table. JSON keeps the NaN and the infinities of Python."""
    return (
        outcome["id"],
        payload,
        outcome["attempt"],
        outcome["row"],
        outcome["status"],
        outcome["kind"],
        _text(outcome["error"]),
        _text(outcome["output"]),
        *(_packed(outcome[key]) for key in ("result", "series", "files")),
        outcome["started"],
        outcome["seconds"],
        outcome["worker"],
    )


def _outcome(line: Sequence[Any]) -> Outcome:
    """The inverse of `_line`."""
    return {
        "format": FORMAT,
        "id": line[0],
        "row": line[1],
        "attempt": line[2],
        "payload": line[3],
        "status": line[4],
        "kind": line[5],
        "error": line[6],
        "output": line[7],
        "result": _unpacked(line[8]),
        "series": _unpacked(line[9]),
        "files": _unpacked(line[10]),
        "started": line[11],
        "seconds": line[12],
        "worker": line[13],
    }


def _packed(value: Any) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))


def _text(value: str | None) -> str | None:
    """Half a surrogate pair, which JSON can hold, is no text to SQLite."""
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")


def _unpacked(text: str | None) -> Any:
    return None if text is None else json.loads(text)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors as sentences."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise LedgerError(f"the ledger at {path} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise LedgerError(
            f"the file {path} is not a ledger, or is damaged: {error}",
            f"move it away to begin anew; what can be read of it: sqlite3 {path} .recover",
        ) from error
