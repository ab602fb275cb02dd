"""How much is sent at a time: pure arithmetic on durations, slots and bytes. Decides, does nothing."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

BATCH_JOBS = 1000
BATCH_BYTES = 256 * 1024
"""A job whose message alone is larger travels alone."""

BATCH_SECONDS = 1.0
"""Work in a batch, at least. A message costs 10 ms and 20 round trips, so this makes it 1 %."""
BATCHES_PER_SECOND = 300
"""More messages than that, over all slots, are too many for one queue."""

AHEAD_SECONDS = 30.0
"""Work on its way for every slot: enough for the controller to be away and come back."""
AHEAD_PER_SLOT = 2
"""Messages waiting for every slot, whatever the durations."""
AHEAD_BYTES = 32_000_000
AHEAD_MESSAGES = 1000


class Pace:
    """The mean duration of a job, in seconds, the last hundred counting most; None before the first."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._count = 0

    @property
    def mean(self) -> float | None:
        return self._mean

    def note(self, seconds: float) -> None:
        self._count = min(self._count + 1, 100)
        before = self._mean or 0.0
        self._mean = before + (max(seconds, 0.0) - before) / self._count


def batch_jobs(mean: float | None, slots: int, remaining: int) -> int:
    """Jobs in the next batch. `remaining` jobs are not sent yet, this batch included.

    One while no duration is known, and shrinking to one towards the end, so that all slots end
    together (guided self-scheduling: Polychronopoulos and Kuck, IEEE Trans. Computers 36, 1987).
    """
    if mean is None:
        return 1
    wanted = max(BATCH_SECONDS, slots / BATCHES_PER_SECOND) / max(mean, 1e-9)
    fair = math.ceil(remaining / (2 * slots))
    return max(1, min(int(wanted), fair, BATCH_JOBS))


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is on its way: `messages` wait in the queue; `jobs` and `size` (bytes) are those sent and
    not ended, the running ones included."""

    messages: int
    jobs: int
    size: int


def wants_more(ahead: Ahead, mean: float | None, slots: int, *, hurry: bool = False) -> bool:
    """Whether another batch should be sent now. One in a `hurry` goes before those that wait, which are
    no reason to hold it back."""
    least = AHEAD_PER_SLOT * slots
    if ahead.size >= AHEAD_BYTES or ahead.messages >= max(AHEAD_MESSAGES, least):
        return False
    if hurry or ahead.messages < least:
        return True
    return mean is not None and ahead.jobs * mean < AHEAD_SECONDS * slots


class Rate:
    """Completions per second over a moving window."""

    def __init__(self, window: float = 30.0) -> None:
        self._window = window
        self._ends: deque[tuple[float, int]] = deque()
        self._sum = 0

    def note(self, now: float, count: int) -> None:
        self._ends.append((now, count))
        self._sum += count
        self._forget(now)

    def per_second(self, now: float) -> float:
        """0 until there is something to measure; falls when nothing ends any more."""
        self._forget(now)
        if len(self._ends) < 2:
            return 0.0
        # The first entry opens the window: what it counts ended before it.
        since, first = self._ends[0]
        return (self._sum - first) / max(now - since, 1e-3)

    def _forget(self, now: float) -> None:
        while self._ends and now - self._ends[0][0] > self._window:
            self._sum -= self._ends.popleft()[1]
