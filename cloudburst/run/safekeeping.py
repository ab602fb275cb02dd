"""Everything a cluster has recorded, brought to this machine, and the cluster told that it is here.

Machines that are rented give themselves back once nothing is only there.
"""

from __future__ import annotations

import time

from .controller_client import ControllerClient
from .events import Doing, OnEvent, Warned
from .file_store import FileStore
from .objects import fetch_objects
from .observe import Study
from .outputs import write_outputs
from .providers import Connected
from .replica import pull

ENDED_WITHIN = 60.0
"""Seconds for jobs that were cancelled to be recorded as such."""


def make_safe(study: Study, controller: ControllerClient, files: FileStore) -> int:
    """How many series and files nobody has any more. Raises ControllerError, FileStoreError; what came until
    then is kept, and the cluster still believes the rest to be nowhere else."""
    there = controller.ledger()
    pull(study, controller)
    missing = fetch_objects(study, files).missing
    controller.have_fetched(str(there["uuid"]), int(there["last"]))
    return len(missing)


def fetch_everything(study: Study, there: Connected, on_event: OnEvent) -> None:
    """All that is recorded there, its objects, and the tables. Raises ControllerError, FileStoreError.

    Jobs that run are ended first, so that nothing is recorded any more when we have all."""
    there.controller.cancel(now=True)
    deadline = time.monotonic() + ENDED_WITHIN
    while there.controller.status()["running"] and time.monotonic() < deadline:
        time.sleep(0.5)
    on_event(Doing("results", "fetching rows"))
    pull(study, there.controller)
    on_event(Doing("results", "fetching series and files"))
    fetched = fetch_objects(study, there.files)
    if fetched.missing:
        on_event(Warned(f"{len(fetched.missing)} series or files are not in the file store any more"))
    on_event(Doing("results", "writing tables"))
    write_outputs(study)
