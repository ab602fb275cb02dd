"""Who is to be in a swarm that we make, judged: what each machine is now, and why it cannot come in.

Decides from what the machines tell (swarm.py, networks.py) and touches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal, TypeVar

from ..errors import ProviderError
from ..words import listed
from .contexts import Docker
from .networks import BRIDGES, POOLS, Networks, choose
from .swarm import MEMBER, PORT, Bridge, Node, Standing
from .terrain import check_engine

OPEN_PORTS = "2377/tcp, 7946/tcp and udp, 4789/udp"
"""What machines of a swarm must be able to reach of each other."""

Place = Literal["apart", "inside", "stray"]
"""In no swarm; in ours; or left behind by one of ours that is no more, or that let go of it."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Member:
    """A machine of the swarm. `name` is what people call it, and no two have the same; `address` is the one
    (IPv4) at which the others reach it, empty while it cannot be asked: then it has to be in already."""

    name: str
    docker: Docker
    address: str


@dataclass(frozen=True)
class Seen:
    """A member as it was found. `made_by`: the study its swarm was made for, where it manages one."""

    member: Member
    standing: Standing
    made_by: str
    networks: Networks

    @property
    def name(self) -> str:
        return self.member.name


def check_members(members: Sequence[Member]) -> None:
    """Raises ProviderError when two are one."""
    for name, twins in _twice((member.name, member) for member in members):
        raise ProviderError(f"{name} is named {len(twins)} times", "each machine is named once")
    for address, twins in _twice((member.address, member) for member in members if member.address):
        raise ProviderError(
            f"{listed(member.name for member in twins)} are both at {address}",
            "they are one machine, or `network` has to name one in which they have addresses of their own",
        )


def check_machines(seen: Sequence[Seen]) -> None:
    """Raises ProviderError for a machine that can be in no swarm of ours, or could not be told from another."""
    for one in seen:
        check_engine(one.standing, one.name)
        if one.standing.swarm == "locked":
            raise ProviderError(
                f"the swarm of {one.name} is locked since its Docker was started again",
                "over there: `docker swarm unlock`, or `docker swarm leave --force` when nobody needs it",
            )
        if not one.member.address or not one.networks.has(one.member.address):
            missing = one.member.address or "that the others could reach"
            raise ProviderError(
                f"{one.name} has no address {missing}: it has {one.networks}",
                "`network` names the one that all have in common",
            )
    for host, twins in _twice((one.standing.name, one) for one in seen):
        raise ProviderError(
            f"{listed(one.name for one in twins)} have the same host name {host}: "
            "what they report could not be told apart",
            "give each its own (`hostnamectl set-hostname`) and restart Docker there",
        )


def place_of_manager(manager: Seen, seen: Sequence[Seen], study: str) -> Place:
    """`apart` or `inside`. Raises ProviderError when it is in a swarm that is not ours, or not as we want it."""
    standing, name = manager.standing, manager.name
    if standing.swarm == "inactive":
        return "apart"
    if standing.swarm != "active":
        raise _unready(manager)
    if not standing.manages:
        other = next((one for one in seen if one.standing.manages), None)
        if other is not None and other.made_by == study:
            raise _another_manages(other, name)
        raise _elsewhere(manager)
    if manager.made_by != study:
        raise _not_ours(manager)
    if standing.address != manager.member.address:
        raise ProviderError(
            f"the swarm of {name} talks on {standing.address}, and is to talk on {manager.member.address}",
            "`cloudburst destroy`, then `cloudburst apply`: a swarm cannot move",
        )
    return "inside"


def place_of_worker(worker: Seen, manager: Member, nodes: Sequence[Node], study: str) -> Place:
    """`nodes` are those of our swarm. Raises ProviderError when it is in another one."""
    standing = worker.standing
    if standing.swarm == "inactive":
        return "apart"
    if standing.manages and worker.made_by == study:
        raise _another_manages(worker, manager.name)
    if standing.manages:
        raise _not_ours(worker)
    if f"{manager.address}:{PORT}" not in standing.managers:
        raise _elsewhere(worker) if standing.managers else _unready(worker)
    known = standing.swarm == "active" and any(node.id == standing.node for node in nodes)
    return "inside" if known and standing.address == worker.member.address else "stray"


