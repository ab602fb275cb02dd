"""Make it so: lock, start the cluster, hand over what is to be computed, follow, write the results.

Decides nothing about rows (that is the plan's and the controller's) and prints nothing: what
happens is told through events.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from ..compile.plan import Counts
from ..errors import LockingFailed, ProviderError
from ..secret import Secret
from . import run_lock, secrets
from .controller_client import ControllerClient
from .events import Doing, OnEvent, StopSignal, Summary
from .file_store import PAYLOAD, FileStore
from .follow import follow
from .ledger import Ledger
from .observe import Study, count_rows, with_lock
from .outputs import write_outputs
from .ownership import check_ownership, take_ownership
from .places import prepare
from .promised import promised_variables
from .providers.local import LocalCluster

Rows = tuple[int, int] | None
Retry = Literal["all"] | tuple[str, ...] | None


def apply(study: Study, *, rows: Rows, retry: Retry, on_event: OnEvent, stop: StopSignal) -> Summary:
    """Compute what is not computed yet, and bring the results up to date.

    `rows` restricts it to a half-open range of rows; `retry` names failed jobs to compute again.
    Raises StudyBusy, LockingFailed, QueueError, ProviderError and their kin; jobs that fail are no
    exception but a count in the Summary. Whatever is raised, no process is left running.
    """
    began = time.monotonic()
    promised_variables(study.ensemble)
    check_ownership(study.places)
    prepare(study.places)
    with run_lock.hold(study.places.lock, study=study.ensemble.name) as lock:
        take_ownership(study.places)
        study = _locked(study, on_event, stop)
        counts = count_rows(study, rows)
        again = _again(study, retry)
        status: Mapping[str, Any] = {}
        if counts.to_do + counts.stale + len(again):
            status = _compute(study, lock, rows, again, on_event, stop)
        tables = write_outputs(study)
    left = max(0, counts.failed - len(again))
    return _summary(status, counts, left, tables, stop, time.monotonic() - began)


def _locked(study: Study, on_event: OnEvent, stop: StopSignal) -> Study:
    """Ctrl-C reaches uv as well as us: what it says of that is no news, and nothing is begun after it."""
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
        failed = [outcome["id"] for outcome in ledger.failures(study.payload.digest)]
    return tuple(failed if retry == "all" else (job for job in failed if job in frozenset(retry)))


def _compute(
    study: Study,
    lock: run_lock.RunLock,
    rows: Rows,
    again: tuple[str, ...],
    on_event: OnEvent,
    stop: StopSignal,
) -> Mapping[str, Any]:
    """The controller's last status. The cluster is gone when this returns or raises."""
    cluster = LocalCluster(study.ensemble, study.places, lock, on_event)
    try:
        endpoints = cluster.start()
        _upload(study, FileStore(endpoints.files, _token(study, secrets.FILES_TOKEN)), on_event)
        controller = ControllerClient(endpoints.controller, _token(study, secrets.API_TOKEN))
        controller.put_study(study.frozen, study.order, rows=rows, retry=again or None)
        status = follow(
            cluster,
            controller,
            on_event=on_event,
            stop=stop,
            write_tables=lambda: write_outputs(study, tables_only=True),
        )
    finally:
        cluster.stop(now=stop.level >= 2)
    if status.get("state") == "broken":
        sentence, _, details = str(status["reason"]).partition("\n")
        raise ProviderError(sentence, details)
    return status


def _token(study: Study, name: str) -> Secret:
    return secrets.read(study.places.secrets, name)


def _upload(study: Study, store: FileStore, on_event: OnEvent) -> None:
    """Only what the store does not have: worker.zip and the inputs, by sha256."""
    for name, content in study.objects():
        if store.has(PAYLOAD, content.digest):
            continue
        on_event(Doing("upload", name))
        with TemporaryDirectory(prefix="cloudburst-") as scratch:
            packed = Path(scratch) / "object"
            content.write(packed)
            store.put(PAYLOAD, packed)


def _summary(
    status: Mapping[str, Any],
    counts: Counts,
    failed_before: int,
    tables: tuple[str, ...],
    stop: StopSignal,
    seconds: float,
) -> Summary:
    state: Literal["finished", "paused", "stopped", "nothing to do"] = "nothing to do"
    if status:
        state = "stopped" if stop.level else ("paused" if status["state"] == "paused" else "finished")
    done, failed = int(status.get("done", 0)), int(status.get("failed", 0))
    return Summary(
        rows=counts.rows,
        jobs=counts.jobs,
        done=done,
        failed=failed,
        recorded=counts.done,
        failed_before=failed_before,
        to_do=int(status.get("to_do", 0)),
        seconds=seconds,
        tables=tables,
        state=state,
        reason=str(status.get("reason", "")),
    )
