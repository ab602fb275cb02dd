"""A few rows, spread over the space, computed on this machine: what the rest will take is estimated from them.

They are rows like any other: recorded in the ledger, and not computed again by `apply`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..compile.space import Space
from . import run_lock
from .apply import compute, locked
from .clusters import make_cluster
from .events import OnEvent, StopSignal
from .follow import Status
from .handing_over import raise_if_broken
from .observe import Study
from .ownership import check_ownership, take_ownership
from .places import prepare
from .promised import promised_variables
from .results import Result, status_of
from .study import Runs

FEWEST = 5
"""Rows of a probe, where the user does not say; and at least two of each block, so that their spread shows."""
OF_A_BLOCK = 2

State = Literal["finished", "paused", "stopped", "nothing to do"]


@dataclass(frozen=True)
class Probed:
    """How a probe ended. `results` are those of its rows, in plan order; `computed` of their jobs were computed now,
    the others before. `seconds` is wall time; `reason` says why it was paused."""

    state: State
    rows: tuple[int, ...]
    results: tuple[Result, ...]
    computed: int
    seconds: float
    reason: str = ""

    @property
    def done(self) -> int:
        return sum(result.status == "done" for result in self.results)

    @property
    def failed(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.status == "failed")

    def to_json(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "rows": list(self.rows),
            "computed": self.computed,
            "done": self.done,
            "failed": len(self.failed),
            "seconds": self.seconds,
            "reason": self.reason,
        }


# ── which rows ───────────────────────────────────────────────────────────────────────────────
def spread(space: Space, number: int | None) -> tuple[int, ...]:
    """Rows to try, in order: the first and the last of each block, and others evenly between, more of larger blocks.

    The same ones each time. Of fewer rows than blocks: some blocks, evenly. `number` None: as many as it takes.
    """
    blocks = [range(block.start, block.start + block.count) for block in space.blocks if block.count]
    if number is None:
        number = max(FEWEST, sum(min(OF_A_BLOCK, len(block)) for block in blocks))
    chosen = _evenly(range(len(blocks)), number)
    shares = _shares([blocks[one] for one in chosen], number)
    return tuple(
        row for one, share in zip(chosen, shares, strict=True) for row in _evenly(blocks[one], share)
    )


def _evenly(rows: range, number: int) -> list[int]:
    """First, last, and evenly between; the middle one when it is one alone, of a few all."""
    number, last = min(number, len(rows)), len(rows) - 1
    if number == 1:
        return [rows[last // 2]]
    return [rows[last * step // (number - 1)] for step in range(number)]


def _shares(blocks: Sequence[range], number: int) -> list[int]:
    """How many rows of each block: one, then a second one, then one at a time to whoever has most rows for each."""
    shares = [1] * len(blocks)
    for _ in range(number - len(blocks)):
        open_ones = [at for at, block in enumerate(blocks) if shares[at] < len(block)]
        if not open_ones:
            break
        few = [at for at in open_ones if shares[at] < OF_A_BLOCK]
        shares[few[0] if few else max(open_ones, key=lambda at: (len(blocks[at]) / shares[at], -at))] += 1
    return shares


def runs_of(rows: Sequence[int]) -> Runs:
    """Single rows, in order, as runs of them."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = (runs[-1][0], row + 1)
        else:
            runs.append((row, row + 1))
    return tuple(runs)


# ── trying them ──────────────────────────────────────────────────────────────────────────────
def probe(study: Study, rows: tuple[int, ...], *, on_event: OnEvent, stop: StopSignal) -> Probed:
    """Compute these rows of a study of this machine (`read_study` with `local`), but for those computed before.

    Tables are `apply`'s to write. Raises what `apply` raises; jobs that fail are no exception. No process is left
    running.
    """
    began = time.monotonic()
    promised_variables(study.ensemble)
    check_ownership(study.places)
    prepare(study.places)
    with run_lock.hold(study.places.lock, study=study.ensemble.name) as lock:
        take_ownership(study.places)
        study = locked(study, on_event, stop)
        before = _results(study, rows)
        status = _compute(study, rows, lock, on_event, stop) if _to_do(before) else None
    after = _results(study, rows)
    return Probed(
        state=_ending(status, stop),
        rows=rows,
        results=after,
        computed=len(_to_do(before) - _to_do(after)),
        seconds=time.monotonic() - began,
        reason=str(status.get("reason", "")) if status else "",
    )


def _compute(
    study: Study, rows: tuple[int, ...], lock: run_lock.RunLock, on_event: OnEvent, stop: StopSignal
) -> Status:
    cluster = make_cluster(study, lock, on_event, stop)
    try:
        endpoints = cluster.start()
        status = compute(study, cluster, endpoints, runs_of(rows), (), on_event, stop, with_tables=False)
    finally:
        cluster.stop(now=stop.level >= 2)
    raise_if_broken(status)
    return status


def _ending(status: Status | None, stop: StopSignal) -> State:
    if status is None:
        return "nothing to do"
    if stop.level:
        return "stopped"
    return "paused" if status["state"] == "paused" else "finished"


def _results(study: Study, rows: tuple[int, ...]) -> tuple[Result, ...]:
    jobs, payload = [study.jobs[row] for row in rows], study.payload.digest
    with study.recorded() as ledger:
        outcomes = ledger.outcomes([job.id for job in jobs], payload) if ledger else {}
    return tuple(Result(job, outcomes.get(job.id), status_of(outcomes.get(job.id), payload)) for job in jobs)


def _to_do(results: tuple[Result, ...]) -> set[str]:
    return {result.job.id for result in results if result.status in ("to do", "stale")}
