"""Make it so: lock, start the cluster, hand over what is to be computed, follow, write the results.

Decides nothing about rows (that is the plan's and the controller's) and prints nothing: what
happens is told through events. Where the cluster is, and whether it outlives the command, is the
cluster's to know.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..compile.plan import Counts
from ..errors import ControllerError, FileStoreError, LockingFailed, Unreachable
from ..spec.ensemble import FilesSink, InfluxSink, TableSink
from . import replica, run_lock
from .clusters import Cluster, Endpoints, make_cluster
from .controller_client import ControllerClient
from .delivery import await_sinks, fill_sinks
from .events import Doing, Ending, Note, OnEvent, StopSignal, Summary, Warned
from .file_store import FileStore
from .follow import Status, follow
from .handing_over import controller_of, files_of, raise_if_broken, upload
from .ledger import Ledger
from .leftovers import sweep
from .objects import send_objects
from .observe import Study, with_lock
from .outputs import write_outputs
from .ownership import check_ownership, take_ownership
from .places import prepare
from .planning import count_rows, counted_plan
from .plans import Planned, keep_plan
from .promised import promised_sinks, promised_variables
from .results import rows_of
from .safekeeping import make_safe
from .sending import needed_files
from .study import Runs

Rows = tuple[int, int] | None
Retry = Literal["all"] | tuple[str, ...] | None

AT_WORK = frozenset({"starting", "running", "pausing"})
"""States of a controller that has something to compute."""


ROWS_WITHIN = 60.0
"""Seconds to bring the last rows home: their controller may just be on its way up again."""


@dataclass(frozen=True)
class Computed:
    """What came of the cluster. `counts` are of before it; `again` are failed jobs that were tried anew;
    `status` is the controller's last, None when there was nothing to do; `files` is where objects of the
    results are that this machine lacks."""

    counts: Counts
    again: tuple[str, ...]
    status: Status | None = None
    let_go: bool = False
    files: FileStore | None = None


@dataclass(frozen=True)
class _Asked:
    """What of the study is to be computed; as `apply` takes it."""

    rows: Rows
    retry: Retry
    keep_stale: bool
    planned: Planned | None


def apply(
    study: Study,
    *,
    rows: Rows,
    retry: Retry,
    on_event: OnEvent,
    stop: StopSignal,
    keep_stale: bool = False,
    planned: Planned | None = None,
) -> Summary:
    """Compute what is not computed yet, and bring the results up to date.

    `rows` restricts it to a half-open range of rows; `retry` names failed jobs to compute again; with `keep_stale`
    results of other worker code stay. `planned` is the plan file that `study` was made from, if it was. What is
    applied is kept among the study's plans.
    Raises StudyBusy, LockingFailed, QueueError, ProviderError and their kin; jobs that fail are no
    exception but a count in the Summary. Whatever is raised, no process is left running here. A study on
    a cluster that outlives the command goes on when `stop` says so: then the Summary says `let go`.
    """
    began, asked = time.monotonic(), _Asked(rows, retry, keep_stale, planned)
    promised_variables(study.ensemble)
    promised_sinks(study.ensemble)
    check_ownership(study.places)
    prepare(study.places)
    with run_lock.hold(study.places.lock, study=study.ensemble.name) as lock:
        take_ownership(study.places)
        sweep(_written_in(study))
        study = locked(study, on_event, stop)
        cluster = make_cluster(study, lock, on_event, stop)
        tables: tuple[str, ...] | None = None
        try:
            computed = _bring_up_to_date(study, cluster, asked, on_event, stop)
            if computed.files is not None:
                tables = write_outputs(study, tables_only=computed.let_go, files=computed.files)
        except KeyboardInterrupt:
            if cluster.outlives_us:
                on_event(
                    Note(
                        "what stands there stays: `cloudburst apply` goes on, `cloudburst destroy` removes it"
                    )
                )
            raise
        finally:
            cluster.stop(now=stop.level >= 2)
        raise_if_broken(computed.status)
        if tables is None:
            tables = write_outputs(study)
        if not cluster.outlives_us:
            fill_sinks(study, on_event, stop)
    return _summary(computed, tables, stop, time.monotonic() - began)


def _written_in(study: Study) -> Iterator[Path]:
    """The directories that a command for this study writes in."""
    place, base = study.places, study.places.spec.parent
    yield from (place.root, place.plans, base)
    for sink in study.ensemble.results:
        if isinstance(sink, TableSink):
            yield (base / sink.file).resolve().parent
        elif isinstance(sink, FilesSink):
            yield base / sink.directory


def _bring_up_to_date(
    study: Study, cluster: Cluster, asked: _Asked, on_event: OnEvent, stop: StopSignal
) -> Computed:
    """A cluster that stands knows more than this machine: it is asked before anything is counted, and
    kept as the study now wants it. One that does not is started only for something to do."""
    endpoints = None
    if _stands(study, cluster, asked, on_event):
        endpoints = cluster.start()
        replica.pull(study, controller_of(endpoints))
    plan, again = counted_plan(study, asked.rows, keep_stale=asked.keep_stale), _again(study, asked.retry)
    counts = plan.counted
    keep_plan(study, plan, time.time(), planned=asked.planned)
    if not _is_work(counts, again):
        if endpoints is not None:
            _tell_of_sinks(study, endpoints, asked, on_event, stop)
            _make_safe(study, endpoints, on_event)
        return Computed(counts, again, files=files_of(endpoints) if endpoints else None)
    endpoints = endpoints or cluster.start()
    runs = (asked.rows,) if asked.rows else None
    status = compute(study, cluster, endpoints, runs, again, on_event, stop, keep_stale=asked.keep_stale)
    if not cluster.outlives_us:
        return Computed(counts, again, status)
    if not stop.level:
        _make_safe(study, endpoints, on_event)
    return Computed(counts, again, status, bool(stop.level), files_of(endpoints))


def _stands(study: Study, cluster: Cluster, asked: _Asked, on_event: OnEvent) -> bool:
    """Machines that are away are no reason to fail where nothing is left for them to do."""
    try:
        return cluster.stands()
    except Unreachable as error:
        counts = count_rows(study, asked.rows, keep_stale=asked.keep_stale)
        if _is_work(counts, _again(study, asked.retry)):
            raise
        on_event(Warned(f"{error.message}; this is what this machine has"))
        return False


def _is_work(counts: Counts, again: tuple[str, ...]) -> bool:
    return counts.to_do + counts.stale + len(again) > 0


def locked(study: Study, on_event: OnEvent, stop: StopSignal) -> Study:
    """With a lock that fits. Ctrl-C reaches uv as well as us: what it says of that is no news, and nothing is begun after it."""
    try:
        study = with_lock(study, on_event)
    except LockingFailed:
        if stop.level:
            raise KeyboardInterrupt from None
        raise
    if stop.level:
        raise KeyboardInterrupt
    return study


def _again(study: Study, retry: Retry) -> tuple[str, ...]:
    """The ids to compute again: only jobs whose last attempt with today's payload failed."""
    if retry is None or not study.places.ledger.exists():
        return ()
    with Ledger.open(study.places.ledger, study.ensemble.name) as ledger:
        failed = list(ledger.failed_rows(study.payload.digest))
    if retry == "all":  # of the study: points that a program asked for are not
        return tuple(study.jobs[row].id for row in rows_of(study.jobs, failed))
    named = frozenset(retry)
    return tuple(job_id for job_id, _ in failed if job_id in named)


