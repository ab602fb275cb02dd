"""How a study stands: who works on it, what its controller says, what the ledger holds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..compile.rental import standing_form, unknown_form
from ..errors import ControllerError, ProviderError
from ..run import run_lock
from ..run.observe import Study
from ..run.planning import count_rows
from .reach import Way

if TYPE_CHECKING:
    from ..run.digitalocean.estate import Estate
    from ..run.listing import Listed

FORMAT = 1


def standing(study: Study, way: Way) -> dict[str, Any]:
    """What `cloudburst status --json` prints; `run` is the controller's own status (schemas/status.schema.json).

    `where` is the machine a swarm is managed on, `away` why it cannot be asked; both null otherwise. `rental` are
    its rented machines (`standing_form`); null where nothing is rented.
    """
    holder = run_lock.current_holder(study.places.lock)
    return {
        "format": FORMAT,
        "study": study.ensemble.name,
        "holder": holder.sentence() if holder else None,
        "where": way.where or None,
        "away": way.away or None,
        "counts": dict(vars(count_rows(study))),
        "rental": rental_standing(study),
        "run": _ask(way),
    }


def rental_standing(study: Study) -> dict[str, Any] | None:
    """How its rented machines stand now; that nobody can be asked is no error here."""
    cluster = study.ensemble.cluster
    if not cluster.is_rented:
        return None
    from ..run.rental import observe_rental, switch_state

    try:
        rental = observe_rental(study)
    except ProviderError as error:
        return unknown_form(cluster, error.message, time.time())
    if rental is None:
        return None
    switch = None
    if rental.standing:
        with suppress(ProviderError):  # what the machines cost is known all the same
            switch = switch_state(study)
    return standing_form(rental, cluster, switch, time.time())


@dataclass(frozen=True)
class AccountStanding:
    """What all studies have in the account, by study; or `away`: why it cannot be asked."""

    estates: Mapping[str, Estate]
    away: str = ""


def account_standing(rented: Sequence[Listed]) -> AccountStanding | None:
    """None where none of the studies is rented, and nobody needs to ask."""
    if not rented:
        return None
    from ..run.digitalocean.estate import find_orphans

    try:
        return AccountStanding({estate.study: estate for estate in find_orphans()})
    except ProviderError as error:
        return AccountStanding({}, error.message)


def _ask(way: Way) -> dict[str, Any] | None:
    """None when it does not answer: it is only just starting, or ending."""
    try:
        return way.controller.status() if way.controller else None
    except (ControllerError, ProviderError):
        return None
