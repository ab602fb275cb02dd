"""Whose state directory is it: two files with one study name would share a ledger and queue."""

from __future__ import annotations

from pathlib import Path

from ..errors import StudyBusy
from .ledger import Ledger
from .places import Places


def check_ownership(places: Places) -> None:
    """Raises StudyBusy when another file that still exists computes under the same name here.

    Only files beside each other share a ledger: the same name elsewhere is a copy of the project. A file
    that is gone was renamed: its study goes on under the new name.
    """
    if not places.ledger.exists() or not places.spec.exists():
        return
    with Ledger.open(places.ledger, places.study) as ledger:
        owner = Path(ledger.meta.spec).name
    twin = places.spec.with_name(owner or places.spec.name)
    if twin.exists() and not _is_same(twin, places.spec):
        raise StudyBusy(
            f"{twin.name} beside {places.spec.name} is a study named {places.study}, too; they would share one ledger",
            "give one of them another `name:`, or remove the one you no longer need",
        )


def take_ownership(places: Places) -> None:
    """Write down, in a ledger made for it if need be, which file the study is described by."""
    Ledger.open(places.ledger, places.study, create=True, spec=places.spec).close()


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