def old_selves(nodes: Sequence[Node], machine: Seen, place: Place) -> tuple[Node, ...]:
    """The nodes that this machine was before it was made anew, or left behind.

    Raises ProviderError when a node of its host name is at work and is not known to be it.
    """
    own = machine.standing.node if place == "inside" else ""
    namesakes = [node for node in nodes if node.name == machine.standing.name and node.id != own]
    for node in namesakes:
        if node.manager or (node.state == "ready" and node.labels.get(MEMBER) != machine.name):
            raise ProviderError(
                f"there is another node called {node.name} in the swarm already, and {machine.name} is to come in",
                "give it its own host name (`hostnamectl set-hostname`) and restart Docker there; "
                "if it was made anew a moment ago, try again",
            )
    return tuple(namesakes)


def departed(nodes: Sequence[Node], members: Sequence[Member]) -> tuple[Node, ...]:
    """The nodes that were members and are none any more."""
    names = {member.name for member in members}
    return tuple(
        node for node in nodes if not node.manager and node.labels.get(MEMBER, "") not in {"", *names}
    )


def choose_pool(seen: Sequence[Seen]) -> IPv4Network:
    """Where the networks between the machines have room. Raises ProviderError when there is none."""
    found = choose(
        POOLS,
        (network for one in seen for network in one.networks.linked),
        (network for one in seen for network in one.networks.routed),
    )
    if found is None:
        raise ProviderError("the machines are in every private network there is: none is left for a swarm")
    return found


def check_pool(pool: Iterable[str], machine: Seen) -> None:
    """Raises ProviderError when a machine that comes later is in a network that the swarm has for itself."""
    for network in map(IPv4Network, pool):
        for other in machine.networks.linked:
            if network.overlaps(other):
                raise ProviderError(
                    f"{machine.name} is in the network {other}, and the swarm has {network} for its containers",
                    "`cloudburst destroy`, then `cloudburst apply`: the swarm is then made where all have room",
                )


def choose_subnet(machine: Seen, subnets: Iterable[str], members: Iterable[Member]) -> IPv4Network:
    """For the bridge of one machine: beside its networks, those that Docker has or will have (`subnets`), and
    the members.

    Raises ProviderError when there is none.
    """
    taken = [*machine.networks.linked, *(IPv4Network(one) for one in subnets if ":" not in one)]
    taken += [IPv4Network(member.address) for member in members if member.address]
    found = choose(BRIDGES, taken, machine.networks.routed)
    if found is None:
        raise ProviderError(
            f"{machine.name} is in every private network there is: none is left for containers"
        )
    return found


def may_replace(bridge: Bridge, ours: bool) -> bool:
    """Whether nothing is lost when a bridge of no swarm is made anew: Docker or we made it, and nobody is on it."""
    return not bridge.in_use and (ours or bridge.as_docker_makes_it)


def refuses_join(worker: Member, manager: Member, said: str) -> ProviderError:
    """Why a machine does not come in, as Docker there has it."""
    return ProviderError(
        f"{worker.name} does not get into the swarm of {manager.name} at {manager.address}:{PORT}: {said}",
        f"machines of a swarm must reach each other at {OPEN_PORTS}; `network` names the one to use",
    )


# ── sentences ────────────────────────────────────────────────────────────────────────────────
def _not_ours(machine: Seen) -> ProviderError:
    whose = f"of the study {machine.made_by}" if machine.made_by else "that CloudBurst did not make"
    return ProviderError(
        f"{machine.name} manages a swarm {whose}: it is left as it is",
        f"to use it: `provider: {{swarm: {{host: {machine.member.docker}}}}}`; "
        "when nobody needs it: `docker swarm leave --force` there",
    )


def _elsewhere(machine: Seen) -> ProviderError:
    managers = listed(machine.standing.managers)
    return ProviderError(
        f"{machine.name} is in another swarm already, the one of {managers}: it is left as it is",
        f"to use that swarm: `provider: {{swarm: {{host: …}}}}` with its manager; else `docker swarm leave` on {machine.name}",
    )


def _another_manages(manager: Seen, wanted: str) -> ProviderError:
    return ProviderError(
        f"{manager.name} manages the study's swarm, and {wanted} is to",
        f"name {manager.name} first, or `cloudburst destroy` before you change it",
    )


def _unready(machine: Seen) -> ProviderError:
    return ProviderError(
        f"Docker on {machine.name} is not ready to be in a swarm: its state is {machine.standing.swarm}",
        "over there: `docker info` says more; `docker swarm leave --force` makes it forget an old one",
    )


def _twice(pairs: Iterable[tuple[str, _T]]) -> Iterator[tuple[str, list[_T]]]:
    found: dict[str, list[_T]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    yield from ((key, values) for key, values in found.items() if len(values) > 1)
