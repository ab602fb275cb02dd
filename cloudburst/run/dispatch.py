"""Which job is to be sent, which is under way, which has ended: the state of a run, without I/O.

Every job is in one place at a time: not looked at yet, fresh (to be sent for the first time),
under way in one live batch, waiting to be sent again, or ended. What ended is in the ledger;
this can be built again at any moment from the plan, the ledger and the batches in the queue.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from .id_set import IdSet
from .ledger import Last
from .sizing import BATCH_BYTES

LOSSES = 5
"""How often a machine may be lost with the same job in its hands."""


class Expanded(Protocol):
    """What is sent of a job (`compile.jobs.Job` is one)."""

    @property
    def id(self) -> str: ...
    @property
    def description(self) -> Mapping[str, Any]: ...
    @property
    def argv(self) -> Sequence[str] | None: ...


Expand = Callable[[int], Expanded]
"""Row -> its job."""


@dataclass(frozen=True)
class Rules:
    """When a failed attempt is followed by another: `retries` more for the kinds in `on`."""

    retries: int = 0
    on: frozenset[str] = frozenset({"crash", "lost"})

    def goes_again(self, kind: str | None, attempt: int, base: int) -> bool:
        """After attempt number `attempt` failed. The user asked for new attempts after `base` of them."""
        if attempt <= base:
            return True
        counted = "crash" if kind == "memory" else kind
        return counted != "lost" and counted in self.on and attempt - base <= self.retries

    @property
    def losses(self) -> int:
        """Losses of one attempt that are forgiven; they count apart from retries."""
        return LOSSES if "lost" in self.on else 0


@dataclass(frozen=True, slots=True)
class Todo:
    """An attempt to be made. One that may have ended its machine travels `alone`."""

    id: str
    row: int
    attempt: int = 1
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Packed:
    """An attempt as it stands in a batch, and the bytes it takes there."""

    todo: Todo
    message: Mapping[str, Any]
    size: int


@dataclass(slots=True)
class Tally:
    """Counts of a run. `rows` selected; `doubles` among them have the id of an earlier row."""

    rows: int
    doubles: int = 0
    recorded: int = 0
    done: int = 0
    failed: int = 0

    @property
    def jobs(self) -> int:
        return self.rows - self.doubles

    @property
    def ended(self) -> int:
        """In this run."""
        return self.done + self.failed

    @property
    def to_do(self) -> int:
        return self.jobs - self.recorded - self.ended


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the end of an attempt means: it `counts` when it was waited for.

    `elsewhere` is the live batch that holds the same job and should not run it any more.
    """

    counts: bool
    elsewhere: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """After a batch was lost: the attempts in whose middle it was, and those that were lost too often."""

    blamed: tuple[Todo, ...] = ()
    given_up: tuple[Todo, ...] = ()


@dataclass(slots=True)
class _Batch:
    ids: set[str]
    size: int


