"""A real Docker Swarm on the lab's hosts: one manager and some workers, all images loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from . import ground, stock
from .commands import LabError, until
from .ground import Ground
from .host import Host, Size
from .missing import missing

MANAGER = Size(cpus=2, memory_mb=4096)
WORKER = Size(cpus=2, memory_mb=2048)


class Lab:
    """A swarm by the directory of its run: what one process started, another may use (`attach`)."""

    def __init__(self, place: Ground) -> None:
        self._ground = place

    # ── its life ─────────────────────────────────────────────────────────────────────────────
    @classmethod
    def start(cls, workers: int = 3, tell: Callable[[str], None] = lambda _: None) -> Lab:
        """A swarm with all nodes Ready. Raises LabError when this machine cannot have one."""
        if lacking := missing():
            raise LabError("; ".join(lacking))
        clean()
        supplies = stock.prepare(tell)
        tell("starting the hosts …")
        lab = cls(ground.claim(stock.runs()))
        try:
            lab._form(workers, supplies)
        except BaseException:
            lab.stop()
            raise
        return lab

    @classmethod
    def attach(cls, directory: Path) -> Lab:
        """The swarm another process started, by the directory of its run."""
        return cls(ground.find(directory))

    def stop(self) -> None:
        """Removes everything that was made for this swarm."""
        self._ground.remove()

    def _form(self, workers: int, supplies: stock.Stock) -> None:
        sizes = {"manager": MANAGER, **{f"worker-{number}": WORKER for number in range(1, workers + 1)}}
        hosts = [self._ground.add(name, size, supplies.host, supplies.layers) for name, size in sizes.items()]
        with ThreadPoolExecutor(len(hosts)) as pool:
            list(pool.map(Host.power_on, hosts))
        address = self.manager.private_address
        self.manager.docker(
            *("swarm", "init", "--advertise-addr", address, "--data-path-addr", address),
            *("--listen-addr", f"{address}:2377"),
        )
        for host in self.workers:
            self._join(host)
        self.wait_until_ready()

    def _join(self, host: Host) -> None:
        token = self.manager.docker("swarm", "join-token", "--quiet", "worker").strip()
        address = host.private_address
        host.docker(
            *("swarm", "join", "--token", token, "--advertise-addr", address, "--data-path-addr", address),
            *("--listen-addr", f"{address}:2377", f"{self.manager.private_address}:2377"),
        )

    # ── its hosts ────────────────────────────────────────────────────────────────────────────
    @property
    def directory(self) -> Path:
        """Where everything of this run is; `attach` takes it."""
        return self._ground.directory

    @property
    def hosts(self) -> tuple[Host, ...]:
        return self._ground.hosts

    @property
    def manager(self) -> Host:
        return self.host("manager")

    @property
    def workers(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts if host.name != "manager")

    def host(self, name: str) -> Host:
        """The host of that name. Raises LabError when there is none."""
        return self._ground.host(name)

    def add_worker(self) -> Host:
        """One more host, in the swarm and Ready."""
        taken = {host.name for host in self.hosts}
        number = next(number for number in range(1, 100) if f"worker-{number}" not in taken)
        like = self.manager
        host = self._ground.add(f"worker-{number}", WORKER, like.image, like.layers)
        host.power_on()
        self._join(host)
        self.wait_until_ready()
        return host

    def remove_worker(self, host: Host) -> None:
        """Takes a host out of the swarm, without a goodbye, and removes it."""
        host.power_off()
        self.manager.docker("node", "rm", "--force", host.name)
        self._ground.drop(host)

    # ── its nodes ────────────────────────────────────────────────────────────────────────────
    def nodes(self) -> Mapping[str, str]:
        """What the manager says of each node: {"worker-1": "Ready", "worker-2": "Down"}."""
        listing = self.manager.docker("node", "ls", "--format", "{{.Hostname}} {{.Status}}")
        return dict(line.split() for line in listing.splitlines())

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Returns once every host is a Ready node."""
        wanted = {host.name: "Ready" for host in self.hosts}
        until(lambda: self.nodes() == wanted, "every host is a Ready node", seconds)

    def mend(self) -> None:
        """Takes back every fault: hosts on, cables in, ways out open, daemons up, nodes Ready."""
        for host in self.hosts:
            host.heal()
            host.allow_egress()
            if not host.is_on:
                host.power_on()
            host.start_daemon()
        self.wait_until_ready(120)

    def clear(self) -> None:
        """Removes every stack, and what stacks leave: secrets, configs, networks, volumes, labels."""
        for stack in self.manager.docker("stack", "ls", "--format", "{{.Name}}").split():
            self.manager.docker("stack", "rm", stack)
        for host in self.hosts:
            until(partial(_is_empty, host), f"{host.name} has no container", 90)
            host.sh("docker volume ls --quiet | xargs --no-run-if-empty docker volume rm --force")
        for kind in ("secret", "config"):
            self.manager.sh(f"docker {kind} ls --quiet | xargs --no-run-if-empty docker {kind} rm")

    # ── the way in ───────────────────────────────────────────────────────────────────────────
    @property
    def address(self) -> str:
        """What a study's `host:` says."""
        return f"ssh://root@{self.manager.public_address}"

    @property
    def ssh_config(self) -> Path:
        return self._ground.access.config

    def environment(self) -> Mapping[str, str]:
        """This process's environment, with an `ssh` first on PATH that can enter the hosts."""
        programs = self._ground.access.programs
        return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def clean(*, everyone: bool = False) -> tuple[Path, ...]:
    """Removes the labs whose process has ended; with `everyone`, those of running ones too."""
    with stock.alone():
        left = tuple(ground.abandoned(stock.runs(), everyone=everyone))
        for run in left:
            run.remove()
    return tuple(run.directory for run in left)


def _is_empty(host: Host) -> bool:
    return not host.docker("ps", "--all", "--quiet").strip()
