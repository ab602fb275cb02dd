"""Rules about `cluster`, and about what only a swarm can do with the worker."""

from __future__ import annotations

from collections.abc import Iterator

from ..diagnostics import Path, Problem
from .addresses import judge_host
from .ensemble import Cluster, Ensemble, Worker


def check_host(ensemble: Ensemble) -> Iterator[Problem]:
    """A swarm is reached by SSH, and by nothing else."""
    host = ensemble.cluster.options.get("host")
    if isinstance(host, str) and (fault := judge_host(host)):
        yield Problem(fault.code, ("cluster", "provider", "swarm", "host"), fault.message, fault.hint)


def check_swarm_only(ensemble: Ensemble) -> Iterator[Problem]:
    """What would be without effect on this machine."""
    if ensemble.cluster.provider == "local":
        for path in _swarm_only(ensemble.worker, ensemble.cluster):
            message = f"`{path[-1]}` belongs to a swarm, and `provider: local` is none"
            hint = "it has no effect: leave it out, or name the swarm under `provider`"
            yield Problem("only-on-a-swarm", path, message, hint, "warning", "key")


def _swarm_only(worker: Worker, cluster: Cluster) -> Iterator[Path]:
    for key in ("image", "stop_grace", "scratch"):
        if getattr(worker, key) != getattr(Worker, key):
            yield ("worker", key)
    if cluster.dashboards:
        yield ("cluster", "dashboards")
