"""Machines behind the imitation's words, as ssh meets them: each is a directory in which the real scripts run.

A machine shows the host key that its first instructions planted, lets in whom they name, and is ready or not. What
a script over there reads and writes lies under the machine's own directory; `systemctl` only takes notice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cloudburst.errors import ProviderError, Unreachable
from cloudburst.run.contexts import SshDocker
from cloudburst.run.digitalocean.keys import PublicKey, read_public_key
from cloudburst.run.ssh import Finished
from tests.lab.imitation import Imitation

ELSEWHERE = ("/etc/ssh", "/var/lib/cloudburst", "/var/lib/docker", "/run/sshd.pid")
"""Directories of a machine that scripts name."""


@dataclass
class PlayedMachine:
    """`place` is its disk. `stage` is how its first boot ended; `is_shut`: nobody answers there; `image`: files that
    were on its disk before it was made."""

    place: Path
    stage: str = "ready"
    image: Mapping[str, str] = field(default_factory=dict)
    is_shut: bool = False
    opened: int = 0

    def boot(self, user_data: str) -> None:
        told = json.loads(user_data.partition("\n")[2])
        for directory in ("etc/ssh", "var/lib/cloudburst", "root/.ssh", "bin"):
            (self.place / directory).mkdir(parents=True)
        for name, text in self.image.items():
            self.file(name).write_text(text)
        (self.place / "etc/ssh/ssh_host_ed25519_key").write_text(told["ssh_keys"]["ed25519_private"])
        (self.place / "etc/ssh/ssh_host_ed25519_key.pub").write_text(told["ssh_keys"]["ed25519_public"])
        (self.place / "root/.ssh/authorized_keys").write_text("\n".join(told["ssh_authorized_keys"]))
        (self.place / "bin/systemctl").write_text("#!/bin/sh\nexit 0\n")
        (self.place / "bin/systemctl").chmod(0o755)
        for file in told["write_files"]:
            if file["path"].startswith("/var/lib/cloudburst/"):
                self.file(file["path"]).write_text(file["content"])
        (self.place / "var/lib/cloudburst" / self.stage).write_text("docker was not installed\n")

    @property
    def shown(self) -> PublicKey:
        key = read_public_key((self.place / "etc/ssh/ssh_host_ed25519_key.pub").read_text())
        assert key is not None
        return key

    def show(self, key: PublicKey) -> None:
        """As if somebody else answered in its place."""
        (self.place / "etc/ssh/ssh_host_ed25519_key.pub").write_text(str(key))

    def lets_in(self, key: PublicKey) -> bool:
        return str(key) in (self.place / "root/.ssh/authorized_keys").read_text()

    def file(self, path: str) -> Path:
        return self.place / path.lstrip("/")


@dataclass
class PlayedMachines:
    """All that stand behind an imitation; by their droplets' ids."""

    imitation: Imitation
    place: Path
    machines: dict[int, PlayedMachine] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    """How the first boot of the machines to come ends, by their names."""
    image: dict[str, str] = field(default_factory=dict)
    """What is on the disks of the machines to come, by paths."""

    def __getitem__(self, name: str) -> PlayedMachine:
        return self.at(self.imitation.account.droplet(name).id)

    def at(self, number: int) -> PlayedMachine:
        if number not in self.machines:
            droplet = self.imitation.account.droplets[number]
            machine = PlayedMachine(
                self.place / str(number), self.stages.get(droplet.name, "ready"), self.image
            )
            machine.boot(droplet.user_data)
            self.machines[number] = machine
        return self.machines[number]

    def by_address(self, address: str) -> PlayedMachine:
        for droplet in self.imitation.account.standing():
            if droplet.addresses is not None and droplet.addresses.public == address:
                return self.at(droplet.id)
        raise Unreachable(f"nobody is at {address}")

    def shown_by(self, address: str, *, port: int = 22) -> tuple[PublicKey, ...]:
        """In the place of ssh-keyscan."""
        machine = self.by_address(address)
        return () if machine.is_shut else (machine.shown,)

    def open_link(self, docker: SshDocker, _directory: Path) -> PlayedLink:
        return PlayedLink(self, docker)


@dataclass
class PlayedLink:
    """What ssh is to its caller (link.py): it refuses what ssh refuses, with the same errors."""

    machines: PlayedMachines
    to: SshDocker
    _machine: PlayedMachine | None = None

    @property
    def where(self) -> str:
        return str(self.to)

    @property
    def socket(self) -> str:
        return self.to.socket

    def open(self) -> None:
        machine = self.machines.by_address(self.to.host)
        if machine.is_shut:
            raise Unreachable(f"{self.to} cannot be reached: connection refused")
        known = Path(self._option("UserKnownHostsFile")).read_text()
        if f"{self._option('HostKeyAlias')} {machine.shown}" not in known:
            raise ProviderError(f"the host key of {self.to.host} is another one than before")
        identity = read_public_key(Path(f"{self._option('IdentityFile')}.pub").read_text())
        if identity is None or not machine.lets_in(identity):
            raise ProviderError(f"{self.to} does not let us in: it accepts none of your keys")
        machine.opened += 1
        self._machine = machine

    def _option(self, name: str) -> str:
        found = [one.partition("=")[2] for one in self.to.options if one.startswith(f"{name}=")]
        return found[0].strip('"') if found else "/nothing"

    def is_open(self) -> bool:
        return self._machine is not None

    def docker(self) -> str:
        raise AssertionError("there is no Docker on a played machine")

    def reach(self, host: str, port: int) -> str:
        raise AssertionError(f"there is nothing at {host}:{port} on a played machine")

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Finished:
        assert self._machine is not None
        place = self._machine.place
        said = [self._there(word) for word in argv]
        search = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
        ended = subprocess.run(
            [shutil.which(said[0]) or said[0], *said[1:]],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            env={"PATH": search, "HOME": str(place / "root")},
        )
        return Finished(ended.returncode, ended.stdout, ended.stderr)

    def _there(self, word: str) -> str:
        assert self._machine is not None
        for path in ELSEWHERE:
            word = word.replace(path, f"{self._machine.place}{path}")
        return word

    def close(self) -> None:
        self._machine = None
