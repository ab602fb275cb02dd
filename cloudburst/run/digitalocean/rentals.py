"""Which machines a study has rented, from when until when: kept beside its ledger and on its manager.

What stands is the provider's to say; what has gone is known here, or from the manager, or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ...compile.fleet import Machine
from ...compile.money import Rental
from ..places import Places


def rentals_file(places: Places) -> Path:
    return places.root / "rentals.json"


def read_rentals(places: Places) -> tuple[Rental, ...]:
    """Those this machine knows of; a file that is damaged says nothing."""
    try:
        return rentals_in(json.loads(rentals_file(places).read_text("utf-8")))
    except (OSError, ValueError):
        return ()


def keep_rentals(places: Places, rentals: Iterable[Rental]) -> None:
    """Replaced whole. Nothing is made for a study that has no directory here."""
    file = rentals_file(places)
    if not file.parent.is_dir():
        return
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(json.dumps([rental.to_json() for rental in rentals], indent=1), "utf-8")
    draft.replace(file)


def forget_rentals(places: Places) -> None:
    rentals_file(places).unlink(missing_ok=True)


def record(places: Places, standing: Sequence[Machine], now: float) -> None:
    """What this machine knows, put right by what stands, is kept."""
    keep_rentals(places, observed(read_rentals(places), standing, now))


def rentals_in(forms: Any) -> tuple[Rental, ...]:
    """From the JSON of this file, or of a machine's switch.json; what is no rental is left out, and machines that
    were only about to be rented (their ids are negative)."""
    found = []
    for form in forms if isinstance(forms, list) else ():
        try:
            until = form["until"]
            found.append(
                Rental(
                    id=int(form["id"]),
                    name=str(form["name"]),
                    hourly=Decimal(str(form["hourly"])),
                    since=float(form["since"]),
                    until=None if until is None else float(until),
                )
            )
        except (KeyError, TypeError, ValueError, InvalidOperation):
            continue
    return tuple(one for one in found if one.id > 0)


def observed(known: Iterable[Rental], standing: Sequence[Machine], now: float) -> tuple[Rental, ...]:
    """All that is known, put right by what stands: a machine that is gone and whose end nobody saw ended by `now`.

    In the order of their beginnings. A machine whose size changed is billed at its new price from the start,
    which is no less than the truth where it grew.
    """
    ends: dict[int, Rental] = {}
    for rental in known:
        other = ends.get(rental.id)
        ends[rental.id] = rental if other is None else _together(rental, other)
    stands = {machine.id: machine for machine in standing}
    gone = [
        Rental(one.id, one.name, one.hourly, one.since, now if one.until is None else one.until)
        for one in ends.values()
        if one.id not in stands
    ]
    there = [Rental(one.id, one.name, one.hourly, one.created, None) for one in standing]
    return tuple(sorted((*gone, *there), key=lambda one: (one.since, one.id)))


def _together(one: Rental, other: Rental) -> Rental:
    """Whoever saw it end saw it earlier than who did not."""
    ends = [end for end in (one.until, other.until) if end is not None]
    return Rental(
        one.id,
        one.name,
        max(one.hourly, other.hourly),
        min(one.since, other.since),
        min(ends, default=None),
    )
