"""Ctrl-C as a wish instead of an exception, for the commands and for whoever computes from Python."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from types import FrameType
from typing import Any

from ..compile.money import spell
from ..spec.ensemble import Cluster
from .events import StopSignal

GENTLE = "no new job is started; running ones finish. Ctrl-C again stops now."
AT_ONCE = "stopping now."
LETTING_GO = "letting go of the swarm."
"""On machines that go on by themselves."""
STILL_BILLED = "letting go of the machines: they go on, and are billed"

ENDS = (signal.SIGTERM, signal.SIGHUP)
"""What a command takes for a request to end at once, in good order."""


@contextlib.contextmanager
def stoppable(
    say: Callable[[str], None],
    gentle: str = GENTLE,
    *,
    stop: StopSignal | None = None,
    ends: Sequence[signal.Signals] = ENDS,
) -> Iterator[StopSignal]:
    """The first Ctrl-C is gentle, the second is not, and a third is Python's own. `gentle` is what is said to the first.

    A request to end (SIGTERM) or a terminal that goes away (SIGHUP) stops at once, in good order, where `ends` names
    them. Outside the main thread, which alone hears of signals, nothing happens.
    A signal handler must not print; a thread beside it does.
    """
    wish = stop or StopSignal()
    levels: SimpleQueue[int] = SimpleQueue()

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        levels.put(wish.raise_level())
        if wish.level >= 2:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def on_end(_number: int, _frame: FrameType | None) -> None:
        while wish.level < 2:
            levels.put(wish.raise_level())

    speaker = threading.Thread(target=_say_levels, args=(levels, say, gentle), daemon=True)
    speaker.start()
    with _handling({signal.SIGINT: on_interrupt, **dict.fromkeys(ends, on_end)}):
        try:
            yield wish
        finally:
            levels.put(0)
            speaker.join()


def letting_go(cluster: Cluster) -> str:
    """What the first Ctrl-C does."""
    if cluster.provider == "local":
        return GENTLE
    return f"{STILL_BILLED} {billed_until(cluster)}." if cluster.is_rented else LETTING_GO


def billed_until(cluster: Cluster) -> str:
    """`until …`: what ends the bill of machines that stand; empty where nothing is rented."""
    if not cluster.is_rented:
        return ""
    ends = ["`cloudburst destroy`"]
    if cluster.reaper_token is not None:
        ends += [f"their ttl ({spell(cluster.ttl)})"] if cluster.ttl is not None else []
        ends += [f"{spell(cluster.idle_stop)} without a job"] if cluster.idle_stop is not None else []
    return f"until {' or '.join(ends)}"


def _say_levels(levels: SimpleQueue[int], say: Callable[[str], None], gentle: str) -> None:
    sentences = {1: gentle, 2: AT_ONCE}
    while level := levels.get():
        say(sentences[level])


@contextlib.contextmanager
def _handling(handlers: dict[signal.Signals, Callable[[int, FrameType | None], Any]]) -> Iterator[None]:
    """These handlers, for a while; a signal that is ignored (nohup) stays so. Only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {sign: signal.getsignal(sign) for sign in handlers}
    for sign, handler in handlers.items():
        if before[sign] is not signal.SIG_IGN:
            signal.signal(sign, handler)
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
