"""What comes out of the stream `outcomes`, checked at the door: an outcome, a return, an end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .dispatch import Todo


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt has its outcome (schemas/row.schema.json)."""

    batch: str
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Returned:
    """Jobs of a batch that were not started."""

    batch: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """A batch is over, whatever happened inside it."""

    batch: str


Event = Ended | Returned | Finished

_TEXT = (str, type(None))
_NUMBER = (int, float, type(None))
_OUTCOME: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "row": int,
    "attempt": int,
    "payload": str,
    "status": str,
    "kind": _TEXT,
    "error": _TEXT,
    "output": _TEXT,
    "result": (dict, type(None)),
    "series": (dict, type(None)),
    "files": (dict, type(None)),
    "started": _NUMBER,
    "seconds": _NUMBER,
    "worker": _TEXT,
}


def read_event(data: Mapping[str, Any] | None) -> Event | None:
    """None for what the contract does not know: it is reported and dropped, never trusted."""
    match data:
        case {"type": "outcome", "batch": str(batch), "outcome": dict(outcome)} if is_outcome(outcome):
            return Ended(batch, outcome)
        case {"type": "returned", "batch": str(batch), "ids": list(ids)} if all(
            isinstance(x, str) for x in ids
        ):
            return Returned(batch, tuple(ids))
        case {"type": "finished", "batch": str(batch)}:
            return Finished(batch)
    return None


def is_outcome(value: Mapping[str, Any]) -> bool:
    """Every field that the ledger keeps is there and of its type."""
    return value.get("status") in {"done", "failed"} and all(
        key in value and isinstance(value[key], kind) for key, kind in _OUTCOME.items()
    )


def lost_outcome(todo: Todo, payload: str, *, losses: int, worker: str, now: float) -> dict[str, Any]:
    """The one outcome a controller makes itself: whoever runs this job is not heard of again."""
    times = "once" if losses == 1 else f"{losses} times"
    return {
        "format": 1,
        "id": todo.id,
        "row": todo.row,
        "attempt": todo.attempt,
        "payload": payload,
        "status": "failed",
        "kind": "lost",
        "error": f"the worker was lost {times} while it ran this job: its machine or its process ended",
        "output": "",
        "result": None,
        "series": None,
        "files": {},
        "started": now,
        "seconds": 0.0,
        "worker": worker,
    }
