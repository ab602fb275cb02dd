"""What happened, as data: `apply` and its kin tell the caller through these, and print nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Doing:
    """A step begins or moves on. `address` names the thing (`lock`, `queue`, `environment`)."""

    address: str
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"event": "doing", **asdict(self)}


@dataclass(frozen=True)
class Progress:
    """The controller's status, as schemas/status.schema.json says."""

    status: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"event": "progress", "status": dict(self.status)}


@dataclass(frozen=True)
class Note:
    text: str

    def to_json(self) -> dict[str, Any]:
        return {"event": "note", "text": self.text}


@dataclass(frozen=True)
class Warned:
    """Something is wrong but the work goes on: a part died and was started again, say."""

    text: str

    def to_json(self) -> dict[str, Any]:
        return {"event": "warning", "text": self.text}


Event = Doing | Progress | Note | Warned
OnEvent = Callable[[Event], None]

Ending = Literal["finished", "paused", "stopped", "let go", "nothing to do"]
"""How an `apply` can end."""


@dataclass(frozen=True)
class Summary:
    """How an `apply` ended. Counts are of jobs (distinct ids), `rows` of the selected rows.

    `recorded` were in the ledger before; `done` and `failed` are of this run; `failed_before`
    used up their attempts in an earlier run and were not repeated. `seconds` is wall time. `let go`:
    the study goes on without the command.
    """

    rows: int
    jobs: int
    done: int
    failed: int
    recorded: int
    failed_before: int
    to_do: int
    seconds: float
    tables: tuple[str, ...]
    state: Ending
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"event": "summary", **asdict(self)}


class StopSignal:
    """How urgently the user wants it to end: 0 go on, 1 start no new job, 2 stop now."""

    def __init__(self) -> None:
        self._level = 0
        self._changed = threading.Event()

    @property
    def level(self) -> int:
        return self._level

    def raise_level(self) -> int:
        """One step more urgent (at most 2); the new level. Safe inside a signal handler."""
        self._level = min(2, self._level + 1)
        self._changed.set()
        return self._level

    def wait(self, seconds: float) -> int:
        """Until the level changes or the time is over; the level."""
        self._changed.wait(seconds)
        self._changed.clear()
        return self._level
