"""The cluster a study names, and the way to the one that stands: by provider.

What a swarm needs is imported only for a study that has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..spec.ensemble import Ensemble
from .events import OnEvent, StopSignal
from .observe import Study
from .places import Places
from .providers import Cluster, Connected, Endpoints
from .run_lock import RunLock

if TYPE_CHECKING:
    from .contexts import Docker

__all__ = ["Cluster", "Connected", "Endpoints", "connected", "make_cluster", "way_to_manager"]

PATIENCE = 5.0
"""Seconds a machine has to answer a command that only looks."""

SWARM = "swarm"
SSH = "ssh"


@contextmanager
def connected(study: Study) -> Iterator[Connected | None]:
    """The stack of the study; None for a study of this machine, and where no stack of it stands.

    Raises Unreachable (a ProviderError) within seconds when there is no way to the machine now, and
    ProviderError when there is something wrong with it. No process is left when the `with` ends.
    """
    docker = way_to_manager(study.ensemble, study.places)
    if docker is None:
        yield None
        return
    from .providers.swarm import reached

    ours = study.ensemble.cluster.provider != SWARM
    with reached(docker, study.places, patience=PATIENCE, made_for_study=ours) as found:
        yield found


def way_to_manager(ensemble: Ensemble, places: Places) -> Docker | None:
    """The machine a study's swarm is managed on; None for a study of this machine, and where none stands.

    Reaches nothing, but for rented machines: those are looked up. Raises ProviderError, Unreachable.
    """
    match ensemble.cluster.provider:
        case "local":
            return None
        case "swarm":
            from .contexts import find_docker

            return find_docker(ensemble.cluster.options)
        case "ssh":
            from .providers.ssh import find_manager

            return find_manager(ensemble)
        case "digitalocean":
            from .providers.digitalocean import manager_docker

            return manager_docker(ensemble, places)


def make_cluster(study: Study, lock: RunLock, on_event: OnEvent, stop: StopSignal) -> Cluster:
    """Nothing is started or reached yet."""
    if study.ensemble.cluster.provider == SWARM:
        from .contexts import find_docker
        from .providers.swarm import SwarmCluster

        return SwarmCluster(study, find_docker(study.ensemble.cluster.options), on_event, stop)
    if study.ensemble.cluster.provider == SSH:
        from .providers.ssh import SshCluster

        return SshCluster(study, on_event, stop)
    if study.ensemble.cluster.is_rented:
        from .providers.digitalocean import DigitalOceanCluster

        return DigitalOceanCluster(study, on_event, stop)
    from .providers.local import LocalCluster

    return LocalCluster(study.ensemble, study.places, lock, on_event)
