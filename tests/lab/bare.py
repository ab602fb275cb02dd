"""Hosts of the lab that are in no swarm, as machines are that somebody already has: sshd, Docker, nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import ground, stock
from .commands import LabError
from .ground import Ground
from .host import Host, Size
from .missing import missing
from .swarm import clean

SIZE = Size(cpus=2, memory_mb=2048)


class BareHosts:
    """Some hosts on a ground of their own; `add` and `remove` while they stand."""

    def __init__(self, place: Ground, supplies: stock.Stock) -> None:
        self._ground = place
        self._supplies = supplies

    @classmethod
    def start(cls, *names: str) -> BareHosts:
        """All switched on, their Docker answering. Raises LabError when this machine cannot have a lab."""
        if lacking := missing():
            raise LabError("; ".join(lacking))
        clean()
        started = cls(ground.claim(stock.runs()), stock.prepare(lambda _: None))
        try:
            started.add(*names)
        except BaseException:
            started.stop()
            raise
        return started

    def stop(self) -> None:
        """Removes everything that was made for them."""
        self._ground.remove()

    def add(self, *names: str) -> tuple[Host, ...]:
        hosts = [self._ground.add(name, SIZE, self._supplies.host, self._supplies.layers) for name in names]
        with ThreadPoolExecutor(max(1, len(hosts))) as pool:
            list(pool.map(Host.power_on, hosts))
        return tuple(hosts)

    def remove(self, host: Host) -> None:
        self._ground.drop(host)

    @property
    def hosts(self) -> tuple[Host, ...]:
        return self._ground.hosts

    @property
    def manager(self) -> Host:
        """The first of them: the one a study names first."""
        return self.hosts[0]

    @property
    def address(self) -> str:
        """Of a swarm that the first of them would manage."""
        return f"ssh://root@{self.manager.public_address}"

    def host(self, name: str) -> Host:
        """Raises LabError when there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"no host {name}: there are {', '.join(host.name for host in self.hosts)}")

    def environment(self) -> Mapping[str, str]:
        """This process's environment, with an `ssh` first on PATH that can enter the hosts."""
        programs = self._ground.access.programs
        return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}

    @property
    def directory(self) -> Path:
        return self._ground.directory
