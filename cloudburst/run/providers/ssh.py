"""Machines one already has, reached by ssh: the swarm that is made of them for one study, and its stack on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from ...errors import ProviderError
from ...spec.ensemble import Ensemble
from ..contexts import Docker, read_host
from ..events import Event, OnEvent, StopSignal, Warned
from ..formation import Formation, Member
from ..machines import Machines
from ..networks import Networks, ask_networks
from ..observe import Study
from ..places import Places
from ..swarm import MEMBER, Named, Node, Swarm
from . import Endpoints
from .swarm import PATIENCE, SwarmCluster, managed, stack_stands


# ── the hosts ────────────────────────────────────────────────────────────────────────────────
def find_manager(ensemble: Ensemble) -> Docker:
    """The first of the hosts. Raises ProviderError when it cannot be read."""
    return _docker(_names(ensemble)[0])


@dataclass(frozen=True)
class Hosts:
    """The machines a study names, those that answer reached. Good inside the `with` of `reached_hosts`."""

    ensemble: Ensemble
    places: Places
    members: tuple[Member, ...]
    machines: Machines
    stop: StopSignal

    @property
    def manager(self) -> Swarm:
        return self.machines[self.members[0].name]

    def formation(self, on_event: OnEvent, *also: Member) -> Formation:
        """The swarm they are to be; `also` are in it and named no more."""
        manager, *workers = (*self.members, *also)
        return Formation(
            self.ensemble, manager, workers, self.places, on_event, self.stop, machines=self.machines
        )

    def form(self, on_event: OnEvent) -> None:
        """All of them in one swarm, and nobody who is not named any more."""
        formation = self.formation(on_event)
        away = [node for node in formation.departed() if node.state == "down"]
        for kept in formation.release(_leavers(away)):
            on_event(Warned(kept))
        formation.form()
        for kept in formation.release(_leavers(formation.departed())):
            on_event(Warned(kept))

    def swarm_of_study(self) -> tuple[Named, ...]:
        """By its manager's name; none where nothing is left of one that was made for the study."""
        manager = self.members[0].name
        return (Named(manager, manager),) if self.formation(_to_nobody).stands() else ()

    def dissolve(self, on_event: OnEvent) -> tuple[str, ...]:
        """No swarm of the study, on those that are named or were; what was left, in sentences."""
        gone = _leavers(self.formation(on_event).departed())
        return self.formation(on_event, *gone).dissolve()


@contextmanager
def reached_hosts(ensemble: Ensemble, places: Places, stop: StopSignal) -> Iterator[Hosts]:
    """Raises Unreachable and ProviderError when there is no way to the manager, or a host has no address to
    talk to the others."""
    names = _names(ensemble)
    dockers = {name: _docker(name) for name in names}
    with Machines(places, stop) as machines:
        away = machines.reach(dockers)
        if names[0] in away:
            raise away[names[0]]
        there = [name for name in names if name not in away]
        networks = machines.each(there, lambda name: ask_networks(machines[name].link))
        within = ensemble.cluster.options.get("network")
        members = (
            Member(
                name, dockers[name], find_address(name, networks[name], within) if name in networks else ""
            )
            for name in names
        )
        yield Hosts(ensemble, places, tuple(members), machines, stop)


def find_address(name: str, networks: Networks, within: object) -> str:
    """Where the other hosts reach this one: in the network `within` (a CIDR), or without one where ssh did.

    Raises ProviderError when there is no such address.
    """
    if within is None:
        at = networks.reached_at
        if at and not IPv4Address(at).is_loopback:
            return at
        raise ProviderError(
            f"{name} is reached at an address that is none for other machines ({at or 'not of IPv4'})",
            "`network: 10.0.0.0/24` beside `hosts` names the network in which they reach each other",
        )
    network = IPv4Network(str(within))
    found = [address for address in networks.addresses if address in network]
    if not found:
        raise ProviderError(
            f"{name} has no address in {network}: it has {networks}",
            "`network` beside `hosts` is one that all of them are in",
        )
    return str(found[0])


def _names(ensemble: Ensemble) -> tuple[str, ...]:
    hosts = ensemble.cluster.options["hosts"]
    return tuple(str(host) for host in hosts) if isinstance(hosts, Sequence) else ()


def _docker(name: str) -> Docker:
    return read_host(f"ssh://{name}", "`hosts`")


def _to_nobody(_event: Event) -> None:
    """Looking takes no time worth telling of."""


def _leavers(nodes: Sequence[Node]) -> tuple[Member, ...]:
    """A node carries the name of its host, so that it can be reached when the file says it no more."""
    return tuple(Member(name, _docker(name), "") for name in (node.labels[MEMBER] for node in nodes))


# ── the cluster ──────────────────────────────────────────────────────────────────────────────
class SshCluster:
    """The study's stack on a swarm of its own. Everything may raise ProviderError, and KeyboardInterrupt
    when the user wants to stop."""

    def __init__(self, study: Study, on_event: OnEvent, stop: StopSignal) -> None:
        """Nothing is reached yet."""
        self._study = study
        self._on_event = on_event
        self._stop = stop
        self._stack = SwarmCluster(study, find_manager(study.ensemble), on_event, stop)

    @property
    def outlives_us(self) -> bool:
        return True

    def stands(self) -> bool:
        """Not on a swarm that is somebody else's: `start` says so."""
        ensemble, places = self._study.ensemble, self._study.places
        with managed(find_manager(ensemble), places, patience=PATIENCE) as swarm:
            ours = swarm.standing().manages and swarm.made_by() == ensemble.name
            return ours and stack_stands(swarm, ensemble.name)

    def start(self) -> Endpoints:
        with reached_hosts(self._study.ensemble, self._study.places, self._stop) as hosts:
            hosts.form(self._on_event)
        return self._stack.start()

    def watch(self) -> None:
        self._stack.watch()

    def stop(self, *, now: bool) -> None:
        self._stack.stop(now=now)
