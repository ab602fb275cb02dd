"""How a study stands: who works on it, what its controller says, what the ledger holds."""

from __future__ import annotations

from typing import Any

from ..errors import ControllerError, ProviderError
from ..run import run_lock
from ..run.observe import Study, count_rows
from .reach import Way

FORMAT = 1


def standing(study: Study, way: Way) -> dict[str, Any]:
    """What `cloudburst status --json` prints; `run` is the controller's own status (schemas/status.schema.json).

    `where` is the machine a swarm is managed on, `away` why it cannot be asked; both null otherwise.
    """
    holder = run_lock.current_holder(study.places.lock)
    return {
        "format": FORMAT,
        "study": study.ensemble.name,
        "holder": holder.sentence() if holder else None,
        "where": way.where or None,
        "away": way.away or None,
        "counts": dict(vars(count_rows(study))),
        "run": _ask(way),
    }


def _ask(way: Way) -> dict[str, Any] | None:
    """None when it does not answer: it is only just starting, or ending."""
    try:
        return way.controller.status() if way.controller else None
    except (ControllerError, ProviderError):
        return None
