"""A queue's server and the nodes behind it, modelled: events on a heap, on a clock that the controller's own CPU time drives.

The controller that uses them is the real one. What a real server or worker costs is in the constants;
each says where it is from.
"""

from __future__ import annotations

import heapq
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cloudburst.run.queue import Entry
from cloudburst.run.recovery import Sighting

ROUND_TRIP = 0.0003
"""Seconds over a data centre's network."""
TRANSACTION = 25e-6
"""Seconds of the server's one thread for the end of a job: the commands of docs/contracts.md, over TCP
(16 µs measured over a unix socket)."""
MESSAGE = 150e-6
"""Seconds of the server for the life of one message: 20 round trips (4 µs measured over a unix socket)."""
TAKING = 0.016
"""Seconds from an RQ worker's readiness to the first job of its batch: 10 ms of its own, 20 round trips."""
RUNNER = 0.0003
"""Seconds between two jobs in a runner."""
COMMIT = 0.004
"""Seconds a disk takes to keep a commit."""
SENDING = 80e-6
"""Seconds of the controller in RQ and redis-py for one message sent (measured)."""
READING = 1e-6
"""Seconds of the controller in redis-py for one entry read (measured)."""
SPARE = 2
"""RQ workers of a node beyond its slots."""
SOON = 0.5
"""A spare one takes a message when a slot falls free within so many seconds (cloudburst_worker.desk)."""
RECORD = 1200
"""Bytes that Redis needs for a message beyond its jobs: RQ's hash and the list's entry (an estimate)."""


class Clock:
    """Stands in for the module `time`: goes on with this process's CPU time, except inside `stopped`."""

    def __init__(self) -> None:
        self._base = 1e6
        self._mark = time.process_time()
        self.cpu = 0.0

    def monotonic(self) -> float:
        return self._base + time.process_time() - self._mark

    time = monotonic

    def sleep(self, seconds: float) -> None:
        self._base += seconds

    @contextmanager
    def stopped(self) -> Iterator[float]:
        """What happens in here is the model's work, not the controller's; the moment it happens at."""
        spent = time.process_time() - self._mark
        self._base += spent
        self.cpu += spent
        try:
            yield self._base
        finally:
            self._mark = time.process_time()

    def forward(self, to: float) -> None:
        """Inside `stopped`."""
        self._base = max(self._base, to)


@dataclass
class Measured:
    """What is looked at afterwards. `ends` are (moment, seconds of work) of every job."""

    ends: list[tuple[float, float]] = field(default_factory=list)
    batches: int = 0
    messages: int = 0
    memory: int = 0
    backlog: int = 0
    server: float = 0.0


@dataclass
class _Batch:
    name: str
    jobs: Sequence[Mapping[str, Any]]
    size: int


