"""A cluster of droplets: rented when there is something to compute, made one swarm, and the study's stack on it.

What is rented, and in which order, is run/digitalocean's; what stands on it is the swarm provider's. Here is
what joins them.
"""

from __future__ import annotations

import threading
import time

from ...compile.fleet import FleetConflict, Machine
from ...diagnostics import in_order
from ...errors import ProviderError, SpecError, Unreachable
from ...spec.ensemble import Ensemble
from ..contexts import SshDocker
from ..digitalocean.account import Account, open_account
from ..digitalocean.approach import Approach
from ..digitalocean.ground import admit_caller
from ..digitalocean.handover import reaper_token
from ..digitalocean.judge import judge
from ..digitalocean.machines import Fleet, manager_of, standing_machines, what_stands
from ..digitalocean.provision import Provision
from ..events import Doing, Event, Note, OnEvent, StopSignal
from ..formation import Formation, Member
from ..observe import Study
from ..places import Places
from . import Endpoints
from .swarm import PATIENCE, SwarmCluster, managed, stack_stands

ADMIT_EVERY = 30.0
"""Seconds between two looks at our own address while the machines cannot be reached: laptops travel."""


YOUNG = 900.0
"""Seconds in which a machine that does not answer may still be on its first boot."""


class DigitalOceanCluster:
    """The study's machines and its stack. Everything may raise ProviderError, and KeyboardInterrupt."""

    def __init__(self, study: Study, on_event: OnEvent, stop: StopSignal) -> None:
        """Raises ProviderError when a token is missing; makes no request yet."""
        reaper_token(study.ensemble)
        self._study = study
        self._on_event = one_at_a_time(on_event)
        self._stop = stop
        self._account = open_account(stop, lambda why: self._on_event(Doing("digitalocean", why)))
        self._swarm: SwarmCluster | None = None
        self._next_admission = 0.0

    @property
    def outlives_us(self) -> bool:
        return True

    def stands(self) -> bool:
        """Whether machines are there that may know more than this one: the stack stands, or its manager is off.

        Raises Unreachable when a manager that was entered before does not answer.
        """
        machines = standing_machines(self._account, self._study.ensemble.name)
        manager = manager_of(machines)
        approach = Approach(self._account, self._study.places)
        if manager is None or approach.is_fresh(manager):
            self._mind(machines)
            return False
        if manager.status == "off":
            return True
        try:
            if serves(way_to(self._study.ensemble, self._account, approach, manager), self._study):
                return True
        except Unreachable:
            if time.time() - manager.created > YOUNG:
                raise
        self._mind(machines)
        return False

    def start(self) -> Endpoints:
        judged = judge(self._study.ensemble, self._account)
        if judged.wanted is None:
            raise SpecError(in_order(self._study.loaded.document.place(judged.problems)))
        provision = Provision(self._study, self._account, self._swarm_of, self._on_event, self._stop)
        try:
            fleet = provision.converge(judged.wanted)
        except FleetConflict as conflict:
            raise SpecError(self._study.loaded.document.place([conflict.problem])) from conflict
        docker = provision.approach.keys.way_to(fleet.manager)
        self._swarm = SwarmCluster(self._study, docker, self._on_event, self._stop)
        return self._swarm.start()

    def watch(self) -> None:
        if self._swarm is None:
            return
        self._swarm.watch()
        if self._swarm.is_cut_off and time.monotonic() >= self._next_admission:
            self._next_admission = time.monotonic() + ADMIT_EVERY
            admit_caller(self._account, self._study.ensemble)

    def stop(self, *, now: bool) -> None:
        if self._swarm is not None:
            self._swarm.stop(now=now)
        self._account.close()
        self._swarm = None

    def _swarm_of(self, fleet: Fleet, approach: Approach) -> Formation:
        return formation_of(
            self._study.ensemble, self._study.places, fleet, approach, self._on_event, self._stop
        )

    def _mind(self, machines: tuple[Machine, ...]) -> None:
        """Machines without a stack are no reason to compute, but they are billed."""
        if machines:
            self._on_event(
                Note(f"{what_stands(machines)}; `cloudburst destroy` gives back what is not needed")
            )


def one_at_a_time(on_event: OnEvent) -> OnEvent:
    """Several threads ask the account at the same time; who is told of it need not know."""
    turn = threading.Lock()

    def tell(event: Event) -> None:
        with turn:
            on_event(event)

    return tell


def formation_of(
    ensemble: Ensemble, places: Places, fleet: Fleet, approach: Approach, on_event: OnEvent, stop: StopSignal
) -> Formation:
    """The swarm of a fleet, on its private addresses."""

    def member(machine: Machine) -> Member:
        return Member(machine.name, approach.keys.way_to(machine), machine.private or "")

    return Formation(
        ensemble, member(fleet.manager), [member(one) for one in fleet.workers], places, on_event, stop
    )


# ── finding the way back ─────────────────────────────────────────────────────────────────────
def manager_docker(ensemble: Ensemble, places: Places, account: Account | None = None) -> SshDocker | None:
    """The Docker of the study's manager, by ssh; None when no manager stands that was ever entered to the end.

    The caller's address is let in, and a manager this machine never saw is recognised by its tags. Raises
    Unreachable when it is off or on its way up, and ProviderError when somebody else answers in its place.
    """
    if account is None:
        with open_account() as opened:
            return manager_docker(ensemble, places, opened)
    manager = manager_of(standing_machines(account, ensemble.name))
    approach = Approach(account, places)
    if manager is None or approach.is_fresh(manager):
        return None
    return way_to(ensemble, account, approach, manager)


def way_to(ensemble: Ensemble, account: Account, approach: Approach, manager: Machine) -> SshDocker:
    """Raises as `manager_docker` does."""
    if manager.status == "off":
        raise Unreachable(
            f"{manager.name} (id {manager.id}) is switched off, and billed all the same",
            "`cloudburst apply` switches it on, `cloudburst destroy` gives it back",
        )
    if not manager.public:
        raise Unreachable(f"{manager.name} (id {manager.id}) has no address yet", "it is only just starting")
    admit_caller(account, ensemble)
    approach.recognise(manager)
    return approach.keys.way_to(manager)


def serves(docker: SshDocker, study: Study) -> bool:
    """Whether the study's stack stands there. Raises Unreachable when the manager does not answer."""
    with managed(docker, study.places, patience=PATIENCE) as swarm:
        try:
            return swarm.standing().manages and stack_stands(swarm, study.ensemble.name)
        except Unreachable:
            raise
        except ProviderError:
            return False  # there is no Docker yet: its first boot was never waited for
