"""What a ledger knows of another one of the same study: which lines are on both sides. SQL and no more.

Lines of either side are numbered by itself. A run of lines is its first and last, both included.
"""

from __future__ import annotations

from sqlite3 import Connection


def pulled(database: Connection, other: str) -> int:
    """Up to which line of `other` everything is here."""
    found = database.execute("SELECT line FROM pulled WHERE other = ?", (other,)).fetchone()
    return int(found[0]) if found else 0


def note_pulled(database: Connection, other: str, after: int, last: int) -> None:
    """Lines of `other` after `after` and up to `last` are here. It counts when there is no gap before them."""
    if after <= pulled(database, other) < last:
        database.execute("INSERT OR REPLACE INTO pulled (other, line) VALUES (?, ?)", (other, last))


def note_shared(database: Connection, other: str, first: int, last: int) -> None:
    """`other` has these lines of ours. Runs that touch become one."""
    if first > last:
        return
    touching = database.execute(
        "SELECT min(first), max(last) FROM shared WHERE other = ? AND first <= ? AND last >= ?",
        (other, last + 1, first - 1),
    ).fetchone()
    if touching[0] is not None:
        first, last = min(first, touching[0]), max(last, touching[1])
        database.execute(
            "DELETE FROM shared WHERE other = ? AND first >= ? AND last <= ?", (other, first, last)
        )
    database.execute("INSERT INTO shared (other, first, last) VALUES (?, ?, ?)", (other, first, last))


def gaps(database: Connection, other: str, through: int) -> list[tuple[int, int]]:
    """Runs of our lines, up to `through`, that `other` is not known to have."""
    found, next_line = [], 1
    for first, last in database.execute(
        "SELECT first, last FROM shared WHERE other = ? ORDER BY first", (other,)
    ):
        if next_line < first:
            found.append((next_line, first - 1))
        next_line = last + 1
    return [*found, (next_line, through)] if next_line <= through else found


def forget(database: Connection, other: str) -> None:
    for table in ("pulled", "shared"):
        database.execute(f"DELETE FROM {table} WHERE other = ?", (other,))  # noqa: S608 - of these two
