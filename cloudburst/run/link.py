"""The way to the machine a swarm is managed on: its Docker socket, its containers, its command line.

Two ways, one face: this machine itself (here), or another one by ssh (ssh.py).
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import ProviderError
from .contexts import Docker, HereDocker
from .ssh import Finished, Ssh


class Link(Protocol):
    """Everything may raise Unreachable, when the machine cannot be reached now."""

    @property
    def where(self) -> str:
        """The machine, as people know it: `ssh://root@10.0.0.1`, `this machine`."""
        ...

    @property
    def socket(self) -> str:
        """The path of Docker's socket, on that machine."""
        ...

    def open(self) -> None:
        """Be there, again if need be. What `docker` and `reach` gave before a break leads nowhere after it."""

    def is_open(self) -> bool: ...

    def docker(self) -> str:
        """The path of a socket on this machine behind which that Docker answers."""
        ...

    def reach(self, host: str, port: int) -> str:
        """An address (addresses.py) on this machine that leads to a container over there."""
        ...

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Finished:
        """Run a program over there to its end. `timeout` in seconds."""
        ...

    def close(self) -> None: ...


def make_link(docker: Docker, directory: Path, *, patience: float) -> Link:
    """Not open yet. `directory` is private, short and there; `patience`: seconds a machine has to answer."""
    if isinstance(docker, HereDocker):
        return Here(docker.socket)
    return Ssh(docker, directory, patience=patience)


@dataclass(frozen=True)
class Here:
    """This machine: nothing is forwarded."""

    socket: str

    @property
    def where(self) -> str:
        return "this machine"

    def open(self) -> None:
        """Nothing to do."""

    def is_open(self) -> bool:
        return True

    def docker(self) -> str:
        return self.socket

    def reach(self, host: str, port: int) -> str:
        return f"tcp:{host}:{port}"

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Finished:
        try:
            ended = subprocess.run(
                argv, input=stdin, capture_output=True, timeout=timeout, check=False, start_new_session=True
            )
        except FileNotFoundError:
            return Finished(127, b"", f"{argv[0]}: command not found".encode())
        except subprocess.TimeoutExpired as error:
            raise ProviderError(f"`{argv[0]}` did not end within {timeout:.0f} s") from error
        return Finished(ended.returncode, ended.stdout, ended.stderr)

    def close(self) -> None:
        """Nothing was opened."""
