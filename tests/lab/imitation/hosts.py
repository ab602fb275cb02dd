"""Droplets that are hosts of the lab: real processes behind the imitation's words.

A droplet is a host on a ground of its own, told by cloud-init who it is and what its user_data wants. It comes up, and
goes, in the background, as a rented one does; what it is asked to do happens in the order it was asked. See docs/lab.md.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from .. import ground, stock, swarm
from ..access import generate
from ..commands import LabError, until
from ..ground import Ground
from ..host import BOOT, Disk, Host
from ..host import Size as HostSize
from ..missing import missing
from .backend import Addresses, Birth, Power, Rule, Wall
from .catalogue import Size

SEED = "var/lib/cloud/seed/nocloud"
NO_USER_DATA = "#cloud-config\n{}\n"
WORDS_ALONE = ("stuck", "errored")
"""Fates of droplets that never come to be: no machine is made."""

SHUTDOWN = 60.0
"""Seconds a machine has for switching itself off; one that does not is left on, as a rented one is."""


@dataclass
class Machine:
    """A droplet's host, and what it was asked to do: one thing after the other, in a thread of its own."""

    birth: Birth
    host: Host
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    stands: threading.Event = field(default_factory=threading.Event)
    unwanted: threading.Event = field(default_factory=threading.Event)
    pretends: bool = False
    """Only a silent one does: it says that it is on, and is not."""


class Hosts:
    """A backend whose droplets are hosts. Its ground and all on it are gone after `close`.

    `problems` has a sentence for everything that went wrong in the background; `close` raises LabError with them.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        if lacking := missing():
            raise LabError("; ".join(lacking))
        swarm.clean()
        self._stock = stock.prepare(tell)
        self._ground = ground.claim(stock.runs())
        self._ground.network.route_everything()
        self._machines: dict[int, Machine] = {}
        self._under_way: list[Future[None]] = []
        self._snapshots: dict[str, Future[None]] = {}
        self.problems: list[str] = []

    # ── to look at ───────────────────────────────────────────────────────────────────────────
    @property
    def ground(self) -> Ground:
        """What the hosts stand on."""
        return self._ground

    @property
    def address(self) -> str:
        """Where this machine is reached by its hosts, and from where it reaches them: an imitation listens here."""
        return str(self._ground.network.public[1])

    def hosts(self) -> dict[str, Host]:
        """The hosts by their droplets' names; of twins the younger."""
        return {machine.birth.name: machine.host for machine in self._machines.values()}

    def host(self, name: str) -> Host:
        """The host of the droplet of that name, once it stands. Raises LabError when there is none."""
        found = [machine for machine in self._machines.values() if machine.birth.name == name]
        if not found:
            raise LabError(f"no droplet {name}: there are {', '.join(self.hosts()) or 'none'}")
        if not found[-1].stands.wait(60):
            raise LabError(
                f"{name} does not stand after 60 s: {'; '.join(self.problems) or 'nothing went wrong'}"
            )
        return found[-1].host

    def settle(self) -> None:
        """Returns once all that was asked for is done."""
        wait(self._under_way)

    # ── the backend ──────────────────────────────────────────────────────────────────────────
    def ip_range(self, region: str) -> str | None:
        return str(self._ground.network.private)

    def create(self, birth: Birth) -> None:
        if birth.fate in WORDS_ALONE:
            return
        name = f"droplet-{birth.id}"
        supplies = (_fitting(birth.size), self._stock.host, self._stock.layers)
        machine = Machine(birth, self._ground.note(name, *supplies, hostname=birth.name))
        self._machines[birth.id] = machine
        self._do(machine, lambda: self._make(machine))

    def addresses(self, droplet: int) -> Addresses | None:
        machine = self._machines.get(droplet)
        return _addresses(machine.host) if machine and machine.stands.is_set() else None

    def is_on(self, droplet: int) -> bool:
        machine = self._machines.get(droplet)
        return machine is not None and (machine.pretends or machine.host.is_on)

    def power(self, droplet: int, how: Power) -> None:
        if machine := self._machines.get(droplet):
            self._do(machine, lambda: _switch(machine, how))

    def resize(self, droplet: int, size: Size) -> None:
        if machine := self._machines.get(droplet):
            self._do(machine, lambda: self._refit(machine, size))

    def snapshot(self, droplet: int, image: int) -> None:
        if machine := self._machines.get(droplet):
            kept = self._kept(str(image))
            self._snapshots[str(image)] = self._do(machine, lambda: Disk(machine.host.directory).copy(kept))

    def destroy(self, droplet: int) -> None:
        if machine := self._machines.pop(droplet, None):
            machine.unwanted.set()
            self._do(machine, lambda: self._ground.drop(machine.host))
            machine.thread.shutdown(wait=False)

    def firewall_changed(self, walls: Mapping[int, Wall | None]) -> None:
        standing = {droplet: _addresses(machine.host) for droplet, machine in self._machines.items()}
        built = {droplet: wall for droplet, wall in walls.items() if wall is not None and droplet in standing}
        self._ground.network.build_walls("".join(_chains(built, standing)))

    def close(self) -> None:
        for droplet in tuple(self._machines):
            self.destroy(droplet)
        self.settle()
        self._ground.remove()
        if self.problems:
            raise LabError("\n".join(self.problems))

    # ── in the background ────────────────────────────────────────────────────────────────────
    def _do(self, machine: Machine, work: Callable[[], None]) -> Future[None]:
        """Has it done after what the machine was asked before."""

        def noted() -> None:
            try:
                work()
            except Exception as error:
                self.problems.append(f"{machine.birth.name}: {error}")

        self._under_way = [one for one in self._under_way if not one.done()]
        self._under_way.append(machine.thread.submit(noted))
        return self._under_way[-1]

    def _make(self, machine: Machine) -> None:
        if machine.unwanted.is_set():
            return
        birth, host = machine.birth, machine.host
        host.prepare({**seed(birth), **self._other_key(birth)}, self._disk(birth))
        host.network.set_apart(host.place)
        if birth.fate == "no network":
            host.partition()
        machine.pretends = birth.fate == "silent"
        if not machine.pretends:
            host.switch_on()
        machine.stands.set()

    def _disk(self, birth: Birth) -> Disk | None:
        """What the droplet's image holds, when it is a snapshot."""
        taken = self._snapshots.get(birth.image)
        if taken is None:
            return None
        taken.result()
        return self._kept(birth.image)

    def _kept(self, image: str) -> Disk:
        return Disk(self._ground.directory / "snapshots" / image)

    def _other_key(self, birth: Birth) -> Mapping[str, str]:
        """An impostor's sshd shows a key that nobody planted, whatever it is told: of several of a kind the first counts."""
        if birth.fate != "impostor":
            return {}
        place = self._ground.directory / f"impostor-{birth.id}"
        generate(place)
        return {
            "etc/ssh/sshd_config.d/00-impostor.conf": "HostKey /etc/ssh/impostor_key\n",
            "etc/ssh/impostor_key": place.read_text(),
        }

    def _refit(self, machine: Machine, size: Size) -> None:
        machine.host = self._ground.resize(machine.host, _fitting(size))


