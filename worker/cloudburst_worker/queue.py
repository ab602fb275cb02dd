"""The queue as a worker node sees it: ways to connect, what passes by itself, and the names of the keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis import exceptions
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from . import addresses

LEASE = 15_000
"""Milliseconds a batch belongs to its worker without news of it."""

LEASE_REFRESH = 5.0

PATIENCE = 600.0
"""Seconds a worker holds on to what it has to tell while the queue is away."""

BLOCK = 5
"""Seconds of one wait for a message. A worker that vanished waits no longer than that, in the queue's
eyes, for a batch that nobody would get."""

SILENCE = 5.0
"""Seconds without an answer after which a connection counts as dead; a network that swallows packets says nothing."""

_CAP = 2.0
_GROWS = 20
"""Failures after which pauses have long reached their cap; beyond, their powers only overflow."""

_PASSING: tuple[Any, ...] = (
    exceptions.ConnectionError,  # also: the password is not known yet, data is still being loaded
    exceptions.TimeoutError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    OSError,  # also: the name does not resolve, there is no route
)
_REFUSES_TO_WRITE = "MISCONF "
"""How the server begins what it says while its disk is full; redis-py has no class for it."""

T = TypeVar("T")


def passes(error: Exception) -> bool:
    """Whether it may pass by itself: a restart, a network or a name that is away, a full memory or disk."""
    if isinstance(error, _PASSING):
        return True
    return isinstance(error, exceptions.ResponseError) and _REFUSES_TO_WRITE in str(error)


class HoldOn(Retry):
    """Sends a command again for so many seconds, whatever passes.

    Counted in seconds and not in attempts: one attempt may be refused at once or last until a
    timeout. redis-py retries to connect inside the retries of a command; both share one deadline.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(ExponentialWithJitterBackoff(cap=_CAP, base=0.05), -1, _PASSING)
        self.seconds = seconds
        self._until: float | None = None

    def call_with_retry(
        self,
        do: Callable[[], T],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> T:
        outermost = self._until is None
        if outermost:
            self._until = time.monotonic() + self.seconds
        try:
            return self._until_it_works(do, fail, is_retryable, with_failure_count)
        finally:
            if outermost:
                self._until = None

    def _until_it_works(
        self,
        do: Callable[[], T],
        fail: Callable[..., Any],
        is_retryable: Callable[[Exception], bool] | None,
        counted: bool,
    ) -> T:
        failures = 0
        while True:
            try:
                return do()
            except Exception as error:
                if not passes(error) or (is_retryable is not None and not is_retryable(error)):
                    raise
                failures += 1
                fail(error, failures) if counted else fail(error)
                pause = self._backoff.compute(min(failures, _GROWS))
                if time.monotonic() + pause > (self._until or 0.0):
                    raise
            time.sleep(pause)


def connect(
    address: str, password: str | None, *, patience: float = PATIENCE, silence: float = SILENCE
) -> redis.Redis:
    """A client that holds on for `patience` seconds when the queue is away; 0: it sends a command once.

    redis-py's own `from_url` retries nothing, which would lose what is at hand, and waits for ever
    for an answer that a cut network swallows. `silence` is the longest wait, in seconds.
    """
    options: dict[str, Any] = {
        "retry": HoldOn(patience),
        "socket_connect_timeout": SILENCE,
        "socket_timeout": silence,
    }
    if _is_url(address):
        return redis.Redis.from_url(address, **_with_password(password), **options)
    return redis.Redis(**_place(address), password=password, **options)


def connect_async(address: str, password: str | None) -> redis.asyncio.Redis:
    """The supervisor's client: its reports are repeated anyway, so it gives up within seconds."""
    options: dict[str, Any] = {
        "retry": AsyncRetry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 1, _PASSING),
        "socket_connect_timeout": SILENCE,
        "socket_timeout": SILENCE,
    }
    if _is_url(address):
        return redis.asyncio.Redis.from_url(address, **_with_password(password), **options)
    return redis.asyncio.Redis(**_place(address), password=password, **options)


def _is_url(address: str) -> bool:
    return address.startswith(("redis://", "rediss://", "unix://"))


def _with_password(password: str | None) -> dict[str, Any]:
    return {} if password is None else {"password": password}


def _place(address: str) -> dict[str, Any]:
    place = addresses.parse(address)
    if isinstance(place, addresses.Unix):
        return {"unix_socket_path": place.path}
    return {
        "host": place.host,
        "port": place.port,
        "socket_keepalive": True,
        "socket_keepalive_options": addresses.watchful(SILENCE),
    }


class Keys:
    """The names under `cloudburst:<study>:` (docs/contracts.md)."""

    def __init__(self, study: str) -> None:
        self._prefix = f"cloudburst:{study}"
        self.queue = f"cloudburst-{study}"
        self.current = f"{self._prefix}:current"
        self.outcomes = f"{self._prefix}:outcomes"
        self.revoked = f"{self._prefix}:revoked"
        self.pause = f"{self._prefix}:pause"
        self.nodes = f"{self._prefix}:nodes"

    def order(self, digest: str) -> str:
        return f"{self._prefix}:order:{digest}"

    def node(self, name: str) -> str:
        return f"{self._prefix}:node:{name}"

    def doing(self, batch: str) -> str:
        return f"{self._prefix}:doing:{batch}"

    def done(self, batch: str) -> str:
        return f"{self._prefix}:done:{batch}"

    def lease(self, batch: str) -> str:
        return f"{self._prefix}:lease:{batch}"
