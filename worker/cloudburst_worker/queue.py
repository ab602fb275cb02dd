"""The queue as a worker node sees it: one way to connect, and the names of the keys."""

from __future__ import annotations

import socket
from typing import Any

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

_PATIENCE = 600.0
_CAP = 2.0
_FLAWS: tuple[Any, ...] = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.OutOfMemoryError,
    OSError,
)
"""What passes: a restart, a network that is away, a queue whose memory is full for the moment."""


def connect(address: str, password: str | None) -> redis.Redis:
    """A client that holds on for ten minutes when the queue is away.

    redis-py's own `from_url` retries nothing, which would lose the outcome at hand.
    """
    retry = Retry(ExponentialWithJitterBackoff(cap=_CAP, base=0.05), int(_PATIENCE / _CAP), _FLAWS)
    options: dict[str, Any] = {"retry": retry, "socket_connect_timeout": 10}
    if _is_url(address):
        return redis.Redis.from_url(address, **_with_password(password), **options)
    return redis.Redis(**_place(address), password=password, **options)


def connect_async(address: str, password: str | None) -> redis.asyncio.Redis:
    """The supervisor's client: its reports are repeated anyway, so it gives up within seconds."""
    options: dict[str, Any] = {
        "retry": AsyncRetry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 3, _FLAWS),
        "socket_connect_timeout": 5,
        "socket_timeout": 5,
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
        "socket_keepalive_options": _keepalive(),
    }


def _keepalive() -> dict[int, int]:
    """A peer that vanished without a word is noticed within a minute, where the system can do that."""
    wanted = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}


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