class World:
    """The server and the nodes. `seconds(row)` is how long a job works."""

    def __init__(self, nodes: int, slots: int, seconds: Callable[[int], float], payload: str) -> None:
        self.measured = Measured()
        self.waiting: deque[_Batch] = deque()
        self.held: dict[str, int] = {}
        self.stream: deque[tuple[float, str]] = deque()
        self._seconds = seconds
        self._payload = payload
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0
        self._server_free = 0.0
        self._bytes = 0
        self.nodes = [_Node(self, number, slots) for number in range(nodes)]
        self.hungry: deque[_Node] = deque()
        for node in self.nodes:
            for _ in range(slots):
                node.wish(0.0)

    # ── events ───────────────────────────────────────────────────────────────────────────────
    def at(self, moment: float, event: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (moment, self._count, event))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            moment, _, event = heapq.heappop(self._events)
            event(moment)

    def next_entry(self, until: float) -> float:
        """Go on until there is something in the stream, or until then; the moment."""
        while not self.stream and self._events and self._events[0][0] <= until:
            moment, _, event = heapq.heappop(self._events)
            event(moment)
        return self.stream[0][0] if self.stream else until

    # ── the server ───────────────────────────────────────────────────────────────────────────
    def serve(self, now: float, seconds: float) -> float:
        """One thread: whoever comes while it works waits. When it is done."""
        self._server_free = max(self._server_free, now) + seconds
        self.measured.server += seconds
        return self._server_free

    def add(
        self, now: float, batches: Sequence[Mapping[str, Any]], first: Sequence[Mapping[str, Any]]
    ) -> None:
        self.waiting.extendleft(map(self._arrived, reversed(first)))
        self.waiting.extend(map(self._arrived, batches))
        self._note_size()
        while self.waiting and self.hungry:
            self.hungry.popleft().take(now)

    def _arrived(self, batch: Mapping[str, Any]) -> _Batch:
        size = len(json.dumps(batch)) + RECORD
        self._bytes += size
        self.measured.batches += 1
        return _Batch(batch["batch"], batch["jobs"], size)

    def pop(self) -> _Batch | None:
        return self.waiting.popleft() if self.waiting else None

    def forget(self, batch: _Batch) -> None:
        """Its record goes when it is over."""
        self._bytes -= batch.size
        del self.held[batch.name]

    def put(self, moment: float, entry: Mapping[str, Any]) -> None:
        text = json.dumps(entry)
        self._bytes += len(text)
        self.stream.append((moment, text))

    def trim(self, entries: int) -> None:
        self._note_size()
        for _ in range(entries):
            self._bytes -= len(self.stream.popleft()[1])

    def _note_size(self) -> None:
        found = self.measured
        found.memory = max(found.memory, self._bytes)
        found.messages = max(found.messages, len(self.waiting))
        found.backlog = max(found.backlog, len(self.stream))

    def outcome(self, job: Mapping[str, Any], moment: float, seconds: float, node: int) -> dict[str, Any]:
        return {
            "format": 1,
            "id": job["id"],
            "row": job["row"],
            "attempt": job["attempt"],
            "payload": self._payload,
            "status": "done",
            "kind": None,
            "error": None,
            "output": "",
            "result": {"lowest_pressure": 11.2134, "value": 3.0, "text": "something"},
            "series": None,
            "files": {},
            "started": moment - seconds,
            "seconds": seconds,
            "worker": f"node-{node}/0",
        }

    def seconds(self, row: int) -> float:
        return self._seconds(row)


class _Node:
    """Slots, and RQ workers that take a message while a slot is free or about to be."""

    def __init__(self, world: World, number: int, slots: int) -> None:
        self._world = world
        self._number = number
        self.slots = slots
        self.busy = 0
        self._ready: deque[_Batch] = deque()
        self._taking = 0
        self._wishes = 0

    def wish(self, now: float) -> None:
        """A slot is free, or soon."""
        self._wishes += 1
        self._perhaps_take(now)

    def _perhaps_take(self, now: float) -> None:
        workers = self.slots + SPARE - self.busy - self._taking - len(self._ready)
        if self._wishes and workers > 0:
            self._wishes -= 1
            self._taking += 1
            self.take(now)

    def take(self, now: float) -> None:
        world = self._world
        batch = world.pop()
        if batch is None:
            world.hungry.append(self)
            return
        world.held[batch.name] = self._number
        done = world.serve(now, MESSAGE)
        world.at(max(now + TAKING, done), lambda moment: self._taken(moment, batch))

    def _taken(self, now: float, batch: _Batch) -> None:
        self._taking -= 1
        self._ready.append(batch)
        self._begin(now)

    def _begin(self, now: float) -> None:
        while self._ready and self.busy < self.slots:
            self.busy += 1
            self._work(now, self._ready.popleft(), 0)

    def _work(self, now: float, batch: _Batch, position: int) -> None:
        world = self._world
        job = batch.jobs[position]
        seconds = world.seconds(job["row"])
        left = len(batch.jobs) - position - 1
        if left == 0:
            world.at(max(now, now + seconds - SOON), self.wish)
        world.at(now + seconds, lambda moment: self._worked(moment, batch, position, job, seconds))

    def _worked(
        self, now: float, batch: _Batch, position: int, job: Mapping[str, Any], seconds: float
    ) -> None:
        world = self._world
        world.measured.ends.append((now, seconds))
        kept = world.serve(now, TRANSACTION)
        outcome = world.outcome(job, now, seconds, self._number)
        world.put(kept, {"type": "outcome", "batch": batch.name, "outcome": outcome})
        after = max(kept, now) + ROUND_TRIP + RUNNER
        if position + 1 < len(batch.jobs):
            world.at(after, lambda moment: self._work(moment, batch, position + 1))
        else:
            world.put(kept, {"type": "finished", "batch": batch.name, "seconds": 1.0})
            world.at(after, lambda moment: self._over(moment, batch))

    def _over(self, now: float, batch: _Batch) -> None:
        self._world.forget(batch)
        self.busy -= 1
        self._begin(now)
        self._perhaps_take(now)


