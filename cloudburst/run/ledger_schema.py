"""The tables of the ledger, version by version; docs/ledger.md explains them to people with sqlite3."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

VERSION = 2
"""`PRAGMA user_version`. A ledger of a later version is not touched."""

_VERSION_1 = """
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Every worker code that was ever run: `used` is when a run with it last began, seconds since the
-- epoch; the newest is the one used last. `done` and `failed` count jobs by their latest attempt.
CREATE TABLE payloads (
    number INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    used   REAL NOT NULL,
    done   INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0
);

-- One line an attempt, never changed after it was written. `line` is the order of recording.
CREATE TABLE outcomes (
    line    INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT    NOT NULL,
    payload INTEGER NOT NULL REFERENCES payloads (number),
    attempt INTEGER NOT NULL,
    row     INTEGER,
    status  TEXT    NOT NULL CHECK (status IN ('done', 'failed')),
    kind    TEXT,
    error   TEXT,
    output  TEXT,
    result  TEXT,
    series  TEXT,
    files   TEXT,
    started REAL,
    seconds REAL,
    worker  TEXT,
    UNIQUE (id, payload, attempt)
);
CREATE INDEX failed_outcomes ON outcomes (payload, id) WHERE status = 'failed';

-- A machine or worker process that ended with this job in its hands. No outcome, and counted apart.
CREATE TABLE losses (
    id      TEXT    NOT NULL,
    payload INTEGER NOT NULL REFERENCES payloads (number),
    attempt INTEGER NOT NULL,
    worker  TEXT    NOT NULL,
    at      REAL    NOT NULL,
    UNIQUE (id, payload, attempt, at)
);

-- The counts are kept by the database itself, so that no way of writing can forget them.
CREATE TRIGGER count_outcome AFTER INSERT ON outcomes
WHEN NOT EXISTS (
    SELECT 1 FROM outcomes WHERE id = NEW.id AND payload = NEW.payload AND attempt > NEW.attempt
)
BEGIN
    UPDATE payloads SET
        done = done + (NEW.status = 'done') - coalesce((
            SELECT status = 'done' FROM outcomes
            WHERE id = NEW.id AND payload = NEW.payload AND attempt < NEW.attempt
            ORDER BY attempt DESC LIMIT 1), 0),
        failed = failed + (NEW.status = 'failed') - coalesce((
            SELECT status = 'failed' FROM outcomes
            WHERE id = NEW.id AND payload = NEW.payload AND attempt < NEW.attempt
            ORDER BY attempt DESC LIMIT 1), 0)
    WHERE number = NEW.payload;
END;

-- One line a job: its last attempt under the newest payload it was run with.
CREATE VIEW latest AS
SELECT o.id, o.row, o.status, o.kind, o.attempt, o.seconds, o.started, o.worker,
       o.result, o.series, o.files, o.error, o.output, p.digest AS payload
FROM outcomes o JOIN payloads p ON p.number = o.payload
WHERE o.line = (
    SELECT n.line FROM outcomes n JOIN payloads q ON q.number = n.payload
    WHERE n.id = o.id ORDER BY q.used DESC, q.number DESC, n.attempt DESC LIMIT 1);
"""

# Two ledgers of one study are brought together line by line (replica.py). So each has a name of its
# own, `uuid`; and losses have a line too, from the count of outcomes, which is kept where SQLite
# keeps it for AUTOINCREMENT. `pulled`: up to which line of another ledger this one has everything.
# `shared`: runs of lines of this ledger that another is known to have.
_VERSION_2 = """
INSERT OR IGNORE INTO meta (key, value) VALUES ('uuid', lower(hex(randomblob(16))));

INSERT INTO sqlite_sequence (name, seq)
SELECT 'outcomes', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'outcomes');

ALTER TABLE losses RENAME TO losses_1;
CREATE TABLE losses (
    line    INTEGER PRIMARY KEY,
    id      TEXT    NOT NULL,
    payload INTEGER NOT NULL REFERENCES payloads (number),
    attempt INTEGER NOT NULL,
    worker  TEXT    NOT NULL,
    at      REAL    NOT NULL,
    UNIQUE (id, payload, attempt, at)
);
INSERT INTO losses (line, id, payload, attempt, worker, at)
SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'outcomes') + row_number() OVER (ORDER BY at, rowid),
       id, payload, attempt, worker, at FROM losses_1;
UPDATE sqlite_sequence SET seq = max(seq, (SELECT coalesce(max(line), 0) FROM losses)) WHERE name = 'outcomes';
CREATE TRIGGER count_loss AFTER INSERT ON losses
BEGIN
    UPDATE sqlite_sequence SET seq = max(seq, NEW.line) WHERE name = 'outcomes';
END;
DROP TABLE losses_1;

CREATE TABLE pulled (
    other TEXT PRIMARY KEY,
    line  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE shared (
    other TEXT    NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (other, first)
) WITHOUT ROWID;
"""

# What takes a ledger from version i to i + 1.
_STEPS = (_VERSION_1, _VERSION_2)


def version_of(database: sqlite3.Connection) -> int:
    """0 for an empty file. Raises sqlite3.DatabaseError when the file is no database."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def bring_up_to_date(database: sqlite3.Connection) -> None:
    """Make the missing tables, each step in one transaction with its version number.

    Two processes may do this at the same time: the second finds a step done when it is its turn.
    """
    while (version := version_of(database)) < VERSION:
        database.execute("BEGIN IMMEDIATE")
        try:
            if version_of(database) == version:
                for statement in _statements(_STEPS[version]):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {version + 1}")
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise


def _statements(script: str) -> Iterator[str]:
    """One by one: `executescript` would commit before it begins."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
