"""What stands behind the droplets: nothing but words (`Paper`), or machines.

The seam of the imitation: the state of the account says what exists, a backend makes it so. Every method is called with
the account's lock held, by one thread at a time; none may take long (a machine is made in a thread of the backend's own)
and none may call the account back.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from .catalogue import Size

Power = Literal["on", "off", "cycle", "reboot", "shutdown"]

Fate = Literal["stuck", "errored", "no network", "silent", "impostor"]
"""What goes wrong with a droplet that was accepted: it stays `new` for ever; its creation ends in an error and it vanishes;
it becomes active and never has an address; it has addresses and nothing answers there; another host key answers there.
The first three are words alone; the last two are the backend's to play."""


@dataclass(frozen=True)
class Birth:
    """A droplet to make. `image` is a slug, or the id of a snapshot as text; `keys` are public keys, whole lines;
    `ip_range` is the VPC's, in CIDR notation."""

    id: int
    name: str
    region: str
    size: Size
    image: str
    keys: tuple[str, ...]
    user_data: str
    tags: tuple[str, ...]
    vpc: str
    ip_range: str
    fate: Fate | None = None


@dataclass(frozen=True)
class Addresses:
    """Both in dotted form."""

    public: str
    private: str


@dataclass(frozen=True)
class Rule:
    """Traffic that is let through: `low` to `high` are ports (0 to 65535: all of them; both 0 for icmp),
    `networks` are addresses and ranges, `droplets` the ids of droplets whose addresses count, both of each."""

    protocol: Literal["tcp", "udp", "icmp"]
    low: int
    high: int
    networks: tuple[str, ...]
    droplets: tuple[int, ...]


@dataclass(frozen=True)
class Wall:
    """All that may pass to and from one droplet; answers to what passed may pass too. What no rule lets through is
    dropped: without outbound rules a droplet reaches nothing."""

    inbound: tuple[Rule, ...]
    outbound: tuple[Rule, ...]


class Backend(Protocol):
    """Makes what the account says."""

    def ip_range(self, region: str) -> str | None:
        """The private network that VPCs of a region have, in CIDR notation; None: whatever is asked for."""

    def create(self, birth: Birth) -> None:
        """Begins to make a machine, and returns."""

    def addresses(self, droplet: int) -> Addresses | None:
        """None while the machine has none; the droplet stays `new` until it has."""

    def is_on(self, droplet: int) -> bool:
        """Is it running? A machine may switch itself off."""

    def power(self, droplet: int, how: Power) -> None:
        """Switches it, and returns."""

    def resize(self, droplet: int, size: Size) -> None:
        """Gives a machine that is off another size; it keeps its disk."""

    def snapshot(self, droplet: int, image: int) -> None:
        """Keeps the disk of a machine: a later birth may name this image."""

    def destroy(self, droplet: int) -> None:
        """Takes a machine away with its disk, whatever it is doing. One that is not there is no error."""

    def firewall_changed(self, walls: Mapping[int, Wall | None]) -> None:
        """What may pass from now on, for every droplet there is; None: no firewall covers it, all may pass."""

    def close(self) -> None:
        """The imitation ends: takes away what still stands."""


class Paper:
    """Droplets are words: they have addresses at once, and nothing answers there.

    `walls` is what it was told of firewalls last, `sizes` and `on` are what it knows of the droplets.
    """

    PUBLIC = ipaddress.IPv4Network("203.0.113.0/24")  # for documentation (RFC 5737): nobody's

    def __init__(self) -> None:
        self.births: dict[int, Birth] = {}
        self.on: dict[int, bool] = {}
        self.sizes: dict[int, Size] = {}
        self.snapshots: dict[int, int] = {}
        self.walls: Mapping[int, Wall | None] = {}
        self._addresses: dict[int, Addresses] = {}

    def ip_range(self, region: str) -> str | None:
        return None

    def create(self, birth: Birth) -> None:
        taken = self._addresses.values()
        self.births[birth.id] = birth
        self.on[birth.id] = True
        self.sizes[birth.id] = birth.size
        self._addresses[birth.id] = Addresses(
            _free(self.PUBLIC, {one.public for one in taken}),
            _free(ipaddress.IPv4Network(birth.ip_range), {one.private for one in taken}),
        )

    def addresses(self, droplet: int) -> Addresses | None:
        return self._addresses.get(droplet)

    def is_on(self, droplet: int) -> bool:
        return self.on.get(droplet, False)

    def power(self, droplet: int, how: Power) -> None:
        if how == "shutdown" and self.births[droplet].fate == "silent":
            return  # who does not answer does not listen either
        self.on[droplet] = how not in ("off", "shutdown")

    def resize(self, droplet: int, size: Size) -> None:
        self.sizes[droplet] = size

    def snapshot(self, droplet: int, image: int) -> None:
        self.snapshots[image] = droplet

    def destroy(self, droplet: int) -> None:
        self.on.pop(droplet, None)
        self._addresses.pop(droplet, None)

    def firewall_changed(self, walls: Mapping[int, Wall | None]) -> None:
        self.walls = walls

    def close(self) -> None:
        self._addresses.clear()


def _free(network: ipaddress.IPv4Network, taken: set[str]) -> str:
    """The lowest address of a network that nobody has; the first one is the gateway's."""
    hosts = network.hosts()
    next(hosts)
    return next(str(one) for one in hosts if str(one) not in taken)
