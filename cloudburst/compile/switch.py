"""What a machine's switch is told, and what it answers: both ends of `stack/host/switch.py`, in docs/contracts.md.

Pure: the forms are decided here; run/digitalocean brings one to each machine and reads the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from .. import assets
from ..spec.ensemble import Ensemble
from .fleet import Role, machine_name
from .money import HOUR, NOTHING, Rental, cost, terms_of
from .stack import stack_name

FORMAT = 1

HOME = "/var/lib/cloudburst"
CONFIG_PATH = f"{HOME}/switch.json"
TOKEN_PATH = f"{HOME}/reaper-token"
PROGRAM_PATH = "/usr/local/lib/cloudburst/switch.py"
"""Where things are on a machine. The token's file is root's alone (0600) and comes over ssh."""
SERVICE = "cloudburst-switch.service"
STATE_COMMAND = ("python3", "-I", PROGRAM_PATH, "--state")
"""Prints the state form, or ends with another exit code and a sentence."""

API = "https://api.digitalocean.com/v2/"
SWARM_PORT = 2377

STAGES = ("armed", "removing workers", "keeping results", "removing manager", "powering off")


def switch_program() -> str:
    """The text of the program."""
    return (assets.stack_directory() / "host" / "switch.py").read_text("utf-8")


def activity_path(study: str) -> str:
    """Where the controller's `activity.json` lies on the manager's own disk: inside the volume of its service."""
    return f"/var/lib/docker/volumes/{stack_name(study)}_controller/_data/cloudburst/home/activity.json"


# ── what it is told ──────────────────────────────────────────────────────────────────────────
def switch_form(
    ensemble: Ensemble,
    role: Role,
    rentals: Sequence[Rental],
    *,
    armed: float,
    manager: str | None = None,
    own: int | None = None,
    api: str = API,
) -> dict[str, Any]:
    """`switch.json` of one machine; arms it anew where `armed` (now, in seconds since the epoch) is later than before.

    `rentals` are all machines of the study, ended ones included; before the first one stands, those that are
    about to be rented, with any id. `manager` is the manager's address in the swarm, None where nobody knows it
    yet; `own` the machine's id.
    """
    cluster = ensemble.cluster
    manages = role == "manager"
    return {
        "format": FORMAT,
        "study": ensemble.name,
        "role": role,
        "armed": armed,
        "deadline": _deadline(ensemble, rentals, armed, role),
        "ttl": cluster.ttl,
        "max_cost": str(cluster.max_cost) if manages and cluster.max_cost is not None else None,
        "rentals": [rental.to_json() for rental in rentals] if manages else [],
        "idle_stop": cluster.idle_stop if manages else None,
        "keep_results": cluster.keep_results,
        "api": api,
        "tag": f"cloudburst:{ensemble.name}",
        "activity": activity_path(ensemble.name) if manages else None,
        "manager": f"{manager}:{SWARM_PORT}" if manager is not None and not manages else None,
        "own": own,
    }


def _deadline(ensemble: Ensemble, rentals: Sequence[Rental], armed: float, role: Role) -> float | None:
    """The manager counts money itself, since it sees which machines are gone; a worker knows a moment only."""
    cluster = ensemble.cluster
    ends = [] if cluster.ttl is None else [armed + cluster.ttl]
    if role == "worker" and cluster.max_cost is not None:
        limit = cluster.max_cost - _reserve(ensemble, rentals)
        spent_at = max_cost_moment(rentals, limit, armed)
        ends += [] if spent_at is None else [spent_at]
    return min(ends, default=None)


def _reserve(ensemble: Ensemble, rentals: Sequence[Rental]) -> Decimal:
    """What the manager's waiting for its results to be fetched will cost."""
    name = machine_name(ensemble.name, "manager")
    managing = [rental.hourly for rental in rentals if rental.name == name and rental.until is None]
    return terms_of(ensemble.cluster, max(managing, default=NOTHING)).reserve


def max_cost_moment(rentals: Sequence[Rental], limit: Decimal, now: float) -> float | None:
    """When the rentals will have cost `limit`, to the second and not before; `now` when they have already, None
    when they never will, because none of them stands."""
    if cost(rentals, now) >= limit:
        return now
    rate = float(sum(rental.hourly for rental in rentals if rental.until is None))
    began = max((rental.since for rental in rentals), default=now)
    if rate <= 0:
        return None
    early, late = now, max(now, began) + HOUR * float(limit) / rate + 1
    while late - early > 0.5:
        middle = (early + late) / 2
        early, late = (early, middle) if cost(rentals, middle) >= limit else (middle, late)
    return late


# ── what it answers ──────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class SwitchState:
    """How a switch stands. `stage` is one of STAGES, begun at `since`; `reason` is why it acts ("" while armed).

    `spent` in US dollars; `stops_at` is when the next stage begins if nothing changes (None: nothing ends it),
    because of `why`: "ttl", "max_cost", "idle_stop", "keep_results" or "manager". `trouble` is what goes wrong
    now, a sentence or "". `at` is when it looked last; moments are seconds since the epoch.
    """

    stage: str
    since: float
    reason: str
    spent: Decimal
    stops_at: float | None
    why: str
    trouble: str
    at: float

    @property
    def is_ending(self) -> bool:
        return self.stage != "armed"


def read_switch_state(text: str) -> SwitchState | None:
    """From what STATE_COMMAND printed; None when that is no state, which is so until the first look."""
    try:
        form = json.loads(text)
        return _state(form) if isinstance(form, dict) and form.get("format") == FORMAT else None
    except (ValueError, KeyError, TypeError, InvalidOperation):
        return None


def _state(form: Mapping[str, Any]) -> SwitchState | None:
    if form["stage"] not in STAGES:
        return None
    stops_at = form["stops_at"]
    return SwitchState(
        stage=form["stage"],
        since=float(form["since"]),
        reason=str(form["reason"]),
        spent=Decimal(str(form["spent"])),
        stops_at=None if stops_at is None else float(stops_at),
        why=str(form["why"]),
        trouble=str(form["trouble"]),
        at=float(form["at"]),
    )
