"""The controller: the one program that expands a study, sends its jobs and keeps its ledger.

`python -m cloudburst.run.controller --listen ADDRESS --queue ADDRESS --home DIR --secrets DIR`

One loop does the work (`computation.py`); HTTP threads only leave commands for it and read the
last status, so that no slow client can hold it up. What it computes is remembered in the home
directory: started again, it goes on by itself.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CloudBurstError, ControllerError, LedgerError, QueueError
from ..secret import Secret
from . import lifeline
from .controller_client import PAUSE, RESUME, STATUS, STUDY
from .http import Refused, Reply, Request, Server
from .ledger import Ledger
from .secrets import API_TOKEN, QUEUE_PASSWORD, read
from .study import Assignment, Study

if TYPE_CHECKING:
    from .computation import Computation, Timing
    from .queue import Queue
    from .work import Thaw, Work

log = logging.getLogger(__name__)

LARGEST_STUDY = 1 << 30
"""Bytes of a study's normal form: ten million drawn rows fit."""

GRACE = 10.0
"""Seconds that running jobs have to end, when the program that started us is gone."""

_T = TypeVar("_T")


class Controller:
    """The loop and its state. `do` and `status` may be called from any thread, the rest from one."""

    def __init__(self, home: Path, connect: Callable[[str], Queue], thaw: Thaw, timing: Timing) -> None:
        """`connect` opens the queue of the study with a name."""
        self._home = home
        self._connect = connect
        self._thaw = thaw
        self._timing = timing
        self._commands: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._study = _remembered(home)
        self._is_new = False
        self._computation: Computation | None = None
        self._open: list[Queue | Ledger] = []
        self._trouble = ""
        self._status = _idle()

    # ── from any thread ──────────────────────────────────────────────────────────────────────
    @property
    def status(self) -> dict[str, Any]:
        """As of the last turn."""
        return self._status

    def do(self, command: Callable[[], _T], timeout: float = 60.0) -> _T:
        """Have the loop do it between two turns; its result or its error. Raises TimeoutError."""
        future: Future[_T] = Future()
        self._commands.append((command, future))
        self._wake.set()
        return future.result(timeout)

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
        self._computation = None
        while self._open:
            self._open.pop().close()

    def _obey(self) -> None:
        while self._commands:
            command, future = self._commands.popleft()
            try:
                future.set_result(command())
            except Exception as error:
                future.set_exception(error)
            self._publish()

    def _turn(self) -> None:
        try:
            computation = self._ready()
            if computation is None:
                self._rest(0.5)
                return
            if self._trouble:
                computation.reconnected()
                log.info("the queue answers again")
                self._trouble = ""
            computation.turn()
        except LedgerError as error:
            self._suffer(error)
            self.close()  # what was decided since the last commit is decided anew, from the ledger
        except CloudBurstError as error:
            self._suffer(error)
        self._publish()

    def _suffer(self, error: CloudBurstError) -> None:
        if str(error) != self._trouble:
            log.error("%s", error)
        self._trouble = str(error)
        self._rest(0.5)

    def _rest(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _publish(self) -> None:
        status = self._computation.status() if self._computation else _idle(self._study is not None)
        if self._trouble:
            status["problems"] = [*status["problems"], self._trouble]
        self._status = status

    def _ready(self) -> Computation | None:
        """What is computed, begun if it is not yet; None while there is nothing to compute."""
        if self._computation is None and self._study is not None:
            self._begin(self._study, self._thaw(self._study.assignment.normal))
        return self._computation

    def _begin(self, study: Study, work: Work) -> None:
        from .computation import Computation

        queue, ledger = self._opened(study.name)
        computation = Computation(study, work, queue, ledger, self._timing)
        computation.begin(new=self._is_new)
        self._is_new = False
        self._trouble = ""
        self._computation = computation
        log.info("computing %s: %d rows", study.name, computation.status()["rows"])

    def _opened(self, name: str) -> tuple[Queue, Ledger]:
        self.close()
        ledger = Ledger.open(self._home / "ledger.sqlite", name, create=True)
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
        """Compute this from now on. What the ledger lacks of the run before is recorded first."""
        from .computation import read_all

        work = self._thaw(assignment.normal)
        name, payload = assignment.order["study"], assignment.order["payload"]
        queue, ledger = self._opened(name)
        read_all(queue, ledger)
        last = ledger.last_attempts(assignment.retry, payload)
        asked = {job: found.attempt for job, found in last.items() if found.status == "failed"}
        self._study = Study(assignment, ledger.last_line(), asked, time.time())
        self._study.save(self._home)
        self._is_new = True
        self._begin(self._study, work)

    def pause(self) -> None:
        self._working().pause("you paused it")

    def resume(self) -> None:
        self._working().resume()

    def _working(self) -> Computation:
        if self._computation is None:
            raise ControllerError("there is no study here yet")
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
    }


# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Api:
    """`/api`, as docs/contracts.md says."""

    controller: Controller
    tokens: Mapping[str, Secret]

    def answer(self, request: Request) -> Reply:
        match request.method, request.path:
            case "GET" | "HEAD", path if path == STATUS:
                return Reply(json=self.controller.status)
            case "PUT", path if path == STUDY:
                body = request.body_as_json(LARGEST_STUDY)
                return self._done(lambda: self.controller.take_on(Assignment.read(body)), HTTPStatus.ACCEPTED)
            case "POST", path if path == PAUSE:
                return self._done(self.controller.pause)
            case "POST", path if path == RESUME:
                return self._done(self.controller.resume)
        raise Refused(
            HTTPStatus.NOT_FOUND, f"PUT {STUDY}, GET {STATUS}, POST {PAUSE} and {RESUME} are understood here"
        )

    def _done(self, command: Callable[[], None], status: HTTPStatus = HTTPStatus.OK) -> Reply:
        try:
            self.controller.do(command)
        except TimeoutError:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the controller is busy; try again") from None
        except (QueueError, LedgerError) as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, error.message, hint=error.hint) from error
        except CloudBurstError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, error.message, hint=error.hint) from error
        return Reply(status, json=self.controller.status)


# ── the program ──────────────────────────────────────────────────────────────────────────────
def main(argv: Sequence[str] | None = None, *, thaw: Thaw | None = None) -> int:
    """Work until SIGTERM, or with --lifeline until standard input ends. `thaw` for plans of another make."""
    from .computation import Timing
    from .queue import Queue
    from .work import thaw_work

    wanted = _arguments().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s controller: %(message)s")
    try:
        password = read(wanted.secrets, QUEUE_PASSWORD)
        controller = Controller(
            wanted.home, lambda study: Queue.open(wanted.queue, password, study), thaw or thaw_work, Timing()
        )
        server = Server(wanted.listen, Api(controller, {"api": read(wanted.secrets, API_TOKEN)}))
    except CloudBurstError as error:
        log.error("%s", error)
        return error.exit_code
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.info("listening at %s", server.address)
    _work(controller, wanted)
    server.shutdown()
    server.server_close()
    controller.close()
    return 0


def _work(controller: Controller, wanted: argparse.Namespace) -> None:
    """The loop, and what comes after it when the line to our parent is cut."""
    cut = threading.Event()
    terminated = threading.Event()

    def terminate(*_: Any) -> None:
        terminated.set()
        controller.end()

    def let_go() -> None:
        cut.set()
        controller.end()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, terminate)
    if wanted.lifeline:
        lifeline.hold(let_go)
    controller.run()
    if cut.is_set() and not terminated.is_set():
        log.info("the program that started this one is gone")
        controller.wind_down("the command that ran this study has ended", wanted.grace, terminated)
        if wanted.stop_queue:
            controller.stop_queue()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloudburst.run.controller", description=__doc__)
    parser.add_argument("--listen", required=True, help="unix:/path or tcp:host:port")
    parser.add_argument("--queue", required=True, help="unix:/path, tcp:host:port or redis://host:port/0")
    parser.add_argument("--home", required=True, type=Path, help="where the ledger and the study are kept")
    parser.add_argument("--secrets", required=True, type=Path, help="directory of the credentials")
    parser.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    parser.add_argument("--grace", type=float, default=GRACE, help="seconds for running jobs to end then")
    parser.add_argument("--stop-queue", action="store_true", help="then end the queue's server too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