@dataclass
class Dispatch:
    """`mark` is the ledger's last line when the run began: later lines are the run's own.

    `asked` maps the jobs the user wants tried anew to the number of their last attempt then;
    `losses` counts earlier losses by (id, attempt).
    """

    rules: Rules
    rows: int
    mark: int = 0
    asked: Mapping[str, int] = field(default_factory=dict)
    losses: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tally = Tally(self.rows)
        self._seen: IdSet | None = IdSet() if self.rows else None
        self._looked_at = 0
        self._fresh: deque[tuple[int, int]] = deque()  # runs of rows, from and up to
        self._fresh_count = 0
        self._next: Packed | None = None  # the first fresh row, already expanded
        self._first: deque[Todo] = deque()  # were lost with a worker: they have waited already
        self._again: deque[Todo] = deque()
        self._open: dict[str, Todo] = {}  # under way, or waiting to go again
        self._home: dict[str, str] = {}  # id -> the live batch it is in
        self._live: dict[str, _Batch] = {}
        self._unmet: set[str] = set()  # in a batch found in the queue, its row not looked at yet
        self._size = 0

    # ── what is known ────────────────────────────────────────────────────────────────────────
    @property
    def batches(self) -> tuple[str, ...]:
        """The live ones, oldest first."""
        return tuple(self._live)

    def is_live(self, batch: str) -> bool:
        return batch in self._live

    def ids_of(self, batch: str) -> frozenset[str]:
        """The jobs of a live batch that have not ended."""
        found = self._live.get(batch)
        return frozenset(found.ids) if found else frozenset()

    @property
    def under_way(self) -> int:
        """Jobs in live batches."""
        return len(self._home)

    @property
    def size(self) -> int:
        """Bytes of the live batches."""
        return self._size

    @property
    def remaining(self) -> int:
        """Jobs not sent yet, as far as is known before every row was looked at."""
        waiting = len(self._first) + len(self._again)
        return self._fresh_count + waiting + (self.rows - self._looked_at)

    @property
    def is_in_a_hurry(self) -> bool:
        """Whether the next batch should go before all that wait in the queue."""
        self._clean(self._first)
        return bool(self._first)

    @property
    def is_over(self) -> bool:
        return self._seen is None and self.tally.to_do == 0

    # ── looking at the plan, row by row ──────────────────────────────────────────────────────
    def adopt(self, batch: str, todos: Iterable[Todo], size: int) -> None:
        """A batch found in the queue, before any row was looked at."""
        for todo in todos:
            if todo.id not in self._open:
                self._put(batch, todo)
                self._unmet.add(todo.id)
        if batch in self._live:
            self._live[batch].size = size
            self._size += size

    def look_at(self, row: int, job_id: str, last: Last | None) -> None:
        """The next row in plan order, and what the ledger holds of its job under this payload."""
        if self._seen is None:
            raise RuntimeError("every row was looked at already")
        self._looked_at += 1
        if not self._seen.add(job_id):
            self.tally.doubles += 1
        elif not self._has_ended(job_id, last):
            self._note_todo(row, job_id, last)
        elif job_id in self._unmet:
            self._drop(job_id)
        if self._looked_at == self.rows:
            self._seen = None

    def _has_ended(self, job_id: str, last: Last | None) -> bool:
        """Counts the job when nothing is left to do for it."""
        if last is None:
            return False
        if last.status == "failed" and self.rules.goes_again(
            last.kind, last.attempt, self.asked.get(job_id, 0)
        ):
            return False
        if last.line <= self.mark:
            self.tally.recorded += 1
        elif last.status == "done":
            self.tally.done += 1
        else:
            self.tally.failed += 1
        return True

    def _note_todo(self, row: int, job_id: str, last: Last | None) -> None:
        attempt = last.attempt + 1 if last else 1
        if job_id in self._unmet and self._open[job_id].attempt < attempt:
            self._drop(job_id)  # a worker thought dead has recorded the attempt that is on its way there
        if job_id in self._unmet:
            self._unmet.remove(job_id)
            self._open[job_id] = replace(self._open[job_id], row=row)
        elif attempt > 1 or (job_id, attempt) in self.losses:
            self._wait(Todo(job_id, row, attempt, alone=(job_id, attempt) in self.losses))
        elif self._fresh and self._fresh[-1][1] == row:
            self._fresh[-1] = (self._fresh[-1][0], row + 1)
            self._fresh_count += 1
        else:
            self._fresh.append((row, row + 1))
            self._fresh_count += 1

    # ── sending ──────────────────────────────────────────────────────────────────────────────
    def fill(self, expand: Expand, at_most: int) -> tuple[Packed, ...]:
        """The next batch, taken out: at most so many jobs and `BATCH_BYTES`, or one larger job. While
        `is_in_a_hurry`, of those alone.

        What comes back in `sent` or `skip` is accounted for; nothing else may happen in between.
        """
        packed: list[Packed] = []
        size, hurry = 0, self.is_in_a_hurry
        while (
            len(packed) < at_most
            and hurry == self.is_in_a_hurry
            and (found := self._peek(expand)) is not None
        ):
            if packed and (found.todo.alone or size + found.size > BATCH_BYTES):
                break
            self._take()
            packed.append(found)
            size += found.size
            if found.todo.alone:
                break
        return tuple(packed)

    def sent(self, batch: str, packed: Iterable[Packed]) -> None:
        """These are under way now, whether or not the queue has the message yet."""
        for one in packed:
            self._put(batch, one.todo)
            self._live[batch].size += one.size
            self._size += one.size

    def skip(self, todo: Todo, last: Last) -> bool:
        """The ledger knows more than we did, from a worker thought dead: True when it is not to be sent."""
        if last.attempt < todo.attempt:
            return False
        self._open.pop(todo.id, None)
        if not self._has_ended(todo.id, last):
            self._wait(Todo(todo.id, todo.row, last.attempt + 1))
        return True

    def _peek(self, expand: Expand) -> Packed | None:
        for waiting in (self._first, self._again):
            self._clean(waiting)
            if waiting:
                return _pack(waiting[0], expand(waiting[0].row))
        if self._next is None and self._fresh:
            row = self._fresh[0][0]
            job = expand(row)
            self._next = _pack(Todo(job.id, row), job)
        return self._next

    def _clean(self, waiting: deque[Todo]) -> None:
        """Drop from the front what has ended while it waited."""
        while waiting and (self._open.get(waiting[0].id) != waiting[0] or waiting[0].id in self._home):
            waiting.popleft()

    def _take(self) -> None:
        for waiting in (self._first, self._again):
            if waiting:
                waiting.popleft()
                return
        self._next = None
        row, end = self._fresh.popleft()
        if row + 1 < end:
            self._fresh.appendleft((row + 1, end))
        self._fresh_count -= 1

    # ── what comes back ──────────────────────────────────────────────────────────────────────
    def ended(self, batch: str | None, outcome: Mapping[str, Any]) -> Verdict:
        """An attempt has its outcome, and the ledger has it. `batch` None: we ended it ourselves."""
        job_id = outcome["id"]
        todo = self._open.get(job_id)
        if todo is None or outcome["attempt"] < todo.attempt:
            return Verdict(counts=False)
        if job_id in self._unmet:  # its row will be looked at, with this in the ledger
            self._drop(job_id)
            return Verdict(counts=False)
        home = self._home.get(job_id)
        elsewhere = home if home != batch else None
        self._drop(job_id)
        if outcome["status"] == "done":
            self.tally.done += 1
        elif self.rules.goes_again(outcome["kind"], outcome["attempt"], self.asked.get(job_id, 0)):
            self._wait(Todo(job_id, todo.row, outcome["attempt"] + 1))
        else:
            self.tally.failed += 1
        return Verdict(counts=True, elsewhere=elsewhere)

    def returned(self, batch: str, ids: Iterable[str]) -> None:
        """Handed back without being started."""
        for job_id in ids:
            if self._home.get(job_id) == batch:
                self._wait_again(job_id)

    def over(self, batch: str, doing: Iterable[str] = (), *, first: bool = False) -> Lost:
        """A batch ended, in whatever way: what has no outcome goes again, and with `first` before others.

        The jobs of `doing` go alone and carry the blame; those blamed too often are given up, and
        are waited for until `ended` is told of it.
        """
        gone = self._live.pop(batch, None)
        if gone is None:
            return Lost()
        self._size -= gone.size
        blamed, given_up = [], []
        for job_id in sorted(gone.ids, key=lambda x: self._open[x].row):
            del self._home[job_id]
            todo = self._open[job_id]
            if job_id in doing:
                blamed.append(todo)
                given_up += [todo] if self._is_lost_too_often(todo) else []
            if job_id in self._unmet:
                self._unmet.remove(job_id)
                del self._open[job_id]
            elif todo not in given_up:
                self._wait(replace(todo, alone=todo.alone or job_id in doing), first=first)
        return Lost(tuple(blamed), tuple(given_up))

    def _is_lost_too_often(self, todo: Todo) -> bool:
        key = (todo.id, todo.attempt)
        self.losses[key] = self.losses.get(key, 0) + 1
        return self.losses[key] > self.rules.losses

    # ── moving a job from one place to another ───────────────────────────────────────────────
    def _put(self, batch: str, todo: Todo) -> None:
        self._open[todo.id] = todo
        self._home[todo.id] = batch
        self._live.setdefault(batch, _Batch(set(), 0)).ids.add(todo.id)

    def _drop(self, job_id: str) -> None:
        self._open.pop(job_id, None)
        self._unmet.discard(job_id)
        home = self._home.pop(job_id, None)
        if home is not None:
            self._live[home].ids.discard(job_id)

    def _wait(self, todo: Todo, *, first: bool = False) -> None:
        self._open[todo.id] = todo
        (self._first if first else self._again).append(todo)

    def _wait_again(self, job_id: str) -> None:
        todo, unmet = self._open[job_id], job_id in self._unmet
        self._drop(job_id)
        if not unmet:
            self._wait(todo)


def _pack(todo: Todo, job: Expanded) -> Packed:
    message = {
        "id": todo.id,
        "row": todo.row,
        "attempt": todo.attempt,
        "job": dict(job.description),
        "argv": None if job.argv is None else list(job.argv),
    }
    return Packed(todo, message, len(json.dumps(message)))
