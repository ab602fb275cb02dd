"""`destroy` of rented machines: what it is about is said with its price, and what is left with its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .views import orphans

if TYPE_CHECKING:
    from ..run.destroy import StandingAfar, Taken
    from ..run.events import OnEvent
    from ..run.observe import Study
    from ..spec.ensemble import Cluster


def estate_of(cluster: Cluster, afar: StandingAfar) -> dict[str, Any] | None:
    """What the study has in the account, as `orphans --json` has it; None where nothing is rented."""
    if not cluster.is_rented:
        return None
    from ..run.giving_back import RentedAfar

    return orphans.estate_form(afar.remains) if isinstance(afar, RentedAfar) else None


def take_down(
    cluster: Cluster, afar: StandingAfar, study: Study | None, on_event: OnEvent, *, snapshots: bool
) -> tuple[Taken | None, dict[str, Any] | None]:
    """What was taken down, or else what is left against our will (`orphans.leftovers_form`).

    Raises as `StandingAfar.take_down` does.
    """
    if not cluster.is_rented:
        return afar.take_down(study, on_event), None
    from ..run.giving_back import NotAllGivenBack, RentedAfar

    if not isinstance(afar, RentedAfar):
        return afar.take_down(study, on_event), None
    try:
        return afar.take_down(study, on_event, snapshots=snapshots), None
    except NotAllGivenBack as error:
        return None, orphans.leftovers_form(error.leftovers)
