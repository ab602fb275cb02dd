"""Requests counted by token, in windows that slide; the clock is the account's."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable

from .answers import Refused
from .manners import Limits

MINUTE, HOUR = 60.0, 3600.0
KEYS = ("GET", "/v2/account/keys")


class Meter:
    """Not for several threads at once."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits, self._clock = limits, clock
        self._requests: defaultdict[str, deque[float]] = defaultdict(deque)
        self._key_lists: defaultdict[str, deque[float]] = defaultdict(deque)

    def count(self, token: str, method: str, template: str | None) -> None:
        """Counts one request. Raises Refused (429) with `retry-after` when it is one too many; that is not counted."""
        now, made = self._clock(), self._requests[token]
        _forget(made, now - HOUR)
        self._check(made, self._limits.hour, HOUR)
        self._check([at for at in made if at > now - MINUTE], self._limits.minute, MINUTE)
        if (method, template) == KEYS:
            lists = self._key_lists[token]
            _forget(lists, now - MINUTE)
            self._check(lists, self._limits.keys_minute, MINUTE)
            lists.append(now)
        made.append(now)

    def _check(self, made: list[float] | deque[float], most: int, window: float) -> None:
        if len(made) >= most:
            wait = max(1, int(made[0] + window - self._clock() + 0.999))
            raise Refused(
                429, "too_many_requests", "API rate limit exceeded.", headers={"retry-after": str(wait)}
            )

    def headers(self, token: str) -> dict[str, str]:
        """What every answer says of it."""
        made = self._requests[token]
        oldest = made[0] if made else self._clock()
        return {
            "ratelimit-limit": str(self._limits.hour),
            "ratelimit-remaining": str(max(0, self._limits.hour - len(made))),
            "ratelimit-reset": str(int(oldest + HOUR)),
        }


def _forget(made: deque[float], before: float) -> None:
    while made and made[0] <= before:
        made.popleft()
