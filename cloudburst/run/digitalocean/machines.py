"""A study's machines as values, from the account's droplets; and what is said of those that stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ...compile.fleet import Machine, machine_name
from ...compile.money import price
from ...words import listed
from .account import Account
from .names import role_tag, study_tag
from .nouns import Droplet


@dataclass(frozen=True)
class Fleet:
    """The machines as they stand: all of them up, known and told what they need."""

    manager: Machine
    workers: tuple[Machine, ...]

    @property
    def all(self) -> tuple[Machine, ...]:
        return (self.manager, *self.workers)


def standing_machines(account: Account, study: str) -> tuple[Machine, ...]:
    """Whatever carries the study's tag, the oldest first; those on their way up among them."""
    found = (machine_of(study, one) for one in account.droplets(study_tag(study)))
    return tuple(sorted(found, key=lambda one: (one.created, one.id)))


def machine_of(study: str, droplet: Droplet) -> Machine:
    manages = role_tag(study, "manager") in droplet.tags or droplet.name == machine_name(study, "manager")
    return Machine(
        id=droplet.id,
        name=droplet.name,
        role="manager" if manages else "worker",
        size=droplet.size,
        region=droplet.region,
        image=droplet.image,
        status=droplet.status,
        hourly=droplet.hourly,
        created=droplet.created,
        public=droplet.public,
        private=droplet.private,
        tags=droplet.tags,
    )


def manager_of(machines: Iterable[Machine]) -> Machine | None:
    """The oldest that lives: it holds what is computed."""
    return next((one for one in machines if one.role == "manager" and one.status != "archive"), None)


def hourly(machines: Iterable[Machine]) -> Decimal:
    """US dollars an hour for all of them."""
    return sum((one.hourly for one in machines), Decimal(0))


def what_stands(machines: Sequence[Machine]) -> str:
    """`cb-waves-manager (id 1) and cb-waves-worker-1 (id 2) stand, 0.107 USD an hour`; "" when nothing does."""
    if not machines:
        return ""
    named = [f"{one.name} (id {one.id}{', off' if one.status == 'off' else ''})" for one in machines]
    return f"{listed(named)} {'stand' if len(named) > 1 else 'stands'}, {price(hourly(machines))}"
