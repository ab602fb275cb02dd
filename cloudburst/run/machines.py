"""Several machines' Dockers at once: a link to each, and acts done on many of them at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from ..errors import ProviderError
from .contexts import Docker
from .events import StopSignal
from .places import Places
from .providers.swarm import PATIENCE, unopened
from .swarm import Swarm

AT_A_TIME = 8
LISTEN_EVERY = 0.2
"""Seconds between two looks whether the user wants to stop."""

_T = TypeVar("_T")


class Machines:
    """By the names people have for them. Good inside its `with`; no process is left when that ends.

    Everything raises KeyboardInterrupt when the user wants to stop: what was under way is then cut off.
    """

    def __init__(self, places: Places, stop: StopSignal, *, patience: float = PATIENCE) -> None:
        self._places = places
        self._stop = stop
        self._patience = patience
        self._held = ExitStack()
        self._swarms: dict[str, Swarm] = {}
        self._away: dict[str, ProviderError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._swarms.clear()
        self._held.close()

    def __getitem__(self, name: str) -> Swarm:
        return self._swarms[name]

    def __contains__(self, name: str) -> bool:
        """Whether it was reached, and still is."""
        return name in self._swarms and self._swarms[name].link.is_open()

    def reach(self, dockers: Mapping[str, Docker]) -> dict[str, ProviderError]:
        """Open the way to each that is not open yet; why not, for those to which there is none. Who was away
        once is not waited for again."""
        for name, docker in dockers.items():
            if name not in self._swarms:
                closed = unopened(docker, self._places, patience=self._patience)
                self._swarms[name] = self._held.enter_context(closed)
        untried = [name for name in dockers if name not in self and name not in self._away]
        ended = self.attempt(untried, lambda name: self[name].link.open())
        self._away |= {name: end for name, end in ended.items() if end is not None}
        return {name: self._away[name] for name in dockers if name in self._away}

    def each(self, names: Iterable[str], act: Callable[[str], _T]) -> dict[str, _T]:
        """Do it on all of them at the same time; raises the first ProviderError, in the order of `names`,
        once all have ended."""
        done = {}
        for name, end in self.attempt(names, act).items():
            if isinstance(end, ProviderError):
                raise end
            done[name] = end
        return done

    def attempt(self, names: Iterable[str], act: Callable[[str], _T]) -> dict[str, _T | ProviderError]:
        """The same; what was raised is the answer of the machine it was raised for."""
        if self._stop.level:
            raise KeyboardInterrupt
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            ends = {name: pool.submit(_caught, act, name) for name in names}
            try:
                while wait(ends.values(), LISTEN_EVERY).not_done:
                    if self._stop.level:
                        raise KeyboardInterrupt
            except KeyboardInterrupt:
                self._cut_off(ends.values())
                raise
            return {name: end.result() for name, end in ends.items()}

    def _cut_off(self, ends: Iterable[Future[_T]]) -> None:
        """What waits for a machine ends when the link to it does."""
        waiting = [end for end in ends if not end.cancel()]
        while wait(waiting, LISTEN_EVERY).not_done:
            for swarm in self._swarms.values():
                swarm.link.close()


def _caught(act: Callable[[str], _T], name: str) -> _T | ProviderError:
    try:
        return act(name)
    except ProviderError as error:
        return error
