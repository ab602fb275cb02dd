"""What `apply` and `retry` have in common: run it, tell it, end it well, and say how it went."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any

from ..run.apply import Retry, Rows, apply
from ..run.events import StopSignal, Summary
from ..run.observe import Study
from ..run.plans import Planned
from ..run.results import Result
from ..spec.ensemble import Cluster
from .failed import failed_under
from .renting import agreed, billed_until
from .study import after_command, recorded
from .views import failures as failed_view
from .views import summary
from .views.screen import Screen
from .views.telling import telling

FINISHED_WITH_FAILURES = 4
INTERRUPTED = 130

GENTLE = "no new job is started; running ones finish. Ctrl-C again stops now."
AT_ONCE = "stopping now."
LETTING_GO = "letting go of the swarm."
"""On machines that go on by themselves; how it goes on there is the summary's to say."""
STILL_BILLED = "letting go of the machines: they go on, and are billed"
DECLINED = 1


def compute(
    screen: Screen,
    file: Path,
    study: Study,
    *,
    rows: Rows,
    retry: Retry,
    yes: bool = False,
    keep_stale: bool = False,
    planned: Planned | None = None,
) -> int:
    """The exit code. Machines are rented only once somebody agreed to the price, or with `yes`.

    `planned` is the plan file that `study` was made from, if it was.
    """
    if not agreed(screen, study, rows=rows, retry=retry, yes=yes, keep_stale=keep_stale):
        screen.note("nothing was rented")
        return DECLINED
    gentle = letting_go(study.ensemble.cluster)
    with telling(screen) as teller, stoppable(teller.say, gentle) as stop:
        ended = apply(
            study,
            rows=rows,
            retry=retry,
            on_event=teller.tell,
            stop=stop,
            keep_stale=keep_stale,
            planned=planned,
        )
    failed = _failed(study, rows) if ended.failed or ended.failed_before else []
    forms = [failed_view.failure(result) for result in failed]
    document = ended.to_json()
    screen.data({**document, "failures": forms[: summary.SHOWN]})
    file_said = after_command(file)
    document = {**document, "tables": [_from_here(study, path) for path in ended.tables]}
    billed = billed_until(study.ensemble.cluster)
    for line in summary.lines(
        document, forms, file=file_said, width=screen.width, paint=screen.paint, billed=billed
    ):
        screen.say(line)
    return exit_code(ended, bool(failed))


def letting_go(cluster: Cluster) -> str:
    """What the first Ctrl-C does."""
    if cluster.provider == "local":
        return GENTLE
    return f"{STILL_BILLED} {billed_until(cluster)}." if cluster.is_rented else LETTING_GO


def _from_here(study: Study, path: str) -> str:
    """A path of the ensemble file, as one writes it in this directory."""
    return os.path.relpath(study.places.spec.parent / path)


def _failed(study: Study, rows: Rows) -> list[Result]:
    """With the payload that was computed: where `apply` made the lock first, it is not the one we read."""
    with recorded(study) as ledger:
        if ledger is None:
            return []
        payload = study.payload.digest if study.lock_text is not None else ledger.newest_payload()
        found = failed_under(study, ledger, payload or "")
        return [result for result in found if rows is None or rows[0] <= result.job.row.index < rows[1]]


def exit_code(ended: Summary, failed: bool) -> int:
    """`failed`: whether any of the rows is a failure now, of whichever run."""
    if ended.state in ("stopped", "let go"):
        return INTERRUPTED
    if failed:
        return FINISHED_WITH_FAILURES
    return 1 if ended.state == "paused" else 0


@contextlib.contextmanager
def stoppable(say: Callable[[str], None], gentle: str = GENTLE) -> Iterator[StopSignal]:
    """Ctrl-C as a wish instead of an exception: the first is gentle, the second is not, and a third is Python's own.

    `gentle` is what is said to the first.

    A request to end (SIGTERM) or a terminal that goes away (SIGHUP) stops at once, in good order.
    A signal handler must not print; a thread beside it does.
    """
    stop = StopSignal()
    levels: SimpleQueue[int] = SimpleQueue()

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        levels.put(stop.raise_level())
        if stop.level >= 2:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def on_end(_number: int, _frame: FrameType | None) -> None:
        while stop.level < 2:
            levels.put(stop.raise_level())

    speaker = threading.Thread(target=_say_levels, args=(levels, say, gentle), daemon=True)
    speaker.start()
    with _handling({signal.SIGINT: on_interrupt, signal.SIGTERM: on_end, signal.SIGHUP: on_end}):
        try:
            yield stop
        finally:
            levels.put(0)
            speaker.join()


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
