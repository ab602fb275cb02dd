"""Looking on while a study is computed, here or on a swarm, until it ends or nobody computes it any more.

Changes nothing but the ledger on this machine, which gets what a swarm has computed.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ..errors import CloudBurstError, ControllerError, ProviderError
from ..run.controller_client import ControllerClient
from ..run.follow import ENDINGS
from ..run.ledger import Outcome
from ..run.observe import Study
from ..run.replica import pull
from .reach import Way, reached
from .standing import rental_standing
from .study import recorded

LOOK_EVERY = 1.0
"""Seconds between two looks."""
BRING_EVERY = 10.0
"""Seconds between two looks at the rows."""
BILL_EVERY = 60.0
"""Seconds between two looks at rented machines: the provider counts what it is asked."""
TRY_ANEW = 15.0
"""Seconds of silence after which the way there is made anew."""
FAILURES = 5
"""The latest failures that are shown."""

INTERRUPTED = 130
FINISHED_WITH_FAILURES = 4

OVER = ENDINGS | {"idle"}


@dataclass(frozen=True)
class Sight:
    """What is seen at one moment: the controller's last status, and since when (seconds) it has not
    answered, with why; `failures` are the latest, the last one first; `rental` are its rented machines, as
    `status --json` has them (None: nothing is rented, or nobody looked yet)."""

    study: str
    where: str
    status: Mapping[str, Any]
    silent: float = 0.0
    trouble: str = ""
    failures: tuple[Outcome, ...] = ()
    rental: Mapping[str, Any] | None = None


Show = Callable[[Sight], None]


def watch(study: Study, show: Show, say: Callable[[str], None], ended: threading.Event) -> bool:
    """Until it ends, nobody computes it, or `ended` is set. False when nobody did from the start.

    A swarm that cannot be reached is waited for; `say` is told so once.
    """
    watched, said, bill = False, "", Bill(study)
    while not ended.is_set():
        with reached(study) as way:
            if way.controller is None and not way.away:
                return watched
            if way.away and way.away != said:
                say(f"{way.away}; trying again until Ctrl-C")
            said = way.away
            if way.controller:
                watched = True
                if _Look(study, way, way.controller, show, bill).until(ended):
                    return True
        ended.wait(LOOK_EVERY)
    return watched


class Bill:
    """How rented machines stand, looked at beside the display: an answer may take a while."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._seen: Mapping[str, Any] | None = None
        self._next = 0.0
        self._looking: threading.Thread | None = None

    def latest(self) -> Mapping[str, Any] | None:
        """What was seen last; begins another look when one is due."""
        due = time.monotonic() >= self._next and not (self._looking and self._looking.is_alive())
        if due and self._study.ensemble.cluster.is_rented:
            self._next = time.monotonic() + BILL_EVERY
            self._looking = threading.Thread(target=self._look, daemon=True)
            self._looking.start()
        return self._seen

    def _look(self) -> None:
        with suppress(CloudBurstError):  # the next time, then
            self._seen = rental_standing(self._study)


class _Look:
    """At one controller, for as long as it answers now and then."""

    def __init__(self, study: Study, way: Way, controller: ControllerClient, show: Show, bill: Bill) -> None:
        self._study = study
        self._way = way
        self._controller = controller
        self._show = show
        self._bill = bill
        self._status: Mapping[str, Any] | None = None
        self._heard = time.monotonic()
        self._failures: tuple[Outcome, ...] = ()
        self._next_failures = 0.0

    def until(self, ended: threading.Event) -> bool:
        """True when the run is over, False when the controller answers no more."""
        with _bringing(self._study, self._way):
            while not ended.is_set():
                trouble = self._look()
                if self._status:
                    self._show(self._sight(trouble))
                    if not trouble and self._status["state"] in OVER:
                        return True
                if trouble and (not self._way.where or self._silent > TRY_ANEW):
                    return False
                ended.wait(LOOK_EVERY)
        return False

    def _look(self) -> str:
        try:
            self._status = self._controller.status()
        except (ControllerError, ProviderError) as error:
            return error.message
        self._heard = time.monotonic()
        return ""

    @property
    def _silent(self) -> float:
        return time.monotonic() - self._heard

    def _sight(self, trouble: str) -> Sight:
        assert self._status is not None  # noqa: S101 - for the type checker
        return Sight(
            self._study.ensemble.name,
            self._way.where,
            self._status,
            self._silent if trouble else 0.0,
            trouble,
            self._latest(self._status),
            self._bill.latest(),
        )

    def _latest(self, status: Mapping[str, Any]) -> tuple[Outcome, ...]:
        now = time.monotonic()
        if status["failed"] and now >= self._next_failures:
            self._next_failures = now + 2 * LOOK_EVERY
            with suppress(CloudBurstError), recorded(self._study) as ledger:
                payload = self._study.payload.digest
                self._failures = tuple(ledger.latest_failures(payload, FAILURES)) if ledger else ()
        return self._failures


@contextmanager
def _bringing(study: Study, way: Way) -> Iterator[None]:
    """Meanwhile, beside the display, what a swarm has recorded is recorded here. Of a whole page or none."""
    if not way.where or way.controller is None:
        yield
        return
    over, controller = threading.Event(), way.controller

    def bring() -> None:
        while not over.is_set():
            with suppress(CloudBurstError):  # the next time, then
                pull(study, controller)
            over.wait(BRING_EVERY)

    threading.Thread(target=bring, daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def until_ctrl_c() -> Iterator[threading.Event]:
    """Set by Ctrl-C or a request to end: a way for this command to end like any other."""
    ended = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield ended
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code(document: Mapping[str, Any] | None) -> int:
    """`document` is how the study stands at the end (standing.py); None when the user ended the watching."""
    if document is None:
        return INTERRUPTED
    run = document["run"]
    if run and run["state"] in {"paused", "pausing", "broken"}:
        return 1
    return FINISHED_WITH_FAILURES if document["counts"]["failed"] else 0
