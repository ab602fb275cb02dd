"""How a study stands: who works on it, what its controller says, what the ledger holds."""

from __future__ import annotations

from typing import Any

from ..errors import CloudBurstError
from ..run import run_lock, secrets
from ..run.controller_client import ControllerClient
from ..run.observe import Study, count_rows
from ..run.places import find_runtime_directory

FORMAT = 1
PATIENCE = 5.0
"""Seconds a controller has to answer; it does so in milliseconds, or is just starting or ending."""


def standing(study: Study) -> dict[str, Any]:
    """What `cloudburst status --json` prints; `run` is the controller's own status (schemas/status.schema.json)."""
    holder = run_lock.current_holder(study.places.lock)
    return {
        "format": FORMAT,
        "study": study.ensemble.name,
        "holder": holder.sentence() if holder else None,
        "counts": dict(vars(count_rows(study))),
        "run": _ask_controller(study) if holder else None,
    }


def _ask_controller(study: Study) -> dict[str, Any] | None:
    """None when it does not answer: it is only just starting, or ending."""
    directory = find_runtime_directory(study.places.root)
    if directory is None:
        return None
    try:
        token = secrets.read(study.places.secrets, secrets.API_TOKEN)
        return ControllerClient(f"unix:{directory}/controller.sock", token, timeout=PATIENCE).status()
    except CloudBurstError:
        return None
