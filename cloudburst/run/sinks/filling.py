"""Bringing one InfluxDB up to date with the ledger: which jobs it lacks, writing them, and counting what is stored.

Everything can be done twice and can be cut off anywhere: points are deterministic, and a job is remembered as
fed only when the server has counted its points. Waiting and trying again are `feeding.py`'s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...compile.jobs import Job
from ...compile.measurements import Names
from ...errors import CloudBurstError, FileStoreError
from ...spec.ensemble import InfluxSink
from ..ledger import Done, Ledger
from ..results import Indexed, Outcome, locate
from ..series import Series, decode
from .fed import Fed, Memory
from .influxdb import Counted, Forbidden, Influx, Unavailable
from .points import Expected, JobPoints, bodies, make_points

FORMAT = 1
"""Of the points: raised when they are made in another way, so that what is stored is written anew."""

BODY_LINES = 5000
BODY_BYTES = 1_000_000
GROUP_JOBS = 100
GROUP_POINTS = 200_000
"""What is written before it is counted and remembered: a restart repeats no more than that."""

WINDOW = 10_000
"""Lines of the ledger looked at together."""

Fetch = Callable[[str], bytes | None]
"""sha256 -> a series object; None when there is none. May raise FileStoreError."""


@dataclass(frozen=True)
class Task:
    """What to feed: the jobs of a study that are done under this payload, into this sink."""

    jobs: Indexed
    names: Names
    payload: str
    sink: InfluxSink

    @property
    def manner(self) -> str:
        """How the points are made, apart from the jobs."""
        names = [self.names.study, dict(self.names.tags), dict(self.names.fields)]
        text = json.dumps([FORMAT, names, self.sink.start])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Standing:
    """How far it is. `waiting` jobs are not fed, of those recorded up to the ledger's line `seen`. `problem` says
    what is wrong, `note` what cannot be stored and need not be."""

    points: int = 0
    waiting: int = 0
    seen: int = 0
    problem: str = ""
    note: str = ""


@dataclass
class _Written:
    """A job whose points are written, and what is to be counted of them."""

    done: Done
    points: int
    expected: Expected
    shape: str
    left_out: dict[str, int]
    problem: str


class Filling:
    """One sink of one study. For one thread; every method may raise CloudBurstError, Unavailable among them."""

    def __init__(self, task: Task, ledger: Ledger, fetch: Fetch, influx: Influx, memory: Memory) -> None:
        self._task = task
        self._manner = task.manner
        self._ledger = ledger
        self._fetch = fetch
        self._influx = influx
        self._memory = memory
        self._todo: list[Done] = []
        self._read_up_to = 0
        self._may_count = True
        self._is_sure = False
        self._left_out = memory.left_out()
        self._points = memory.points()
        self._problems = memory.problems()

    def standing(self) -> Standing:
        last = self._ledger.last_line()
        waiting = len(self._todo) + max(0, last - self._read_up_to)
        return Standing(self._points, waiting, last, self._problem(), self._note())

    def step(self) -> bool:
        """Look further, or write some jobs; False when the sink has everything."""
        if not self._is_sure:
            self._distrust()
            self._is_sure = True
        if self._todo:
            self._feed(self._todo[:GROUP_JOBS])
            return True
        return self._look_further()

    def _distrust(self) -> None:
        """A server that was set back, or lost its disk, holds fewer jobs than are remembered as fed."""
        study = self._task.names.study
        try:
            if self._influx.count_jobs(study) >= self._memory.jobs():
                return
            self._memory.forget_all_but(self._influx.ids(study))
        except Forbidden:
            self._may_count = False
            return
        self._left_out = self._memory.left_out()
        self._points = self._memory.points()
        self._problems = self._memory.problems()

    # ── which jobs ───────────────────────────────────────────────────────────────────────────
    def _look_further(self) -> bool:
        """Each line of the ledger is looked at once; what had a problem the last time gets another try."""
        last = self._ledger.last_line()
        if last <= self._read_up_to:
            return False
        found = self._ledger.done_after(self._read_up_to, self._task.payload, WINDOW)
        fed = self._memory.of([done.id for done in found])
        lacking = [done for done in found if not self._is_fed(done, fed.get(done.id))]
        self._todo = self._of_this_plan(lacking)
        self._read_up_to = found[-1].line if len(found) == WINDOW else last
        return True

    def _is_fed(self, done: Done, fed: Fed | None) -> bool:
        if fed is None or fed.problem:
            return False
        return fed.outcome == self._attempt(done) and fed.manner == self._manner

    def _attempt(self, done: Done) -> str:
        return f"{self._task.payload}:{done.attempt}"

    def _of_this_plan(self, lacking: Sequence[Done]) -> list[Done]:
        """Those the study still has, each with the row it has now."""
        by_id = {done.id: done for done in lacking}
        jobs = locate(self._task.jobs, [{"id": x.id, "row": x.row} for x in by_id.values()])
        rows = {job.id: job.row.index for job in jobs}
        return [Done(x.line, x.id, x.attempt, rows[x.id]) for x in by_id.values() if x.id in rows]

    # ── writing them ─────────────────────────────────────────────────────────────────────────
    def _feed(self, group: Sequence[Done]) -> None:
        outcomes = self._ledger.outcomes([done.id for done in group], self._task.payload)
        current = [x for x in group if outcomes[x.id]["status"] == "done"]
        before = self._memory.of([done.id for done in current])
        self._forget(job for job, fed in before.items() if fed.manner != self._manner)
        written: list[_Written] = []
        for body in bodies(self._blocks(current, outcomes, before, written), BODY_LINES, BODY_BYTES):
            self._influx.write(body)
        self._influx.settle()
        self._check(written, outcomes)
        self._remember(written, before)
        last = written[-1].done.line if written else group[-1].line
        self._todo = [done for done in self._todo if done.line > last]

    def _forget(self, ids: Iterator[str]) -> None:
        """What was tagged or timed in another way would stay beside what is written now."""
        if found := list(ids):
            self._influx.delete(self._task.names.study, found)

    def _blocks(
        self,
        group: Sequence[Done],
        outcomes: dict[str, Outcome],
        before: dict[str, Fed],
        written: list[_Written],
    ) -> Iterator[list[str]]:
        """The lines of so many jobs as are counted together; each is noted in `written`."""
        points = 0
        for done in group:
            made = self._made(done, outcomes[done.id])
            fed = before.get(done.id)
            if fed and fed.manner == self._manner and fed.shape != made.shape:
                self._influx.delete(self._task.names.study, [done.id])
            yield from made.blocks()
            written.append(
                _Written(done, made.count, made.expected, made.shape, dict(made.left_out), made.problem)
            )
            points += made.count
            if points >= GROUP_POINTS:
                return

    def _made(self, done: Done, outcome: Outcome) -> JobPoints:
        """A job whose series cannot be had keeps its outputs, and a problem."""
        job, problem = self._job(done), ""
        series: tuple[Series, ...] = ()
        try:
            series = self._series(outcome)
        except FileStoreError as error:
            raise Unavailable(error.message, error.hint) from error
        except CloudBurstError as error:
            problem = f"job {done.id[:8]}: {error.message}"
        made = make_points(job, outcome, series, self._task.names, self._task.sink.start)
        return made if not problem else JobPoints(made.id, made.parts, made.left_out, problem)

    def _job(self, done: Done) -> Job:
        return self._task.jobs[done.row]

    def _series(self, outcome: Outcome) -> tuple[Series, ...]:
        stored = outcome["series"]
        if not stored:
            return ()
        data = self._fetch(stored["object"])
        if data is None:
            raise CloudBurstError(f"its series {stored['object'][:12]} are not in the file store")
        return decode(data)

    # ── counting what is stored ──────────────────────────────────────────────────────────────
    def _check(self, written: Sequence[_Written], outcomes: dict[str, Outcome]) -> None:
        """Where the count is not what it must be the job is written once more, value by value."""
        said = self._influx.refusals()
        counted = self._counted(written)
        if counted is None:
            if said and written:
                written[0].problem = f"lines were refused: {said[0]}"
            return
        for one in written:
            if counted.get(one.done.id, {}) != one.expected and not one.problem:
                self._write_again(one, outcomes[one.done.id])

    def _counted(self, written: Sequence[_Written]) -> Counted | None:
        """None where the credentials allow writing only."""
        if not self._may_count:
            return None
        measurements = {place for one in written for place, _ in one.expected}
        try:
            return self._influx.count(self._task.names.study, [one.done.id for one in written], measurements)
        except Forbidden:
            self._may_count = False
            return None

    def _write_again(self, one: _Written, outcome: Outcome) -> None:
        self._influx.delete(self._task.names.study, [one.done.id])
        for body in bodies(self._made(one.done, outcome).blocks(apart=True), BODY_LINES, BODY_BYTES):
            self._influx.write(body)
        self._influx.settle()
        said = self._influx.refusals()
        counted = self._counted([one])
        stored = {} if counted is None else counted.get(one.done.id, {})
        if counted is not None and stored != one.expected:
            one.problem = _shortfall(one, stored, said[0] if said else "the server does not say why")

    def _remember(self, written: Sequence[_Written], before: dict[str, Fed]) -> None:
        fed = [
            Fed(x.done.id, self._attempt(x.done), self._manner, x.shape, x.points, x.left_out, x.problem)
            for x in written
        ]
        self._memory.keep(fed)
        for one in fed:
            self._points += one.points
            self._left_out.update(one.left_out)
            if old := before.get(one.id):
                self._points -= old.points
                self._left_out.subtract(old.left_out)
        if any(one.problem for one in (*fed, *before.values())):
            self._problems = self._memory.problems()

    # ── saying how far it is ─────────────────────────────────────────────────────────────────
    def _problem(self) -> str:
        jobs, first = self._problems
        return f"{first} (and {jobs - 1} more)" if jobs > 1 else first

    def _note(self) -> str:
        left_out = [f"{count:,} {what}" for what, count in sorted(self._left_out.items()) if count > 0]
        notes = [f"left out: {', '.join(left_out)}"] if left_out else []
        if not self._may_count:
            notes.append("the user may not read, so what is stored is not counted")
        return "; ".join(notes)


def _shortfall(one: _Written, stored: Expected, why: str) -> str:
    wanted = sum(one.expected.values())
    lacking = {place: n for place, n in one.expected.items() if stored.get(place, 0) < n}
    if not lacking:
        return f"job {one.done.id[:8]} has more values stored than it returned"
    missing = sum(n - stored.get(place, 0) for place, n in lacking.items())
    measurement, field = next(iter(lacking))
    return (
        f"job {one.done.id[:8]}: {missing} of {wanted} values are not stored,"
        f" {field} of {measurement} among them: {why}"
    )
