"""The way to a stack's gateway, looked up anew: a container that is started again has another address."""

from __future__ import annotations

import threading
import time

from ..errors import ProviderError, Unreachable
from .http import Unanswered
from .swarm import Swarm

PORT = 8080
FRESH = 2.0
"""Seconds an address is taken for granted."""


class Gateway:
    """Called before each request, from any thread: the gateway's address (addresses.py).

    Raises http.Unanswered when there is no way there now: who asks again later may have luck, for a
    connection that broke is opened again.
    """

    def __init__(self, swarm: Swarm, service: str) -> None:
        """`service` as Docker calls it."""
        self._swarm = swarm
        self._service = service
        self._lock = threading.Lock()
        self._address = ""
        self._fresh_until = 0.0

    def __call__(self) -> str:
        with self._lock:
            if time.monotonic() >= self._fresh_until or not self._swarm.link.is_open():
                self._address = self._looked_up()
                self._fresh_until = time.monotonic() + FRESH
            return self._address

    def _looked_up(self) -> str:
        try:
            try:
                return self._look()
            except Unreachable:
                self._swarm.reopen()
                return self._look()
        except ProviderError as error:
            raise Unanswered(error.message) from error

    def _look(self) -> str:
        host = self._swarm.container_address(self._service)
        if host is None:
            raise Unanswered(f"the gateway does not run on {self._swarm.link.where} now")
        return self._swarm.link.reach(host, PORT)
