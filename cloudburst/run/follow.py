"""Stand by a running study: look at the controller, keep the parts alive, stop when asked.

Knows neither how the cluster is made (it gets something to watch) nor how progress is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Any, Protocol

from ..errors import ControllerError
from .events import OnEvent, Progress, StopSignal

LOOK_EVERY = 0.2
"""Seconds between two looks at the controller; a change of the stop signal wakes sooner."""
SILENCE = 60.0
"""Seconds the controller may be unreachable: it is started again when it died, and reads its ledger."""
SILENCE_AFAR = 1800.0
"""The same for one on other machines: networks fail, laptops sleep, and it goes on without us."""
TABLE_EVERY = 30.0
"""Seconds between two tables while running, at least; and never more than a twentieth of the time."""
ENDINGS = frozenset({"finished", "paused", "broken"})

Status = Mapping[str, Any]


class Watched(Protocol):
    def watch(self) -> None:
        """Start again what died; raises ProviderError when something keeps dying."""


class Controller(Protocol):
    def status(self) -> Status: ...

    def pause(self) -> Any: ...


def follow(
    cluster: Watched,
    controller: Controller,
    *,
    on_event: OnEvent,
    stop: StopSignal,
    write_tables: Callable[[], object],
    outlives_us: bool = False,
    pauses: Iterable[float] | None = None,
) -> Status:
    """The controller's last status: `finished`, `paused` or `broken`, or whatever it was at level 2.

    `pauses` are the seconds between two looks, without an end; None: `LOOK_EVERY`.
    One that `outlives_us` is not paused when the user wants to stop: it is let go of, at level 1.
    Raises ControllerError when it stays silent, and what `cluster.watch` raises.
    """
    tables = NowAndThen(write_tables)
    heard, asked_to_pause = time.monotonic(), outlives_us
    patience, enough = (SILENCE_AFAR, 1) if outlives_us else (SILENCE, 2)
    status: Status = {}
    for pause in pauses or repeat(LOOK_EVERY):
        cluster.watch()
        try:
            if stop.level >= 1 and not asked_to_pause:
                controller.pause()
                asked_to_pause = True
            status = controller.status()
        except ControllerError:
            if time.monotonic() - heard > patience:
                raise
        else:
            heard = time.monotonic()
            on_event(Progress(status))
            if status["state"] in ENDINGS:
                return status
            tables.perhaps()
        if stop.level >= enough:
            return status
        stop.wait(pause)
    return status


class NowAndThen:
    """Calls something, but seldom: measured by how long it took the last time."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._action = action
        self._next = time.monotonic() + TABLE_EVERY

    def perhaps(self) -> None:
        began = time.monotonic()
        if began < self._next:
            return
        self._action()
        took = time.monotonic() - began
        self._next = began + took + max(TABLE_EVERY, 20 * took)
