"""The controller: the one program that expands a study, sends its jobs and keeps its ledger.

`python -m cloudburst.run.controller --listen ADDRESS --queue ADDRESS --home DIR --secrets DIR`

One loop does the work (`loop.py`); HTTP threads only leave commands for it and read the last status
(`api.py`), so that no slow client can hold it up.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CloudBurstError
from . import lifeline
from .api import CLIENT, Api
from .http import VIEWER, Server
from .loop import Controller, Feeder
from .secrets import API_TOKEN, FILES_TOKEN, QUEUE_PASSWORD, VIEW_TOKEN, read
from .status_page import LINKS

if TYPE_CHECKING:
    from .work import Thaw

log = logging.getLogger(__name__)

GRACE = 10.0
"""Seconds that running jobs have to end, when the program that started us is gone."""


def main(argv: Sequence[str] | None = None, *, thaw: Thaw | None = None) -> int:
    """Work until SIGTERM, or with --lifeline until standard input ends. `thaw` for plans of another make."""
    from .computation import Timing
    from .queue import Queue
    from .work import thaw_work

    wanted = _arguments().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s controller: %(message)s")
    wanted.home.mkdir(parents=True, exist_ok=True)
    try:
        password = read(wanted.secrets, QUEUE_PASSWORD)
        controller = Controller(
            wanted.home,
            lambda study: Queue.open(wanted.queue, password, study),
            thaw or thaw_work,
            Timing(),
            _feeding(wanted),
            links=wanted.links,
        )
        tokens = {CLIENT: read(wanted.secrets, API_TOKEN), VIEWER: read(wanted.secrets, VIEW_TOKEN)}
        server = Server(wanted.listen, Api(controller, tokens))
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


def _feeding(wanted: argparse.Namespace) -> Feeder | None:
    """Nothing is fed without a file store to read series from."""
    if wanted.files is None:
        return None
    from .feeding import Feeding
    from .file_store import FileStore

    return Feeding(wanted.home, wanted.secrets, FileStore(wanted.files, read(wanted.secrets, FILES_TOKEN)))


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
    parser.add_argument("--files", help="the file store, as an address: series for network sinks are there")
    parser.add_argument("--links", type=_links, default=(), help=f"pages beside ours, of {', '.join(LINKS)}")
    parser.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    parser.add_argument("--grace", type=float, default=GRACE, help="seconds for running jobs to end then")
    parser.add_argument("--stop-queue", action="store_true", help="then end the queue's server too")
    return parser


def _links(text: str) -> tuple[str, ...]:
    """`grafana,queue`. Raises ArgumentTypeError for a page there is not."""
    names = tuple(filter(None, text.split(",")))
    for name in names:
        if name not in LINKS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(LINKS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
