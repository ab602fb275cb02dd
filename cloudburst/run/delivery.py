"""Network sinks at the end of a command: await what the controller still has to send, or send it from here.

What a sink lacks and how it is sent is `feeding.py`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ControllerError
from .events import Doing, OnEvent, StopSignal, Warned
from .observe import Study
from .promised import promised_sinks

LOOK_EVERY = 0.5
"""Seconds between two looks at the controller's sinks."""

PATIENCE = 30.0
"""Seconds without any progress after which a command stops waiting: the controller goes on trying."""

AskStatus = Callable[[], Mapping[str, Any]]


def await_sinks(
    ask: AskStatus,
    on_event: OnEvent,
    stop: StopSignal,
    *,
    look_every: float = LOOK_EVERY,
    patience: float = PATIENCE,
) -> None:
    """Until every sink of a controller that outlives us holds all that is recorded, or none moves any more.

    `ask` gives the controller's status. What is missing then, and what went wrong, is said.
    """
    moved, before, said = time.monotonic(), None, False
    sinks: list[Mapping[str, Any]] = []
    while not stop.level:
        try:
            sinks = list(ask()["sinks"])
        except ControllerError:
            pass  # it may be on its way up again; patience ends this too
        else:
            standing = [(sink["points"], sink["waiting"]) for sink in sinks]
            if not any(sink["waiting"] for sink in sinks):
                break
            if standing != before:
                moved, before = time.monotonic(), standing
            if not said:
                on_event(Doing("sinks", "waiting until they have everything"))
                said = True
        if time.monotonic() - moved >= patience:
            break
        stop.wait(look_every)
    for sink in sinks:
        _tell(sink, on_event)


def _tell(sink: Mapping[str, Any], on_event: OnEvent) -> None:
    label, trouble = sink["sink"], sink["problem"]
    if sink["waiting"]:
        why = f": {trouble}" if trouble else ""
        on_event(Warned(f"{label} lacks {sink['waiting']:,} jobs{why}; the cluster goes on sending them"))
    elif trouble:
        on_event(Warned(f"{label}: {trouble}"))


def fill_sinks(study: Study, on_event: OnEvent, stop: StopSignal) -> None:
    """What network sinks lack still, sent from here: the controller that fed them has ended."""
    written = promised_sinks(study.ensemble)
    if not written or stop.level:
        return
    from .feeding import feed_all

    on_event(Doing("sinks", "sending what they lack"))
    filled = feed_all(
        study,
        written,
        stop=lambda: stop.level > 0,
        on_trouble=lambda label, trouble: on_event(Warned(f"{label}: {trouble}; trying again")),
    )
    for sink in filled:
        if sink.trouble:
            lacks = f"{sink.label} lacks {sink.waiting:,} jobs: {sink.trouble}"
            on_event(Warned(f"{lacks}; `cloudburst apply` sends them"))
        if sink.problem:
            on_event(Warned(f"{sink.label}: {sink.problem}"))
