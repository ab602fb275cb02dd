"""Rows as plans show them, one by one, and what is known of their jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ..spec.ensemble import Ensemble, Replicates, Value
from .jobs import Job

MOST_LISTED = 1_000
"""Of the rows somebody chose; of more there are only numbers."""

Known = Literal["done", "failed", "stale", "kept"]
State = Literal[Known, "to_do"]


class Recorded(Protocol):
    """What was ever computed, as seen with one payload. A job never computed is absent. With `keep_stale` a result
    of other worker code is `kept` instead of `stale`."""

    def states(
        self, ids: Sequence[str], payload: str, *, keep_stale: bool = False
    ) -> Mapping[str, Known]: ...


@dataclass(frozen=True)
class Shown:
    """One row of the preview. `seed` is its replicate's; None where there are no replicates."""

    row: int
    id: str
    block: str
    replicate: int | None
    seed: int | None
    parameters: Mapping[str, Value]


def shown(job: Job, ensemble: Ensemble) -> Shown:
    """A job's row as plans show it."""
    row = job.row
    seed = row.values.get(_seed_name(ensemble, row.block)) if row.replicate is not None else None
    return Shown(
        row.index, job.id, row.block, row.replicate, seed if isinstance(seed, int) else None, row.values
    )


def _seed_name(ensemble: Ensemble, block: str) -> str:
    sources = (source for b in ensemble.blocks if b.name == block for source in b.sources)
    return next((source.name for source in sources if isinstance(source, Replicates)), "")


@dataclass(frozen=True)
class Chosen:
    """`count` of the `looked` rows are those asked for: with `where`, or all of them (None), then `states` is None
    since the plan's own counts say it. `rows` are the first `MOST_LISTED`."""

    where: str | None
    looked: int
    count: int
    states: Mapping[State, int] | None
    rows: tuple[tuple[Shown, State], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "where": self.where,
            "looked": self.looked,
            "count": self.count,
            "states": dict(self.states) if self.states is not None else None,
            "limit": MOST_LISTED,
            "rows": [
                {**vars(row), "parameters": dict(row.parameters), "state": state} for row, state in self.rows
            ],
        }