class ModelledQueue:
    """What `cloudburst.run.queue.Queue` is to a computation, in front of the modelled world."""

    def __init__(self, clock: Clock, world: World) -> None:
        self._clock = clock
        self._world = world
        self._read = 0

    @contextmanager
    def _asking(self) -> Iterator[World]:
        """One round trip, and everything that happens elsewhere in the meantime."""
        with self._clock.stopped() as now:
            self._clock.forward(now + ROUND_TRIP)
            self._world.run(now + ROUND_TRIP)
            yield self._world

    def read(self, after: str, *, wait: float = 0.0, at_most: int = 500) -> list[Entry]:  # noqa: ARG002
        with self._asking() as world:
            now = self._clock.monotonic()
            if not world.stream and wait:
                self._clock.forward(world.next_entry(now + wait))
            now = self._clock.monotonic()
            texts = [text for moment, text in _first(world.stream, at_most) if moment <= now]
            self._read = len(texts)
            self._clock.forward(now + READING * len(texts) + (COMMIT if texts else 0.0))
        return [Entry("1-1", json.loads(text)) for text in texts]

    def trim(self, through: str) -> None:  # noqa: ARG002
        with self._asking() as world:
            world.trim(self._read)

    def depth(self) -> int:
        with self._asking() as world:
            return len(world.waiting)

    def enqueue(
        self, batches: Sequence[Mapping[str, Any]], *, first: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        if batches or first:
            json.dumps([*first, *batches])
            with self._asking() as world:
                self._clock.forward(self._clock.monotonic() + SENDING * (len(batches) + len(first)))
                world.add(self._clock.monotonic(), batches, first)

    def look(self, batches: Sequence[str]) -> Sighting:
        with self._asking() as world:
            waiting = frozenset(one.name for one in world.waiting)
            held = dict(world.held)
        return Sighting(waiting, frozenset(), {one: f"node-{held[one]}/0" for one in batches if one in held})

    def nodes(self) -> list[Mapping[str, Any]]:
        with self._asking() as world:
            texts = [
                json.dumps(
                    {"node": f"node-{i}", "state": "ready", "detail": "", "slots": x.slots, "busy": x.busy}
                )
                for i, x in enumerate(world.nodes)
            ]
        return [json.loads(text) for text in texts]

    def clear(self, batches: Sequence[str]) -> None:
        if batches:
            with self._asking():
                pass

    def run_id(self) -> str:
        return "the same"

    def doing(self, batches: Sequence[str]) -> dict[str, frozenset[str]]:
        return dict.fromkeys(batches, frozenset())

    def disk_problem(self) -> str:
        return ""

    def announce(self, order: Mapping[str, Any]) -> str:  # noqa: ARG002
        return ""

    def take_back(self) -> tuple[str, ...]:
        return ()

    def waiting(self) -> tuple[str, ...]:
        return ()

    def records(self) -> frozenset[str]:
        return frozenset()

    held = records

    def messages(self, batches: object) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def nothing(self, *_: object) -> None:
        return None

    resume = forget_nodes = pause_reason = revoke = forget = mark_done = nothing


def _first(entries: deque[tuple[float, str]], at_most: int) -> list[tuple[float, str]]:
    return [entries[i] for i in range(min(at_most, len(entries)))]
