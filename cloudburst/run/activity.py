"""What the switch of a rented machine may know of its controller: `activity.json`, in the controller's home.

The switch reads the file from the machine's own disk, so that it needs neither Docker nor an answer; who
forgets to write it is taken for dead, and who writes nonsense for unsafe. Its form is in docs/contracts.md.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ControllerError

log = logging.getLogger(__name__)

FILE = "activity.json"
FORMAT = 1
EVERY = 5.0
"""Seconds between two writings at least."""


@dataclass(frozen=True)
class Lines:
    """The ledger `uuid`, up to its line `last`."""

    uuid: str
    last: int


NOTHING = Lines("", 0)
"""Where there is no ledger yet."""


def is_busy(status: Mapping[str, Any]) -> bool:
    """Whether a job runs or a node prepares, by the controller's status."""
    return status["running"] > 0 or any(node["state"] == "preparing" for node in status["nodes"])


class Activity:
    """Writes the file; goes on from the one that is there. `wall` and `passing` are the clocks: one that tells the
    time, one that never jumps, so that idle time is right whatever the first one does."""

    def __init__(
        self,
        home: Path,
        wall: Callable[[], float] = time.time,
        passing: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = home / FILE
        self._wall, self._passing = wall, passing
        idle, self._fetched = _before(self._file)
        self._busy = passing() - idle
        self._next = passing()
        self._trouble = ""

    def note(self, *, busy: bool, lines: Callable[[], Lines]) -> None:
        """How it stands now. `lines` is asked only when it is time to write; where the ledger cannot be read it
        raises CloudBurstError, and the file stays as it is."""
        now = self._passing()
        if busy:
            self._busy = now
        if now >= self._next:
            self._next = now + EVERY
            self._write(lines())

    def have_fetched(self, lines: Lines, recorded: Lines) -> None:
        """A client has everything up to there; `recorded` is what there is. Raises ControllerError when these are lines
        of another ledger, or more than there are."""
        if lines.uuid != recorded.uuid:
            raise ControllerError("that ledger is not the one here", "fetch the rows of this one first")
        if lines.last > recorded.last:
            raise ControllerError(
                f"there are {recorded.last} lines here, and {lines.last} cannot have been fetched"
            )
        if self._of(recorded) < lines.last:
            self._fetched = lines
        self._write(recorded)

    def _of(self, recorded: Lines) -> int:
        """How many lines of this very ledger were fetched."""
        return min(self._fetched.last, recorded.last) if self._fetched.uuid == recorded.uuid else 0

    def _write(self, recorded: Lines) -> None:
        """Replaced whole. A full disk is said once; the old file stays, and with it what was safe then."""
        at = self._wall()
        form = {
            "format": FORMAT,
            "at": at,
            "busy_at": at - (self._passing() - self._busy),
            "uuid": recorded.uuid,
            "last": recorded.last,
            "fetched": self._of(recorded),
        }
        new = self._file.with_name(f".{FILE}.new")
        try:
            new.write_text(json.dumps(form), "utf-8")
            os.replace(new, self._file)
            self._trouble = ""
        except OSError as error:
            if str(error) != self._trouble:
                log.warning("%s cannot be written: %s", self._file, error.strerror)
            self._trouble = str(error)


def _before(file: Path) -> tuple[float, Lines]:
    """For how long the controller before this one was idle, and what was fetched of it; what cannot be read is nothing."""
    try:
        match json.loads(file.read_text("utf-8")):
            case {
                "format": 1,
                "at": int() | float() as at,
                "busy_at": int() | float() as busy_at,
                "uuid": str(uuid),
                "fetched": int(fetched),
            }:
                return max(0.0, at - busy_at), Lines(uuid, fetched)
    except (OSError, ValueError):
        pass
    return 0.0, NOTHING
