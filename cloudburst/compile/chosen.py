"""Rows of a plan that are asked for by themselves, each with its state: what `plan --rows` and `plan --where` show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from .jobs import Job, Jobs
from .plan import MOST_COUNTED, Plan, Progress
from .shown import MOST_LISTED, Chosen, Recorded, Shown, State, shown
from .space import Row

Takes = Callable[[Row], bool]

_AT_ONCE = 500


@dataclass(frozen=True)
class Wanted:
    """`takes` says whether a row is one `where` it holds."""

    where: str
    takes: Takes


def choose(
    plan: Plan,
    jobs: Jobs,
    recorded: Recorded | None,
    wanted: Wanted | None,
    progress: Progress = lambda _done, _all: None,
    *,
    keep_stale: bool = False,
) -> Chosen:
    """Those of the plan's rows that are wanted; None: all. Of more than `MOST_COUNTED` only so many are looked at.

    Raises RowError when a row has no job, and what `takes` raises.
    """
    rows, payload = plan.rows, plan.around.payload
    size = rows.stop - rows.start  # len() stops at what a machine word holds
    looked = size if wanted is None else min(size, MOST_COUNTED)
    most = MOST_LISTED if wanted is None else looked
    found = _found(jobs, range(rows.start, rows.start + min(looked, most)), wanted, progress)
    states: Counter[State] = Counter()
    listed: list[tuple[Shown, State]] = []
    while chunk := list(islice(found, _AT_ONCE)):
        ids = [job.id for job in chunk]
        digest = payload.digest if payload else ""
        known = recorded.states(ids, digest, keep_stale=keep_stale) if recorded is not None else {}
        for job in chunk:
            state: State = known.get(job.id, "to_do")
            states[state] += 1
            if len(listed) < MOST_LISTED:
                listed.append((shown(job, plan.ensemble), state))
    if wanted is None:
        return Chosen(None, looked, looked, None, tuple(listed))
    return Chosen(wanted.where, looked, states.total(), states, tuple(listed))


def _found(jobs: Jobs, rows: range, wanted: Wanted | None, progress: Progress) -> Iterator[Job]:
    """A row that is not wanted is never made a job."""
    for walked, row in enumerate(jobs.space.walk(rows.start, rows.stop), 1):
        if wanted is None or wanted.takes(row):
            yield jobs.of(row)
        if walked % _AT_ONCE == 0:
            progress(walked, len(rows))
