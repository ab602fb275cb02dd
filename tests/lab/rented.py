"""Machines that a study rents from the imitation, and what a test does with them: look from inside, break, give back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from .commands import run, until
from .host import Host
from .imitation import Imitation
from .imitation.hosts import Hosts
from .studies import Project

REGION, MANAGER, WORKER = "nyc3", "s-2vcpu-4gb", "s-2vcpu-2gb"
OF_THE_USER = frozenset({"DIGITALOCEAN_ACCESS_TOKEN", "DOTOKEN", "SSH_AUTH_SOCK"})
"""What a study must not find by accident: the real account, and the user's own keys."""


class RentedLab:
    """An account at the imitation whose droplets are hosts, while a `with` lasts.

    `imitation` is the API (its account, its faults, its exchanges), `machines` what stands behind it.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self.machines = Hosts(tell)
        try:
            self.imitation = Imitation(self.machines, address=self.machines.address)
        except BaseException:
            self.machines.close()
            raise

    def __enter__(self) -> Self:
        self.imitation.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.imitation.close()

    # ── its machines ─────────────────────────────────────────────────────────────────────────
    def hosts(self) -> dict[str, Host]:
        """The hosts that stand, by their droplets' names."""
        return self.machines.hosts()

    def host(self, name: str) -> Host:
        """The host of a droplet, once it stands. Raises LabError when there is none."""
        return self.machines.host(name)

    def fleet(self, study: str) -> Fleet:
        """The hosts of one study."""
        return Fleet(self, study)

    # ── studies ──────────────────────────────────────────────────────────────────────────────
    def environment(self) -> Mapping[str, str]:
        """This process's environment with the account's token and address, and without the user's own."""
        own = {name: value for name, value in os.environ.items() if name not in OF_THE_USER}
        return {**own, **self.imitation.environment}

    def project(self, place: Path, name: str, **options: object) -> Project:
        """A study that rents its machines here: `options` of `cluster.provider.digitalocean`, sizes small unless said."""
        provider = {"region": REGION, "manager": MANAGER, "worker": WORKER, **options}
        return Project(self.fleet(name), place, name, {"digitalocean": provider})

    def clear(self) -> None:
        """Takes everything out of the account, whatever a test left, and waits until the machines are gone."""
        account = self.imitation.account
        with account.lock:
            for droplet in account.standing():
                account.delete(droplet)
            account.droplets.clear()
            account.keys.clear()
            account.firewalls.clear()
            account.vpcs = {name: vpc for name, vpc in account.vpcs.items() if vpc.default}
            account.images = {number: image for number, image in account.images.items() if image.public}
            account.tags.clear()
            account.misfortunes.clear()
            account.tell_walls()
        self.imitation.faults.clear()
        self.machines.settle()

    def traces(self) -> list[str]:
        """What hosts have left on this machine: namespaces, cables, control groups, directories. Nothing, once all are gone."""
        ground = self.machines.ground
        slot, network = ground.network.slot, ground.network
        links = run("ip", "-o", "link", "show").splitlines()
        cables = (network.public_bridge, network.private_bridge)
        groups = Path("/sys/fs/cgroup").glob(f"**/cloudburst-lab-{slot}/*/")
        return [
            *(line for line in run("ip", "netns", "list").splitlines() if line.startswith(f"cblab{slot}-")),
            *(line for line in links if any(f"master {bridge} " in line for bridge in cables)),
            *(str(group) for group in groups),
            *(str(place) for place in ground.directory.glob("droplet-*")),
        ]


@dataclass(frozen=True)
class Fleet:
    """A rented study's machines, with what `Project` wants of a lab."""

    lab: RentedLab
    study: str

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The manager first, then the workers by number."""
        mine = {name: host for name, host in self.lab.hosts().items() if name.startswith(f"cb-{self.study}-")}
        return tuple(mine[name] for name in sorted(mine, key=lambda name: (len(name), name)))

    @property
    def manager(self) -> Host:
        return self.lab.host(f"cb-{self.study}-manager")

    @property
    def workers(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if not host.hostname.endswith("-manager"))

    @property
    def address(self) -> str:
        """Where its manager's sshd answers."""
        return f"ssh://root@{self.manager.public_address}"

    def environment(self) -> Mapping[str, str]:
        return self.lab.environment()

    def switched_off(self, host: Host, seconds: float = 120) -> None:
        """Returns once a machine has switched itself off."""
        until(lambda: not host.is_on, f"{host.hostname} has switched itself off", seconds)
