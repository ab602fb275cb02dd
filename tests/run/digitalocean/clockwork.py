"""Time that passes only when somebody waits, and an account that is asked in it: tests wait for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cloudburst.run.digitalocean.account import Account
from cloudburst.run.digitalocean.transport import Timeouts, Transport
from cloudburst.secret import Secret
from tests.lab.imitation import HARSH, MILD, PROMPT, Fault, Imitation, Manners

HASTY = Timeouts(connect=5.0, read=0.15, whole=60.0)
"""For faults that are slow."""

FAULTS = (
    Fault("*", "*", "429", retry_after=7),
    Fault("*", "*", "503", times=3),
    Fault("*", "*", "500-after"),
    Fault("*", "*", "html"),
    Fault("*", "*", "html", status=404),
    Fault("*", "*", "html-after"),
    Fault("*", "*", "drop-before"),
    Fault("*", "*", "drop-after"),
    Fault("*", "*", "truncated"),
    Fault("*", "*", "slow", seconds=0.4),
)
"""One of each kind; `method` and `path` are put in by whoever uses them."""

MANNERS = {"prompt": PROMPT, "mild": MILD, "harsh": HARSH}


def struck(fault: Fault, method: str, path: str, page: int | None = None) -> Fault:
    """That fault, on this endpoint."""
    return replace(fault, method=method, path=path, page=page)


def named(fault: Fault) -> str:
    return f"{fault.what}-{fault.status}" if fault.what == "html" else fault.what


class Clockwork:
    """Seconds; `waits` are those that were waited. `said` is what the waiting was explained with."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []
        self.said: list[str] = []

    def now(self) -> float:
        return self.seconds

    def wall(self) -> float:
        return 1_800_000_000.0 + self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.seconds += seconds
        self.waits.append(seconds)

    def transport(self, end_point: str, token: str = "dop_v1_a_token", **more: Any) -> Transport:
        given = {"clock": self.now, "wall": self.wall, "sleep": self.sleep}
        return Transport(Secret(token), end_point=end_point, on_wait=self.said.append, **{**given, **more})


@contextmanager
def paper(
    clockwork: Clockwork, manners: Manners = MILD, fault: Fault | None = None, **more: Any
) -> Iterator[tuple[Imitation, Account]]:
    """An account of its own whose time is the clockwork's. Nothing that is said in it may go against the description.
    `fault` is the one that will be met: a slow one is not waited for long."""
    timeouts = HASTY if fault is not None and fault.what == "slow" else Timeouts()
    with Imitation(manners=manners, clock=clockwork.wall, **more) as imitation:
        transport = clockwork.transport(imitation.end_point, imitation.token, timeouts=timeouts)
        with Account(transport) as account:
            yield imitation, account
        assert imitation.violations() == []
