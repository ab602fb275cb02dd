"""Rules about machines that are there: a swarm, hosts reached by SSH, and what only a swarm can do with the worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..diagnostics import Path, Problem
from .addresses import judge_host, judge_machine, judge_network, machine
from .ensemble import Cluster, Ensemble, Worker
from .scalars import shortened

_SSH: Path = ("cluster", "provider", "ssh")


def check_host(ensemble: Ensemble) -> Iterator[Problem]:
    """A swarm is reached by SSH, and by nothing else."""
    host = ensemble.cluster.options.get("host")
    if isinstance(host, str) and (fault := judge_host(host)):
        yield Problem(fault.code, ("cluster", "provider", "swarm", "host"), fault.message, fault.hint)


def check_hosts(ensemble: Ensemble) -> Iterator[Problem]:
    """`hosts` of `ssh` can be reached, each once, and `network` is one."""
    if ensemble.cluster.provider != "ssh":
        return
    first: dict[tuple[str, int], Path] = {}
    options: Mapping[str, Any] = ensemble.cluster.options
    for index, host in enumerate(options["hosts"]):
        path = (*_SSH, "hosts", index)
        if fault := judge_machine(host):
            yield Problem(fault.code, path, fault.message, fault.hint)
            continue
        if (place := machine(host)) in first:
            related = ((first[place], "the first time"),)
            message = f"the host {shortened(place[0])} stands twice in `hosts`"
            yield Problem("same-host", path, message, "each machine joins once: keep one", related=related)
        first.setdefault(place, path)
    if options["network"] is not None and (fault := judge_network(options["network"])):
        yield Problem(fault.code, (*_SSH, "network"), fault.message, fault.hint)


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