def compute(
    study: Study,
    cluster: Cluster,
    endpoints: Endpoints,
    rows: Runs | None,
    again: tuple[str, ...],
    on_event: OnEvent,
    stop: StopSignal,
    *,
    keep_stale: bool = False,
    with_tables: bool = True,
) -> Status:
    """Hand it over and stand by: the controller's last status. What it recorded until then is on this machine.

    `rows` are runs of rows (None: all), `again` failed jobs to be tried anew; with `keep_stale` results of other
    worker code stay. `with_tables`: they are written now and then meanwhile.
    """
    controller = controller_of(endpoints)
    if cluster.outlives_us:
        if controller.status()["state"] in AT_WORK:
            on_event(Note("the study is being computed already; this command joins in"))
        if replica.push(study, controller):
            send_objects(study, files_of(endpoints))
    needed = needed_files(study, rows, again, keep_stale=keep_stale)
    upload(study, files_of(endpoints), needed, on_event)
    if cluster.outlives_us and stop.level:
        raise KeyboardInterrupt
    controller.put_study(study.frozen, study.order, rows=rows, retry=again or None, keep_stale=keep_stale)
    status = follow(
        cluster,
        controller,
        on_event=on_event,
        stop=stop,
        write_tables=lambda: _write_so_far(study, cluster, controller) if with_tables else None,
        outlives_us=cluster.outlives_us,
    )
    if cluster.outlives_us:
        _bring_home(study, controller, patiently=not stop.level)
        await_sinks(controller.status, on_event, stop)
    return status


