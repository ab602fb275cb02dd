"""How many requests a minute: DigitalOcean counts them, and so do we, before it has to refuse any."""

from __future__ import annotations

import threading
from collections import deque

MINUTE = 60.0
"""Seconds."""
A_MINUTE = 240
"""Requests of all kinds; DigitalOcean takes 250, and other programs may use the account."""
KEY_LISTS_A_MINUTE = 9
"""It takes 10 requests for the list of ssh keys."""


class Pace:
    """At most `limit` within any `span` seconds. Several threads may ask."""

    def __init__(self, limit: int, span: float = MINUTE) -> None:
        self._span = span
        self._at: deque[float] = deque(maxlen=limit)
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """0.0: go, and it is counted. Else the seconds to wait before asking again; nothing is counted."""
        with self._lock:
            if len(self._at) == self._at.maxlen and now < self._at[0] + self._span:
                return self._at[0] + self._span - now
            self._at.append(now)
            return 0.0
