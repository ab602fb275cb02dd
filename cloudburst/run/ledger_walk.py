"""How thousands of jobs ended whose ids lie close together: one walk along the ledger's indexes instead of a search
for each. SQL and no more; `Ledger.states` decides when.

No line of a result is read: the index of attempts has ids, payloads and attempts, the one of failures says which
of them failed, and what is recorded and did not fail is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from sqlite3 import Connection

FEWEST = 500
"""Of fewer ids each is looked up."""

_NEIGHBOURS = 8
"""Reading so many entries of an index takes as long as looking one id up."""

_BETWEEN = "SELECT count(*) FROM (SELECT 1 FROM outcomes WHERE id >= ? AND id <= ? LIMIT ?)"

_ATTEMPTS = (
    "SELECT id, payload, attempt FROM outcomes WHERE id >= ? AND id <= ? ORDER BY id, payload, attempt"
)

_FAILED = """
SELECT id, payload, attempt FROM outcomes INDEXED BY failed_outcomes
WHERE status = 'failed' AND payload IN (SELECT number FROM payloads) AND id >= ? AND id <= ?"""


def lie_close(database: Connection, ids: Sequence[str]) -> bool:
    """Whether little else is recorded between the first and the last of them."""
    if len(ids) < FEWEST:
        return False
    enough = _NEIGHBOURS * len(ids)
    (between,) = database.execute(_BETWEEN, (min(ids), max(ids), enough + 1)).fetchone()
    return int(between) <= enough


def walked(database: Connection, ids: Sequence[str], payload: str) -> Iterator[tuple[str, bool, bool]]:
    """Of each job that was ever computed: its id, whether the attempt that counts was with the payload of this
    digest, and whether it failed. It is the last one under that payload, or where that has none, under the payload
    used last.

    Meant for within a transaction: it asks more than once.
    """
    asked, ends = set(ids), (min(ids), max(ids))
    ranks, highest = _ranks(database, payload)
    chosen: dict[str, tuple[int, int]] = {}
    for job, number, attempt in database.execute(_ATTEMPTS, ends):
        if job in asked and (job not in chosen or ranks[number] >= ranks[chosen[job][0]]):
            chosen[job] = (number, attempt)
    failed = set(database.execute(_FAILED, ends))
    for job, (number, attempt) in chosen.items():
        yield job, number == highest, (job, number, attempt) in failed


def _ranks(database: Connection, payload: str) -> tuple[Mapping[int, int], int | None]:
    """Payloads by number, those that go before others with a higher rank; and the number of the one asked for."""
    found = database.execute(
        "SELECT number, digest = ? AS asked FROM payloads ORDER BY asked, used, number", (payload,)
    )
    numbers = list(found)
    highest = numbers[-1][0] if numbers and numbers[-1][1] else None
    return {number: rank for rank, (number, _) in enumerate(numbers)}, highest
