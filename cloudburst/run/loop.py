"""The controller's loop and its state: takes commands from any thread, does the work in one.

What it computes is remembered in the home directory: made again there, it goes on by itself. How it
is started and listens is `controller.py`'s.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..errors import CloudBurstError, ControllerError, LedgerError, QueueError
from .activity import NOTHING, Activity, Lines, is_busy
from .ledger import Ledger, Page
from .study import Assignment, Study
from .tallies import Tallies

if TYPE_CHECKING:
    from .computation import Computation, Timing
    from .queue import Queue
    from .work import Thaw, Work

log = logging.getLogger(__name__)

LEDGER = "ledger.sqlite"

_T = TypeVar("_T")


class Feeder(Protocol):
    """Sends what the ledger records to the study's network sinks, in threads of its own."""

    def take_on(self, study: Study, ledger: Path) -> None:
        """Feed the sinks of this study from now on, from where it stopped. Called from the loop, for
        every study that begins or goes on: returns at once and raises nothing."""
        ...

    def status(self, last_line: int) -> Sequence[Mapping[str, Any]]:
        """`sinks` of the status (schemas/status.schema.json), when that is the ledger's last line: what
        is recorded and was not seen yet waits. From any thread, and at once."""
        ...

    def close(self) -> None:
        """End its threads; what is not fed yet is fed the next time."""
        ...


@dataclass(frozen=True)
class Taken:
    """What became of rows from another ledger: so many attempts were `new`, and what was written are
    the lines after `after` and up to `last` of the ledger `uuid`."""

    new: int
    uuid: str
    after: int
    last: int