def _tell_of_sinks(
    study: Study, endpoints: Endpoints, asked: _Asked, on_event: OnEvent, stop: StopSignal
) -> None:
    """A network sink that is new in the file is filled by the controller, once it knows of it."""
    if any(isinstance(sink, InfluxSink) for sink in study.ensemble.results):
        controller = controller_of(endpoints)
        runs = (asked.rows,) if asked.rows else None
        controller.put_study(study.frozen, study.order, rows=runs, keep_stale=asked.keep_stale)
        await_sinks(controller.status, on_event, stop)


def _write_so_far(study: Study, cluster: Cluster, controller: ControllerClient) -> None:
    """Rows that cannot be had now come later."""
    if cluster.outlives_us:
        with contextlib.suppress(ControllerError):
            replica.pull(study, controller)
    write_outputs(study, tables_only=True)


def _bring_home(study: Study, controller: ControllerClient, *, patiently: bool) -> None:
    """The rest of the rows. Raises ControllerError, unless the user is leaving: then what is missing comes
    with the next command."""
    deadline = time.monotonic() + (ROWS_WITHIN if patiently else 0.0)
    while True:
        try:
            replica.pull(study, controller)
            break
        except ControllerError:
            if not patiently:
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)


def _make_safe(study: Study, endpoints: Endpoints, on_event: OnEvent) -> None:
    """Of rented machines everything comes home, and they are told so: results that are only there keep them from
    being given back. What cannot be had now stays there, and is kept for it."""
    if not study.ensemble.cluster.is_rented:
        return
    on_event(Doing("results", "fetching series and files"))
    try:
        missing = make_safe(study, controller_of(endpoints), files_of(endpoints))
    except (ControllerError, FileStoreError) as error:
        on_event(
            Warned(f"not all results are here yet: {error.message}; `cloudburst apply` fetches the rest")
        )
        return
    if missing:
        on_event(Warned(f"{missing} series or files are not in the file store any more"))


def _summary(computed: Computed, tables: tuple[str, ...], stop: StopSignal, seconds: float) -> Summary:
    counts, status = computed.counts, computed.status or {}
    return Summary(
        rows=counts.rows,
        jobs=counts.jobs,
        done=int(status.get("done", 0)),
        failed=int(status.get("failed", 0)),
        recorded=counts.done + counts.kept,
        failed_before=max(0, counts.failed - len(computed.again)),
        to_do=int(status.get("to_do", 0)),
        seconds=seconds,
        tables=tables,
        state=_ending(computed, stop),
        reason=str(status.get("reason", "")),
    )


def _ending(computed: Computed, stop: StopSignal) -> Ending:
    if computed.status is None:
        return "nothing to do"
    if computed.let_go:
        return "let go"
    if stop.level:
        return "stopped"
    return "paused" if computed.status["state"] == "paused" else "finished"
