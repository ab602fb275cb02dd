"""The machines a study rents: what it wants, what stands, and what has to happen between the two.

Pure: what stands comes in as values, made from a provider's answers in run/digitalocean. Applying what `decide`
says and deciding again gives nothing, however the fleet came to be as it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Literal

from ..diagnostics import Path, Problem

Role = Literal["manager", "worker"]
Status = Literal["new", "active", "off", "archive"]
Verb = Literal["create", "resize", "replace", "remove", "power on"]


@dataclass(frozen=True)
class Wanted:
    """What the file says: slugs of region, image and sizes; `hourly` is the price of each size in US dollars
    (a size whose price is not known is missing). `workers` stand beside the one manager."""

    study: str
    region: str
    manager: str
    worker: str
    workers: int
    image: str
    hourly: dict[str, Decimal]


@dataclass(frozen=True)
class Machine:
    """One that stands, or is on its way up. `hourly` in US dollars, `created` in seconds since the epoch;
    addresses are None until it has them. `image` is a slug, or an id as text."""

    id: int
    name: str
    role: Role
    size: str
    region: str
    image: str
    status: Status
    hourly: Decimal
    created: float
    public: str | None = None
    private: str | None = None
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """One act on one machine. `name` is the machine's, `size` what it shall have; `machine` is the one that
    stands (None: nothing stands yet); `cause` is where in the file it comes from. `hourly` is the price of the
    machine after the act."""

    verb: Verb
    name: str
    role: Role
    size: str
    reason: str
    hourly: Decimal
    machine: Machine | None
    cause: Path


def machine_name(study: str, role: Role, number: int = 1) -> str:
    """`cb-waves-manager`, `cb-waves-worker-2`: unique in a study, and a host name."""
    return f"cb-{study}-manager" if role == "manager" else f"cb-{study}-worker-{number}"


NOTHING = Decimal(0)

_OPTIONS: Path = ("cluster", "provider", "digitalocean")
REGION: Path = (*_OPTIONS, "region")
WORKERS: Path = ("cluster", "workers")
SIZES: dict[Role, Path] = {"manager": (*_OPTIONS, "manager"), "worker": (*_OPTIONS, "worker")}

_REGION_HINT = "`cloudburst destroy` gives back what stands and keeps what is computed; then apply again"


class FleetConflict(Exception):
    """What stands cannot become what is wanted; `problem` says where in the file, and the way out."""

    def __init__(self, path: Path, message: str, hint: str) -> None:
        super().__init__(message)
        self.problem = Problem("fleet-conflict", path, message, hint)


@dataclass(frozen=True)
class Expected:
    """A machine as it will be once the changes are made."""

    name: str
    role: Role
    size: str
    hourly: Decimal


# ── what has to happen ───────────────────────────────────────────────────────────────────────
def decide(wanted: Wanted, standing: Sequence[Machine]) -> tuple[Change, ...]:
    """What makes the fleet that is wanted from the one that stands: the manager's changes first, then the
    workers' by number, then those that go, the highest number first.

    `standing` are machines of this study only. Names are kept: a machine is created under a free name, and
    replaced under its own. Raises FleetConflict for another region, and for a size without a price.
    """
    _same_region(wanted, standing)
    standing = sorted(standing, key=_age)
    manager, second = _chief(wanted, [one for one in standing if one.role == "manager"])
    workers, leaving = _crew(wanted, [one for one in standing if one.role == "worker"])
    taken = {one.name for one in standing}
    changes = [*_managing(wanted, manager), *_working(wanted, workers, taken)]
    changes += [_removed(one, reason, ("name",)) for one, reason in second]
    changes += [_removed(one, reason, WORKERS) for one, reason in leaving]
    return tuple(changes)


def notes(wanted: Wanted, standing: Sequence[Machine]) -> tuple[str, ...]:
    """What is otherwise than the file says and stays so."""
    others = sorted({one.image for one in standing if one.image != wanted.image})
    if not others:
        return ()
    return (
        f"what stands was made from {' and '.join(others)}, not from {wanted.image}: "
        "machines that stand keep their image, new ones get the other",
    )


def _same_region(wanted: Wanted, standing: Sequence[Machine]) -> None:
    away = sorted({one.region for one in standing} - {wanted.region})
    if away:
        raise FleetConflict(
            REGION,
            f"the study's machines stand in {' and '.join(away)}, and none can move to {wanted.region}",
            _REGION_HINT,
        )


Leaving = list[tuple[Machine, str]]
"""Machines that go, each with the reason."""


def _chief(wanted: Wanted, managers: Sequence[Machine]) -> tuple[Machine | None, Leaving]:
    """The manager that stays, of those that stand, the oldest first: it holds what is computed, so one that lives
    goes before an older one that does not, and the right name before another."""
    name = machine_name(wanted.study, "manager")
    ranked = sorted(managers, key=lambda one: (one.status == "archive", one.name != name))
    chief = ranked[0] if ranked else None
    twins = [(one, f"the study's manager is id {chief.id}") for one in ranked[1:] if chief]
    return chief, twins


def _managing(wanted: Wanted, manager: Machine | None) -> Iterator[Change]:
    if manager is None:
        yield _created(wanted, "manager", machine_name(wanted.study, "manager"), "every study has a manager")
    elif manager.status == "archive":
        yield _replaced(wanted, manager, "it is archived and cannot be started")
    elif manager.size != wanted.manager:
        yield Change(
            "resize",
            manager.name,
            "manager",
            wanted.manager,
            f"it is a {manager.size}; it keeps its disk, and is off meanwhile",
            _price(wanted, "manager"),
            manager,
            SIZES["manager"],
        )
    elif manager.status == "off":
        yield _powered_on(manager)


def _crew(wanted: Wanted, workers: Sequence[Machine]) -> tuple[dict[int, Machine], Leaving]:
    """Those that stay, by number, and those that go, of those that stand, the oldest first. Of twins the oldest
    stays, of too many the first numbers."""
    numbered: defaultdict[int, list[Machine]] = defaultdict(list)
    leaving: Leaving = []
    for one in workers:
        number = worker_number(wanted.study, one.name)
        if number is None:
            leaving.append((one, "its name is none of this study's"))
        else:
            numbered[number].append(one)
    firsts = {}
    for number in sorted(numbered):
        first, *twins = sorted(numbered[number], key=lambda one: one.status == "archive")
        firsts[number] = first
        leaving += [(one, f"a twin of id {first.id}, which stays") for one in twins]
    staying = dict(list(firsts.items())[: wanted.workers])
    too_many = [(number, one) for number, one in firsts.items() if number not in staying]
    leaving += [(one, f"more than the {wanted.workers} wanted") for _, one in reversed(too_many)]
    return staying, leaving


def _working(wanted: Wanted, workers: dict[int, Machine], taken: set[str]) -> Iterator[Change]:
    free = (number for number in count(1) if machine_name(wanted.study, "worker", number) not in taken)
    missing = [next(free) for _ in range(wanted.workers - len(workers))]
    for number in sorted([*workers, *missing]):
        one = workers.get(number)
        if one is None:
            why = f"{len(workers)} of {wanted.workers} stand" if workers else _how_many(wanted.workers)
            yield _created(wanted, "worker", machine_name(wanted.study, "worker", number), why)
        elif one.status == "archive":
            yield _replaced(wanted, one, "it is archived and cannot be started")
        elif one.size != wanted.worker:
            yield _replaced(wanted, one, f"it is a {one.size}")
        elif one.status == "off":
            yield _powered_on(one)


def _how_many(workers: int) -> str:
    return "one worker is wanted" if workers == 1 else f"{workers} workers are wanted"


def worker_number(study: str, name: str) -> int | None:
    """3 of `cb-waves-worker-3`; None for a name that `machine_name` never gives."""
    found = re.fullmatch(rf"cb-{re.escape(study)}-worker-([1-9][0-9]*)", name)
    return int(found[1]) if found else None


def _age(machine: Machine) -> tuple[float, int]:
    return machine.created, machine.id


def _created(wanted: Wanted, role: Role, name: str, reason: str) -> Change:
    cause = SIZES["manager"] if role == "manager" else WORKERS
    return Change("create", name, role, _size(wanted, role), reason, _price(wanted, role), None, cause)


def _replaced(wanted: Wanted, machine: Machine, reason: str) -> Change:
    """Under the name it has; a manager under any other name gets its right one back."""
    role = machine.role
    name = machine.name if role == "worker" else machine_name(wanted.study, role)
    return Change(
        "replace", name, role, _size(wanted, role), reason, _price(wanted, role), machine, SIZES[role]
    )


def _removed(machine: Machine, reason: str, cause: Path) -> Change:
    return Change("remove", machine.name, machine.role, machine.size, reason, NOTHING, machine, cause)


def _powered_on(machine: Machine) -> Change:
    reason = "it is switched off, and billed all the same"
    return Change(
        "power on",
        machine.name,
        machine.role,
        machine.size,
        reason,
        machine.hourly,
        machine,
        SIZES[machine.role],
    )


def _size(wanted: Wanted, role: Role) -> str:
    return wanted.manager if role == "manager" else wanted.worker


def _price(wanted: Wanted, role: Role) -> Decimal:
    size = _size(wanted, role)
    if size not in wanted.hourly:
        raise FleetConflict(
            SIZES[role],
            f"there is no price for the size {size}, so nothing can be said of the cost",
            "choose a size that the provider lists with its price",
        )
    return wanted.hourly[size]


# ── what comes of it ─────────────────────────────────────────────────────────────────────────
def after(standing: Sequence[Machine], changes: Sequence[Change]) -> tuple[Expected, ...]:
    """The fleet once the changes are made: machines that are left as they are, then those that change."""
    touched = {change.machine.id for change in changes if change.machine}
    kept = [Expected(one.name, one.role, one.size, one.hourly) for one in standing if one.id not in touched]
    made = [
        Expected(change.name, change.role, change.size, change.hourly)
        for change in changes
        if change.verb != "remove"
    ]
    return (*kept, *made)


def hourly_of(changes: Sequence[Change], standing: Sequence[Machine]) -> Decimal:
    """US dollars an hour once the changes are made; without changes, of what stands. A machine that is
    switched off is billed like any other."""
    return sum((one.hourly for one in after(standing, changes)), NOTHING)
