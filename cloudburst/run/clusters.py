"""The cluster a study names, and the way to the one that stands: by provider.

What a swarm needs is imported only for a study that has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .events import OnEvent, StopSignal
from .observe import Study
from .providers import Cluster, Connected, Endpoints
from .run_lock import RunLock

__all__ = ["Cluster", "Connected", "Endpoints", "connected", "make_cluster"]

PATIENCE = 5.0
"""Seconds a machine has to answer a command that only looks."""

SWARM = "swarm"


@contextmanager
def connected(study: Study) -> Iterator[Connected | None]:
    """The stack of the study; None for a study of this machine, and where no stack of it stands.

    Raises Unreachable (a ProviderError) within seconds when there is no way to the machine now, and
    ProviderError when there is something wrong with it. No process is left when the `with` ends.
    """
    if study.ensemble.cluster.provider != SWARM:
        yield None
        return
    from .providers.swarm import reached

    with reached(study.ensemble, study.places, patience=PATIENCE) as found:
        yield found


def make_cluster(study: Study, lock: RunLock, on_event: OnEvent, stop: StopSignal) -> Cluster:
    """Nothing is started or reached yet."""
    if study.ensemble.cluster.provider == SWARM:
        from .providers.swarm import SwarmCluster

        return SwarmCluster(study, on_event, stop)
    from .providers.local import LocalCluster

    return LocalCluster(study.ensemble, study.places, lock, on_event)