def seed(birth: Birth) -> Mapping[str, str]:
    """What cloud-init finds on the machine: who it is, who may enter as root, and the user_data."""
    about = {"instance-id": str(birth.id), "local-hostname": birth.name, "public-keys": list(birth.keys)}
    return {
        f"{SEED}/user-data": birth.user_data or NO_USER_DATA,
        f"{SEED}/meta-data": json.dumps(about),
        "etc/cloud/cloud.cfg.d/99-lab.cfg": (Path(BOOT) / "cloud.cfg").read_text(),
    }


def _switch(machine: Machine, how: Power) -> None:
    """Does what the button, or the request to the operating system, does to a machine on or off."""
    host = machine.host
    if machine.birth.fate == "silent":
        machine.pretends = how not in ("off", "shutdown")
        return
    if how in ("off", "cycle"):
        host.power_off()
    if how in ("on", "cycle") and not host.is_on:
        host.switch_on()
    if how == "reboot" and host.is_on:
        host.sh("reboot")
    if how == "shutdown" and host.is_on:
        host.shut_down()
        with contextlib.suppress(LabError):
            until(lambda: not host.is_on, "it has switched itself off", SHUTDOWN)


def _fitting(size: Size) -> HostSize:
    return HostSize(cpus=size.vcpus, memory_mb=size.memory)


def _addresses(host: Host) -> Addresses:
    return Addresses(host.public_address, host.private_address)


# ── the cloud firewall ───────────────────────────────────────────────────────────────────────
def _chains(walls: Mapping[int, Wall], standing: Mapping[int, Addresses]) -> Iterator[str]:
    """Two chains for each droplet behind a wall, and the two that lead there by either of its addresses."""
    for droplet, wall in walls.items():
        yield _chain(f"in_{droplet}", wall.inbound, "saddr", standing)
        yield _chain(f"out_{droplet}", wall.outbound, "daddr", standing)
    for chain, short, end in (("inbound", "in", "daddr"), ("outbound", "out", "saddr")):
        jumps = [
            f"{address} : jump {short}_{droplet}"
            for droplet in walls
            for address in (standing[droplet].public, standing[droplet].private)
        ]
        lines = [f"ip {end} vmap {{ {', '.join(jumps)} }}"] if jumps else []
        yield _text(chain, lines)


def _chain(name: str, rules: Iterable[Rule], other: str, standing: Mapping[int, Addresses]) -> str:
    lines = []
    for rule in rules:
        if others := _others(rule, standing):
            lines.append(f"{_what(rule)} ip {other} {{ {', '.join(others)} }} return")
    return _text(name, [*lines, "drop"])


def _what(rule: Rule) -> str:
    if rule.protocol == "icmp":
        return "meta l4proto icmp"
    return f"{rule.protocol} dport {rule.low}-{rule.high}"


def _others(rule: Rule, standing: Mapping[int, Addresses]) -> list[str]:
    """The addresses at a rule's other end, IPv4 only: the lab has no other. No two overlap, as nft wants it."""
    named = [ipaddress.ip_network(one, strict=False) for one in rule.networks]
    droplets = [standing[one] for one in rule.droplets if one in standing]
    own = [ipaddress.IPv4Network(address) for one in droplets for address in (one.public, one.private)]
    wanted = [*(one for one in named if isinstance(one, ipaddress.IPv4Network)), *own]
    return [str(one) for one in ipaddress.collapse_addresses(wanted)]


def _text(chain: str, lines: Iterable[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"  chain {chain} {{\n{body}  }}\n"
