"""Which batches are lost: decided from what was seen of them, time after time. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LEASE = 15.0
"""Seconds a holder may be silent before its lease ends (docs/contracts.md)."""


PATIENCE = 45.0
"""Seconds a holder has to come back after the queue was away: a swarm whose manager has started anew
answers for the queue's name after half a minute only, and what a worker finished meanwhile is worth it."""


@dataclass(frozen=True)
class Sighting:
    """One look at the queue: batches that wait, that a worker has just taken, and who holds which."""

    queued: frozenset[str]
    taken: frozenset[str]
    holders: Mapping[str, str]


class Watch:
    """Remembers what looked lost. Times are seconds of a clock that only goes forward."""

    def __init__(self, lease: float = LEASE, patience: float = PATIENCE) -> None:
        self._lease = lease
        self._patience = patience
        self._quiet_until = 0.0
        self._spared: dict[str, float] = {}
        self._taken_since: dict[str, float] = {}
        self._missing: set[str] = set()
        self._strange: set[str] = set()

    def be_patient(self, now: float, held: Iterable[str] = ()) -> None:
        """The queue was away: holders could not renew their leases, so nothing is lost for a lease, and
        what was `held` not for a while longer."""
        self._quiet_until = now + self._lease
        self._taken_since.clear()
        self._missing.clear()
        self.spare(now, held)

    def spare(self, now: float, held: Iterable[str]) -> None:
        """Whoever holds one of these may need a while to say so again."""
        self._spared.update(dict.fromkeys(held, now + self._patience))

    def lost(self, live: Iterable[str], seen: Sighting, now: float) -> tuple[str, ...]:
        """Of the `live` batches those nobody has: nowhere for the second time, or taken and not held
        for longer than a lease."""
        if now < self._quiet_until:
            return ()
        live = tuple(live)
        self._spared = {batch: until for batch in live if (until := self._spared.get(batch))}
        missing: set[str] = set()
        taken: dict[str, float] = {}
        lost: list[str] = []
        for batch in live:
            if batch in seen.queued or batch in seen.holders:
                self._spared.pop(batch, None)
            elif now < self._spared.get(batch, now):
                continue
            elif batch in seen.taken:
                taken[batch] = self._taken_since.get(batch, now)
                if now - taken[batch] > self._lease:
                    lost.append(batch)
            elif batch in self._missing:
                lost.append(batch)
            else:
                missing.add(batch)
        self._missing = missing
        self._taken_since = taken
        return tuple(lost)

    def strays(self, found: Iterable[str], live: Iterable[str]) -> tuple[str, ...]:
        """Of the records `found` in the queue those of no live batch, the second time they are seen.

        The first time a worker may be about to remove them itself.
        """
        strange = set(found).difference(live)
        again = tuple(sorted(strange & self._strange))
        self._strange = strange
        return again
