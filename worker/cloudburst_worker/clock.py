"""This node's clock beside the queue's. A node whose clock is wrong dates its outcomes wrongly, so it computes nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import redis.asyncio

LIMIT = 20.0
"""Seconds a node's clock may be off."""


@dataclass(frozen=True)
class Clock:
    """`ahead`: seconds this clock is ahead of the queue's. `doubt`: how far that may be wrong, from the time the answer took."""

    ahead: float = 0.0
    doubt: float = 0.0

    @property
    def is_off(self) -> bool:
        """Whether it is certainly too far off."""
        return abs(self.ahead) - self.doubt > LIMIT

    def explain(self) -> str:
        """A sentence and a way out, a line each."""
        where = "ahead of" if self.ahead > 0 else "behind"
        return (
            f"the clock of this node is {abs(self.ahead):.0f} s {where} the queue's, and with more than {LIMIT:.0f} s "
            "it takes no jobs\n"
            "set it right, with `timedatectl set-ntp true` or chrony on the node: it then goes on by itself"
        )


async def look(queue: redis.asyncio.Redis) -> Clock:
    """Compares the clocks at the middle of one round trip. Raises RedisError or OSError."""
    before, began = time.time(), time.monotonic()
    seconds, microseconds = await queue.time()
    half = (time.monotonic() - began) / 2
    return Clock(before + half - (seconds + microseconds / 1e6), half)
