"""What every provider is to the rest: a cluster that starts, is watched and is stopped, and where to find it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...secret import Secret
from ..addresses import Where
from ..controller_client import ControllerClient
from ..file_store import FileStore


@dataclass(frozen=True)
class Endpoints:
    """Where a client finds the cluster, and the directory with the credentials it takes (secrets.py)."""

    controller: Where
    files: Where
    secrets: Path


@dataclass(frozen=True)
class Connected:
    """The study's stack as it stands, reached. Good inside the `with` only.

    `gateway` says the gateway's address for the next request (addresses.py): ask each time. `services`
    are those that stand, by their short names (`grafana`). `credentials` are all of the study's, by
    their names in secrets.py. `where` is the machine, as people know it.
    """

    controller: ControllerClient
    files: FileStore
    gateway: Callable[[], str]
    view_token: Secret
    services: tuple[str, ...]
    credentials: Mapping[str, Secret]
    where: str


class Cluster(Protocol):
    """The machines of one study. Everything may raise ProviderError."""

    @property
    def outlives_us(self) -> bool:
        """Whether it goes on when the command ends: then Ctrl-C lets go of it, and ends nothing."""
        ...

    def stands(self) -> bool:
        """Whether it is there already, from a command before this one."""
        ...

    def start(self) -> Endpoints:
        """Bring it up, or up to date, until its controller and file store answer."""
        ...

    def watch(self) -> None:
        """Look after it, now and then: start again what died here, tell what is wrong there."""
        ...

    def stop(self, *, now: bool) -> None:
        """End it, or let go of it when it outlives us. Never raises for what is gone already."""
        ...
