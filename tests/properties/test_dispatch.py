"""Whatever happens, in whatever order: every job is dispatched until it is recorded, and then no more.

The world around `Dispatch` is played here: a queue, workers that die or only seem to, a stream that
is read late, a ledger where the first record wins, a controller that starts anew at any moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.run.dispatch import Dispatch, Rules, Todo
from cloudburst.run.ledger import Last


@dataclass(frozen=True)
class Job:
    id: str
    description: Mapping[str, Any]
    argv: None = None


@dataclass
class Batch:
    """A batch in the world. `dead`: its worker is gone, or the message never arrived."""

    name: str
    todos: list[Todo]
    held: bool = False
    dead: bool = False
    revoked: bool = False
    doing: Todo | None = None
    skip: set[str] = field(default_factory=set)


ENDS = (
    ("done", None),
    ("done", None),
    ("done", None),
    ("failed", "error"),
    ("failed", "crash"),
    ("failed", "memory"),
)


class World:
    """Every step is one of `ACTIONS` and a number that says on what; one that cannot be done is not."""

    def __init__(self, rows: int, period: int, retries: int, lost: bool) -> None:
        self.rows, self.period = rows, period
        self.rules = Rules(retries, frozenset({"crash", "lost"} if lost else {"crash"}))
        self.ledger: dict[str, list[tuple[int, str, str | None, int]]] = {}
        self.lines = 0
        self.losses: dict[tuple[str, int], int] = {}
        self.mark = 0
        self.asked: dict[str, int] = {}
        self.stream: deque[tuple[str, str, Any]] = deque()
        self.batches: dict[str, Batch] = {}
        self.start_controller()

    def start_controller(self) -> None:
        self.dispatch = Dispatch(self.rules, self.rows, self.mark, self.asked, dict(self.losses))
        self.row = 0

    # ── the parts of the world ───────────────────────────────────────────────────────────────
    def job(self, row: int) -> Job:
        return Job(f"{row % self.period:020x}", {"row": row})

    def last(self, job_id: str) -> Last | None:
        attempts = self.ledger.get(job_id)
        if not attempts:
            return None
        attempt, status, kind, line = max(attempts)
        return Last(attempt, status, kind, line)  # type: ignore[arg-type]

    def is_final(self, job_id: str) -> bool:
        last = self.last(job_id)
        return last is not None and (
            last.status == "done"
            or not self.rules.goes_again(last.kind, last.attempt, self.asked.get(job_id, 0))
        )

    def record(self, outcome: Mapping[str, Any]) -> None:
        """The first record of an attempt wins."""
        attempts = self.ledger.setdefault(outcome["id"], [])
        if outcome["attempt"] not in [attempt for attempt, *_ in attempts]:
            self.lines += 1
            attempts.append((outcome["attempt"], outcome["status"], outcome["kind"], self.lines))

    def live(self) -> list[Batch]:
        return [x for x in self.batches.values() if self.dispatch.is_live(x.name)]

    def working(self) -> list[Batch]:
        """Zombies too: revoked, but inside a job."""
        return [x for x in self.batches.values() if x.held and not x.dead]

    def waiting(self) -> list[Batch]:
        return [x for x in self.batches.values() if not x.held and not x.dead and not x.revoked]

    # ── what the controller does ─────────────────────────────────────────────────────────────
    def look(self, number: int) -> None:
        for _ in range(min(1 + number % self.rows, self.rows - self.row)):
            job = self.job(self.row)
            self.dispatch.look_at(self.row, job.id, self.last(job.id))
            self.row += 1

    def send(self, number: int) -> None:
        sending = [
            one
            for one in self.dispatch.fill(self.job, 1 + number % 4)
            if (last := self.last(one.todo.id)) is None or not self.dispatch.skip(one.todo, last)
        ]
        if not sending:
            return
        for one in sending:
            assert not self.is_final(one.todo.id), "recorded, and dispatched again"
            assert one.message["job"] == self.job(one.todo.row).description
            assert self.job(one.todo.row).id == one.todo.id
        assert len(sending) == 1 or not any(one.todo.alone for one in sending)
        name = f"b-{len(self.batches)}"
        self.dispatch.sent(name, sending)
        self.batches[name] = Batch(name, [one.todo for one in sending])

    def read(self, number: int = 0) -> None:
        for _ in range(min(1 + number % 3, len(self.stream))):
            self.read_one(*self.stream.popleft())

    def read_one(self, kind: str, batch: str, what: Any) -> None:
        if kind == "outcome":
            self.record(what)
            verdict = self.dispatch.ended(batch, what)
            if verdict.elsewhere:
                self.batches[verdict.elsewhere].skip.add(what["id"])
        elif kind == "returned":
            self.dispatch.returned(batch, what)
        else:
            self.over(batch, self.dispatch.ids_of(batch))

    def over(self, batch: str, doing: frozenset[str]) -> None:
        lost = self.dispatch.over(batch, doing, first=True)
        for todo in lost.blamed:
            self.losses[(todo.id, todo.attempt)] = self.losses.get((todo.id, todo.attempt), 0) + 1
        for todo in lost.given_up:
            outcome = {"id": todo.id, "attempt": todo.attempt, "status": "failed", "kind": "lost"}
            self.record(outcome)
            self.dispatch.ended(None, outcome)

    def declare_lost(self, number: int) -> None:
        """A dead one, or one whose worker is only slow. What it wrote is read first."""
        if batch := pick([x for x in self.live() if x.dead or x.held], number):
            batch.revoked = True
            doing = frozenset({batch.doing.id} if batch.doing else ())
            while self.stream:
                self.read()
            self.over(batch.name, doing)

    def start_again(self, _: int) -> None:
        """A new controller finds every batch that was not revoked, dead workers' batches too."""
        self.start_controller()
        for batch in self.batches.values():
            if not batch.revoked and batch.todos:
                self.dispatch.adopt(batch.name, batch.todos, 1)
        while self.stream:
            self.read()

    def retry_all(self, number: int) -> None:
        if self.dispatch.is_over:
            self.mark = self.lines
            self.asked = {job_id: max(a)[0] for job_id, a in self.ledger.items() if max(a)[1] == "failed"}
            self.start_again(number)

    # ── what workers do ──────────────────────────────────────────────────────────────────────
    def take(self, number: int) -> None:
        if batch := pick(self.waiting(), number):
            batch.held = True
            batch.todos = [x for x in batch.todos if x.id not in batch.skip]

    def work(self, number: int) -> None:
        if batch := pick(self.working(), number):
            self.step(batch, ENDS[number // 7 % len(ENDS)])

    def step(self, batch: Batch, end: tuple[str, str | None]) -> None:
        if batch.doing:
            todo, batch.doing = batch.doing, None
            outcome = {"id": todo.id, "attempt": todo.attempt, "status": end[0], "kind": end[1]}
            self.stream.append(("outcome", batch.name, outcome))
            batch.todos.remove(todo)
        elif batch.revoked:
            batch.dead = True
        elif batch.todos:
            batch.doing = batch.todos[0]
        else:
            self.stream.append(("finished", batch.name, None))
            batch.dead = True

    def hand_back(self, number: int) -> None:
        if batch := pick([x for x in self.working() if not x.doing and not x.revoked], number):
            self.stream.append(("returned", batch.name, [x.id for x in batch.todos]))
            self.stream.append(("finished", batch.name, None))
            batch.todos, batch.dead = [], True

    def die(self, number: int) -> None:
        if batch := pick(self.working(), number):
            batch.dead = True

    def never_arrive(self, number: int) -> None:
        if batch := pick(self.waiting(), number):
            batch.dead = True

    # ── what must hold ───────────────────────────────────────────────────────────────────────
    def check(self) -> None:
        assert self.dispatch.tally.to_do >= 0, "counted twice"
        ids = [job_id for batch in self.dispatch.batches for job_id in self.dispatch.ids_of(batch)]
        assert len(ids) == len(set(ids)) == self.dispatch.under_way, "in two batches at once"

    def come_to_an_end(self) -> None:
        """Nothing goes wrong any more."""
        for _ in range(500):
            if self.dispatch.is_over:
                return
            self.look(self.rows)
            self.send(3)
            while self.waiting():
                self.take(0)
            for batch in self.working():
                self.step(batch, ("done", None))
            while self.stream:
                self.read()
            for batch in self.live():
                if batch.dead:
                    self.over(batch.name, frozenset({batch.doing.id} if batch.doing else ()))
        raise AssertionError("never ends")

    def check_the_ledger(self) -> None:
        ids = {self.job(row).id for row in range(self.rows)}
        assert all(self.is_final(job_id) for job_id in ids)
        tally = self.dispatch.tally
        lasts = [last for job_id in ids if (last := self.last(job_id))]
        assert tally.jobs == len(ids)
        assert tally.done == sum(x.status == "done" and x.line > self.mark for x in lasts)
        assert tally.failed == sum(x.status == "failed" and x.line > self.mark for x in lasts)
        assert tally.recorded == sum(x.line <= self.mark for x in lasts)


def pick(batches: list[Batch], number: int) -> Batch | None:
    return batches[number % len(batches)] if batches else None


PROGRESS = (World.look, World.send, World.take, World.work, World.work, World.work, World.read)
FAULTS = (
    World.declare_lost,
    World.start_again,
    World.hand_back,
    World.die,
    World.never_arrive,
    World.retry_all,
)
ACTIONS = PROGRESS * 2 + FAULTS


@given(
    rows=st.integers(1, 5),
    period=st.integers(1, 5),
    retries=st.integers(0, 2),
    lost=st.booleans(),
    steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 1000)), min_size=60, max_size=150),
)
@settings(max_examples=400, deadline=None)
def test_every_job_is_dispatched_until_it_is_recorded_and_then_no_more(
    rows: int, period: int, retries: int, lost: bool, steps: list[tuple[Any, int]]
) -> None:
    world = World(rows, period, retries, lost)
    for action, number in steps:
        action(world, number)
        world.check()
    world.come_to_an_end()
    world.check_the_ledger()
