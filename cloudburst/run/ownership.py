"""Whose state directory is it: two files with one study name would share a ledger and queue."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import StudyBusy
from .ledger import Ledger
from .places import Places


def check_ownership(places: Places) -> None:
    """Raises StudyBusy when another file that still exists computes under the same name here.

    A file that is gone was renamed or moved: its study goes on under the new one.
    """
    if not places.ledger.exists():
        return
    with Ledger.open(places.ledger, places.study) as ledger:
        owner = ledger.meta.spec
    if (
        owner
        and owner != str(places.spec)
        and os.path.exists(owner)
        and not _is_same(Path(owner), places.spec)
    ):
        raise StudyBusy(
            f"{Path(owner).name} beside {places.spec.name} is a study named {places.study}, too; "
            "they would share one ledger",
            f"give one of them another `name:`; if {Path(owner).name} is a copy you no longer need, remove it",
        )


def take_ownership(places: Places) -> None:
    """Write down, in a ledger made for it if need be, which file the study is described by."""
    Ledger.open(places.ledger, places.study, create=True, spec=places.spec).close()


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
