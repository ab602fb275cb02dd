"""The way in: keys made for one lab, and an ssh configuration that knows its hosts."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .commands import run
from .host import Host


@dataclass(frozen=True)
class Access:
    """Files in a lab's directory: the client's key, the hosts' keys, `ssh_config`, and `bin/ssh`."""

    directory: Path

    @property
    def config(self) -> Path:
        """For `ssh -F`: knows `lab-manager`, `lab-worker-1` … and their addresses."""
        return self.directory / "ssh_config"

    @property
    def programs(self) -> Path:
        """A directory for the front of PATH: its `ssh` is the system's, with this configuration."""
        return self.directory / "bin"

    @property
    def key(self) -> Path:
        return self.directory / "key"

    def create(self) -> None:
        """Makes the client's key and the `ssh` that uses it."""
        generate(self.key)
        self.programs.mkdir()
        wrapper = self.programs / "ssh"
        command = shlex.join((shutil.which("ssh") or "ssh", "-F", str(self.config)))
        wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        wrapper.chmod(0o755)

    def host_key(self, name: str) -> Path:
        """The private key of a host, made when it is not there."""
        place = self._place(name)
        if not place.exists():
            generate(place)
        return place

    def authorized_key(self) -> str:
        return _public(self.key)

    def _place(self, name: str) -> Path:
        return self.directory / f"host-{name}"

    def know(self, hosts: Iterable[Host]) -> None:
        """Writes the configuration and the host keys it trusts, for exactly those hosts that have a key of ours."""
        known, entries, addresses = [], [], []
        for host in (host for host in hosts if self._place(host.name).exists()):
            algorithm, key = _public(self.host_key(host.name)).split()[:2]
            known.append(f"{host.public_address},{host.private_address} {algorithm} {key}\n")
            entries.append(f"Host lab-{host.name}\n  HostName {host.public_address}\n")
            addresses += [host.public_address, host.private_address]
        trusted = self.directory / "known_hosts"
        trusted.write_text("".join(known))
        entries.append(
            f"Host lab-* {' '.join(addresses)}\n"
            "  User root\n"
            f'  IdentityFile "{self.key}"\n'
            "  IdentitiesOnly yes\n"
            f'  UserKnownHostsFile "{trusted}"\n'
            "  StrictHostKeyChecking yes\n"
        )
        self.config.write_text("".join(entries))


def generate(place: Path) -> None:
    """Makes an ed25519 key pair without a passphrase: `place` and `place.pub`."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "cloudburst-lab", "-f", place)


def _public(key: Path) -> str:
    return key.with_name(f"{key.name}.pub").read_text()
