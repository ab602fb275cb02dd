"""What is counted while outcomes are recorded, for the status page and the metrics.

Bounded, whatever the size of the study; nothing here is kept when the controller ends, the ledger is.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .brake import shape
from .results import first_line

BUCKETS = (
    *(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    *(60.0, 180.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0),
)
"""Upper bounds of the histogram of durations, seconds: three in a decade up to half a minute, then as
people count."""

ENDINGS = ("done", "error", "crash", "timeout", "memory", "lost")
"""How an attempt can end: well, or with a failure of one of the contract's kinds."""

LATEST = 10
ALIKE = 100
"""Kinds of error told apart at most."""
LONGEST_LINE = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt; `at` is when it ended, seconds since the epoch by its node's clock."""

    id: str
    row: int
    attempt: int
    kind: str
    line: str
    worker: str
    at: float


@dataclass(frozen=True, slots=True)
class Alike:
    """Failures whose first lines differ in numbers only: how many, and the latest of them.

    `at_most` says that `count` may be too large, by no more than what the rarest kept kind had.
    """

    count: int
    at_most: bool
    latest: Failure


@dataclass(frozen=True, slots=True)
class Counted:
    """The tallies at one moment. `durations` has one count per bucket and one for what is longer,
    not cumulated; `waiting` are messages in the queue; `node_seconds` the time of all nodes together."""

    endings: Mapping[str, int]
    durations: tuple[int, ...]
    seconds: float
    latest: tuple[Failure, ...]
    alike: tuple[Alike, ...]
    batches_lost: int
    waiting: int
    node_seconds: float

    @property
    def attempts(self) -> int:
        return sum(self.endings.values())

    @property
    def failures(self) -> int:
        return self.attempts - self.endings["done"]


class Tallies:
    """Written by the controller's loop, read by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._endings = dict.fromkeys(ENDINGS, 0)
        self._durations = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0
        self._latest: deque[Failure] = deque(maxlen=LATEST)
        self._alike: dict[str, Alike] = {}
        self._batches_lost = 0
        self._waiting = 0
        self._node_seconds = 0.0
        self._nodes_at: tuple[float, int] | None = None

    def note(self, outcome: Mapping[str, Any]) -> None:
        """An attempt ended and is recorded (schemas/row.schema.json)."""
        kind = "done" if outcome["status"] == "done" else str(outcome["kind"] or "error")
        with self._lock:
            self._endings[kind if kind in self._endings else "error"] += 1
            if kind != "lost":  # nobody knows how long it ran
                self._time(max(0.0, outcome["seconds"] or 0.0))
            if kind != "done":
                self._fail(_failure(outcome, kind))

    def note_lost(self, batches: int) -> None:
        with self._lock:
            self._batches_lost += batches

    def note_waiting(self, messages: int) -> None:
        with self._lock:
            self._waiting = messages

    def note_nodes(self, now: float, nodes: int) -> None:
        """So many nodes report, at a moment of a clock that only goes forward."""
        with self._lock:
            if self._nodes_at is not None:
                before, number = self._nodes_at
                self._node_seconds += (now - before) * number
            self._nodes_at = now, nodes

    def counted(self) -> Counted:
        with self._lock:
            alike = sorted(self._alike.values(), key=lambda x: (-x.count, -x.latest.at))
            return Counted(
                dict(self._endings),
                tuple(self._durations),
                self._seconds,
                tuple(reversed(self._latest)),
                tuple(alike),
                self._batches_lost,
                self._waiting,
                self._node_seconds,
            )

    def _time(self, seconds: float) -> None:
        self._durations[bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds

    def _fail(self, failure: Failure) -> None:
        """Space-Saving (Metwally, Agrawal and El Abbadi, ICDT 2005): a new kind takes the place and the
        count of the rarest, so that whatever is frequent is always among those kept."""
        self._latest.append(failure)
        key = shape(failure.line)
        known = self._alike.get(key)
        if known is None and len(self._alike) >= ALIKE:
            rarest = min(self._alike, key=lambda x: self._alike[x].count)
            known = Alike(self._alike.pop(rarest).count, True, failure)
        count, at_most = (known.count, known.at_most) if known else (0, False)
        self._alike[key] = Alike(count + 1, at_most, failure)


def _failure(outcome: Mapping[str, Any], kind: str) -> Failure:
    line = first_line(outcome["error"]) or "no message"
    return Failure(
        outcome["id"],
        outcome["row"],
        outcome["attempt"],
        kind,
        line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…",
        outcome["worker"] or "",
        (outcome["started"] or 0.0) + (outcome["seconds"] or 0.0),
    )
