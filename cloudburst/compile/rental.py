"""A study's rented machines as its plan and its status see them: what stands, what would change, what it costs.

Pure: run/rental.py looks at the account and makes a `Rented`; here it becomes an estimate, a refusal, a JSON form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..diagnostics import Problem
from ..spec.ensemble import Cluster, Ensemble
from . import fleet, money
from .estimates import Effort, pace, wall
from .fleet import Change, FleetConflict, Machine, Role, Wanted
from .money import Estimate, Rental
from .switch import SwitchState


@dataclass(frozen=True)
class Rented:
    """What was observed of a study's machines, and what has to happen to them.

    `spent` in US dollars, machines that are gone included; `slots` are the jobs they run at a time once the
    changes are made (None: not known); `manager` and `worker` are the prices an hour of one of each then. `notes` are sentences
    about what is otherwise than the file says; `problems` about the file, errors included: then `changes` are
    not to be made.
    """

    standing: tuple[Machine, ...]
    changes: tuple[Change, ...]
    spent: Decimal
    slots: int | None
    manager: Decimal
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    worker: Decimal = money.NOTHING

    @property
    def hourly(self) -> Decimal:
        """US dollars an hour of what stands."""
        return fleet.hourly_of((), self.standing)

    @property
    def hourly_after(self) -> Decimal:
        """The same once the changes are made."""
        return fleet.hourly_of(self.changes, self.standing)

    @property
    def is_dearer_after(self) -> bool:
        """Whether the changes make it cost more an hour than it does now: then somebody has to agree."""
        return self.hourly_after > self.hourly

    @property
    def off(self) -> tuple[Machine, ...]:
        """Machines that compute nothing and are billed all the same."""
        return tuple(one for one in self.standing if one.status == "off")


def rented(
    wanted: Wanted | None,
    standing: Sequence[Machine],
    rentals: Sequence[Rental],
    now: float,
    *,
    slots: int | None,
    notes: Sequence[str] = (),
    problems: Sequence[Problem] = (),
) -> Rented:
    """`rentals` are all the study ever had, as far as is known; `now` in seconds since the epoch; `slots` of the
    fleet that is wanted. Without `wanted` (one of the `problems` is an error) nothing changes. A conflict becomes
    a problem."""
    changes: tuple[Change, ...] = ()
    if wanted is not None:
        notes = (*fleet.notes(wanted, standing), *notes)
        try:
            changes = fleet.decide(wanted, standing)
        except FleetConflict as conflict:
            problems = (*problems, conflict.problem)

    def dearest(role: Role) -> Decimal:
        prices = (one.hourly for one in fleet.after(standing, changes) if one.role == role)
        return max(prices, default=money.NOTHING)

    return Rented(
        standing=tuple(standing),
        changes=changes,
        spent=money.cost(rentals, now),
        slots=slots,
        manager=dearest("manager"),
        worker=dearest("worker"),
        notes=tuple(notes),
        problems=tuple(problems),
    )


def slots_of(ensemble: Ensemble, cpus: int, memory: int) -> int:
    """Jobs at a time of the fleet that is wanted, whose working machines have `cpus` and `memory` bytes each.

    As nodes count them (`slots: auto`); the manager works only where it is alone. A node sees a little less
    memory than is listed, so it may be one fewer.
    """
    cluster, needs = ensemble.cluster, ensemble.worker.needs
    if cluster.slots != "auto":
        each = cluster.slots
    else:
        by_cpus = int(cpus // needs.cpus) if needs.cpus else cpus
        each = max(1, min(by_cpus, memory // needs.memory) if needs.memory else by_cpus)
    return each * max(1, cluster.workers)


# ── money ────────────────────────────────────────────────────────────────────────────────────
def estimate_of(rental: Rented, cluster: Cluster, *, to_do: int, effort: Effort | None) -> Estimate:
    """What `to_do` more jobs will cost on the fleet that is wanted; `effort` None: nobody knows how long they take."""
    new = sum(change.verb in ("create", "replace") for change in rental.changes)
    return money.estimate(
        rental.hourly_after,
        money.terms_of(cluster, rental.manager),
        to_do=to_do,
        wall=wall(effort, rental.slots) if effort and rental.slots else None,
        pace=pace(effort, rental.slots) if effort and rental.slots else "",
        spent=rental.spent,
        new=new,
    )


# ── the JSON form ────────────────────────────────────────────────────────────────────────────
def rental_form(rental: Rented, cluster: Cluster, estimated: Estimate | None) -> dict[str, Any]:
    """As schemas/plan.schema.json has it under `cluster.rental`. Money in US dollars, durations in seconds."""
    return {
        "machines": [machine_form(one) for one in rental.standing],
        "hourly": float(rental.hourly),
        "hourly_after": float(rental.hourly_after),
        "spent": float(rental.spent),
        "slots": rental.slots,
        **limits(cluster),
        "estimate": estimate_form(estimated) if estimated else None,
        "notes": list(rental.notes),
    }


def standing_form(rental: Rented, cluster: Cluster, switch: SwitchState | None, at: float) -> dict[str, Any]:
    """What `status --json` has under `rental`, seen at `at` (seconds since the epoch): how the machines stand,
    what they have cost, and what the switch says (None: nobody answers for it)."""
    return {
        "away": None,
        "at": at,
        "machines": [machine_form(one) for one in rental.standing],
        "hourly": float(rental.hourly),
        "spent": float(rental.spent),
        **limits(cluster),
        "switch": _switch_form(switch) if switch else None,
        "notes": list(rental.notes),
    }


def unknown_form(cluster: Cluster, away: str, at: float) -> dict[str, Any]:
    """The same when nobody could be asked; `away` says why."""
    nothing: dict[str, Any] = {"machines": [], "hourly": None, "spent": None, "switch": None, "notes": []}
    return {"away": away, "at": at, **limits(cluster), **nothing}


def limits(cluster: Cluster) -> dict[str, Any]:
    return {
        "ttl": cluster.ttl,
        "idle_stop": cluster.idle_stop,
        "max_cost": _number(cluster.max_cost),
        "keep_results": cluster.keep_results,
        "gives_back": cluster.reaper_token is not None,
    }


def _switch_form(state: SwitchState) -> dict[str, Any]:
    return {
        "stage": state.stage,
        "since": state.since,
        "reason": state.reason,
        "spent": float(state.spent),
        "stops_at": state.stops_at,
        "why": state.why,
        "trouble": state.trouble,
        "at": state.at,
    }


def machine_form(machine: Machine) -> dict[str, Any]:
    return {
        "id": machine.id,
        "name": machine.name,
        "role": machine.role,
        "size": machine.size,
        "region": machine.region,
        "status": machine.status,
        "hourly": float(machine.hourly),
        "created": machine.created,
    }


def estimate_form(estimated: Estimate) -> dict[str, Any]:
    return {
        "seconds": estimated.seconds,
        "sure": float(estimated.sure),
        "likely": _number(estimated.likely),
        "low": _number(estimated.low),
        "high": _number(estimated.high),
        "forgotten": _number(estimated.forgotten),
        "at_most": _number(estimated.at_most),
        "reserve": float(estimated.reserve),
        "because": estimated.because,
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