class Controller:
    """The loop and its state. `do` and `status` may be called from any thread, the rest from one."""

    def __init__(
        self,
        home: Path,
        connect: Callable[[str], Queue],
        thaw: Thaw,
        timing: Timing,
        feeder: Feeder | None = None,
        links: Sequence[str] = (),
    ) -> None:
        """`connect` opens the queue of the study with a name; without a `feeder` nothing is fed.
        `links`: what else can be looked at beside the status page (status_page.LINKS)."""
        self._home = home
        self._connect = connect
        self._thaw = thaw
        self._timing = timing
        self._feeder = feeder
        self._commands: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._study = _remembered(home)
        self._is_new = False
        self._computation: Computation | None = None
        self._open: list[Queue | Ledger] = []
        self._trouble = ""
        self._last: dict[str, Any] | None = None  # of the study, before it had to be let go
        self._status = _idle()
        self._activity = Activity(home)
        self.tallies = Tallies()
        self.links = tuple(links)

    # ── from any thread ──────────────────────────────────────────────────────────────────────
    @property
    def status(self) -> dict[str, Any]:
        """As of the last turn."""
        return self._status

    @property
    def study(self) -> Study | None:
        """What is computed, or was last."""
        return self._study

    def do(self, command: Callable[[], _T], timeout: float = 60.0) -> _T:
        """Have the loop do it between two turns; its result or its error. Raises TimeoutError."""
        future: Future[_T] = Future()
        self._commands.append((command, future))
        self._wake.set()
        return future.result(timeout)

    @contextmanager
    def reading(self) -> Iterator[Ledger | None]:
        """The ledger, for the caller's thread to read from; None while there is none. Raises LedgerError."""
        path = self._home / LEDGER
        if not path.exists():
            yield None
            return
        with Ledger.open(path, None) as ledger:
            yield ledger

    def end(self) -> None:
        """Let the loop end after this turn."""
        self._ending.set()
        self._wake.set()

    # ── the loop ─────────────────────────────────────────────────────────────────────────────
    def run(self) -> None:
        """Until `end`; then everything in the stream is recorded."""
        while not self._ending.is_set():
            self._obey()
            self._turn()
        self._record_the_rest()

    def wind_down(self, reason: str, grace: float, stop: threading.Event) -> None:
        """After `run`: pause, and give running jobs up to `grace` seconds to be recorded or handed
        back, less when `stop` is set."""
        deadline = time.monotonic() + grace
        try:
            if self._computation:
                self._computation.pause(reason)
        except QueueError as error:
            log.warning("%s", error)
            return
        while not stop.is_set() and time.monotonic() < deadline and self._is_held():
            self._turn()
        self._record_the_rest()

    def stop_queue(self) -> None:
        """End the queue's server too."""
        for one in self._open:
            if not isinstance(one, Ledger):
                try:
                    one.stop_server()
                except QueueError as error:
                    log.warning("%s", error)

    def close(self) -> None:
        if self._feeder:
            self._feeder.close()
        self._let_go()

    def _let_go(self) -> None:
        """Of what is computed, its queue and its ledger."""
        self._computation = None
        while self._open:
            self._open.pop().close()

    def _obey(self) -> None:
        while self._commands:
            command, future = self._commands.popleft()
            try:
                result = command()
            except Exception as error:
                self._publish()
                future.set_exception(error)
            else:
                self._publish()  # first: whoever asked looks at the status next
                future.set_result(result)

    def _turn(self) -> None:
        try:
            computation = self._ready()
            if computation is None:
                self._rest(0.5)
                return
            if self._trouble:
                computation.reconnected()
            computation.turn()
            if self._trouble:
                log.info("it goes on")
                self._trouble = ""
        except LedgerError as error:
            self._suffer(error)
            self._let_go()  # what was decided since the last commit is decided anew, from the ledger
        except CloudBurstError as error:
            self._suffer(error)
        self._publish()
        if self._computation and self._computation.is_over:
            self._rest(self._timing.wait)  # a study that is handed over now begins at once

    def _suffer(self, error: CloudBurstError) -> None:
        if str(error) != self._trouble:
            log.error("%s", error)
        self._trouble = str(error)
        self._rest(0.5)

    def _rest(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _publish(self) -> None:
        if self._computation:
            self._last = self._computation.status()
        status = dict(self._last or _idle(self._study is not None))
        if self._trouble:
            status["problems"] = [*status["problems"], self._trouble]
        status["sinks"] = self._sinks()
        self._status = status
        self._note_activity()

    def _note_activity(self) -> None:
        try:
            self._activity.note(busy=is_busy(self._status), lines=self._recorded)
        except LedgerError as error:
            log.warning("%s", error)

    def _recorded(self) -> Lines:
        with self.reading() as ledger:
            return NOTHING if ledger is None else Lines(ledger.uuid, ledger.last_line())

    def _sinks(self) -> list[dict[str, Any]]:
        if self._feeder is None:
            return []
        try:
            last = max((one.last_line() for one in self._open if isinstance(one, Ledger)), default=0)
        except LedgerError:
            last = 0
        return [dict(sink) for sink in self._feeder.status(last)]

    def _ready(self) -> Computation | None:
        """What is computed, begun if it is not yet; None while there is nothing to compute."""
        if self._computation is None and self._study is not None:
            self._begin(self._study, self._thaw(self._study.assignment.normal))
        return self._computation

    def _begin(self, study: Study, work: Work, *, same_nodes: bool = False) -> None:
        from .computation import Computation

        queue, ledger = self._opened(study.name)
        computation = Computation(study, work, queue, ledger, self._timing, self.tallies)
        computation.begin(new=self._is_new, same_nodes=same_nodes)
        self._is_new = False
        self._computation = computation
        if self._feeder:
            self._feeder.take_on(study, self._home / LEDGER)
        log.info("computing %s: %d rows", study.name, computation.status()["rows"])

    def _opened(self, name: str) -> tuple[Queue, Ledger]:
        self._let_go()
        ledger = Ledger.open(self._home / LEDGER, name, create=True)
        self._open.append(ledger)
        queue = self._connect(name)
        self._open.append(queue)
        return queue, ledger

    def _is_held(self) -> bool:
        try:
            return self._computation is not None and self._computation.is_held
        except QueueError:
            return False

    def _record_the_rest(self) -> None:
        try:
            if self._computation:
                self._computation.drain()
        except (QueueError, LedgerError) as error:
            log.warning("what is in the queue stays there: %s", error)

    # ── commands ─────────────────────────────────────────────────────────────────────────────
    def take_on(self, assignment: Assignment) -> None:
        """Compute this from now on. What is computed so already, or was, goes on as it is; else what the
        ledger lacks of the run before is recorded first."""
        from .computation import read_all

        if self._computes(assignment):
            log.info("asked again for what is computed already")
            return
        work, same_nodes = self._thaw(assignment.normal), self._has_done_with(assignment.order)
        name, payload = assignment.order["study"], assignment.order["payload"]
        queue, ledger = self._opened(name)
        read_all(queue, ledger)
        last = ledger.last_attempts(assignment.retry, payload)
        asked = {job: found.attempt for job, found in last.items() if found.status == "failed"}
        self._study = Study(assignment, ledger.last_line(), asked, time.time())
        self._study.save(self._home)
        self._is_new = True
        self._last = None
        self.tallies = Tallies()
        self._begin(self._study, work, same_nodes=same_nodes)

    def _has_done_with(self, order: Mapping[str, Any]) -> bool:
        """Whether the last study was of the same code and is over: the nodes are ready for another one of it."""
        if self._study is None or self._computation is None or self._trouble:
            return False
        return self._computation.is_over and self._study.assignment.order == order

    def _computes(self, assignment: Assignment) -> bool:
        """What stands still is begun anew instead: whoever asks for it wants it to go on."""
        if self._study is None or (self._computation and self._computation.stands_still):
            return False
        return assignment.asks_no_more_than(self._study.assignment)

    def take_rows(self, study: str, page: Page, payloads: Mapping[str, float]) -> Taken:
        """Record what another ledger of the study has; none of it is computed again."""
        with Ledger.open(self._home / LEDGER, study, create=True) as ledger:
            after = ledger.last_line()
            ledger.note_payloads(payloads)
            new = ledger.record(page.outcomes, page.losses)
            taken = Taken(new, ledger.uuid, after, ledger.last_line())
        if self._computation:
            self._computation.absorb(page.outcomes)
        return taken

    def have_fetched(self, lines: Lines) -> None:
        """A client has what was recorded up to there, with its objects. Raises ControllerError when that cannot be."""
        self._activity.have_fetched(lines, self._recorded())

    def cancel(self, *, now: bool) -> None:
        """Start no job any more, until the study is handed over again or resumed; `now`: and end those
        that run. Where there is no study there is nothing to cancel."""
        if self._study is not None:
            self._working().cancel("you cancelled it", now=now)

    def pause(self) -> None:
        self._working().pause("you paused it")

    def resume(self) -> None:
        self._working().resume()

    def _working(self) -> Computation:
        if self._computation is None:
            raise ControllerError(self._trouble or "there is no study here yet")
        return self._computation


def _remembered(home: Path) -> Study | None:
    """A memory that cannot be read is none: the next study replaces it."""
    try:
        return Study.load(home)
    except CloudBurstError as error:
        log.warning("%s", error)
        return None


def _idle(has_study: bool = False) -> dict[str, Any]:
    """The status before there is a computation: `starting` when one is remembered."""
    counts = dict.fromkeys(("rows", "jobs", "done", "failed", "to_do", "recorded", "running", "queued"), 0)
    return {
        "format": 1,
        "state": "starting" if has_study else "idle",
        "reason": "",
        **counts,
        "rate": 0.0,
        "seconds_left": None,
        "seconds": 0.0,
        "slots": {"busy": 0, "total": 0},
        "nodes": [],
        "problems": [],
        "sinks": [],
    }
