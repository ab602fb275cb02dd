"""Rules about machines that are rented: their time, their money, and who may reach them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..diagnostics import Path, Problem
from .addresses import is_everyone, judge_network
from .ensemble import Cluster, Ensemble
from .public_keys import judge_key
from .schema import described
from .variables import judge_variable

ACCOUNT_TOKENS: Final = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "DOTOKEN")
"""Environment variables that hold the token which rents: the first one that is set. The last is what the original
CloudBurst took."""

SHORTEST: Final = 60.0
"""Seconds. A machine needs as long to start, and is billed for it."""

_OURS = ("cloudburst", "cb-host")
_KEYS = ("workers", "max_cost", "ttl", "idle_stop", "keep_results", "reaper_token", "ssh_keys")
_DROPLETS: Path = ("cluster", "provider", "digitalocean")


def check_rented_only(ensemble: Ensemble) -> Iterator[Problem]:
    """What would be without effect on machines that nobody is paid for."""
    cluster = ensemble.cluster
    if cluster.is_rented:
        return
    for key in _KEYS:
        if getattr(cluster, key) != getattr(Cluster, key):
            message = f"`{key}` belongs to rented machines, and `provider: {cluster.provider}` rents none"
            hint = "it has no effect: leave it out, or rent under `provider: {digitalocean: …}`"
            yield Problem("only-on-rented-machines", ("cluster", key), message, hint, "warning", "key")


# ── time and money ───────────────────────────────────────────────────────────────────────────
def check_limits(ensemble: Ensemble) -> Iterator[Problem]:
    """Limits that nothing could be done within, and one that another comes before."""
    cluster = ensemble.cluster
    if cluster.max_cost is not None and cluster.max_cost <= 0:
        message, hint = "nothing is rented for nothing", "leave `max_cost` out for no limit"
        yield Problem("out-of-range", ("cluster", "max_cost"), message, hint)
    for key, way_out in (("ttl", "write never"), ("idle_stop", "leave it out")):
        given = getattr(cluster, key)
        if given is not None and given < SHORTEST:
            message = f"`{key}` must be at least a minute: machines take as long to start"
            yield Problem("out-of-range", ("cluster", key), message, f"{way_out} for no limit")
    if cluster.idle_stop is not None and cluster.ttl is not None and cluster.idle_stop > cluster.ttl:
        message = "`idle_stop` is longer than `ttl`, which comes first: it has no effect"
        related = ((("cluster", "ttl"), "the end of all machines"),) if cluster.ttl != Cluster.ttl else ()
        hint = "a shorter one gives idle machines back, such as idle_stop: 20m"
        yield Problem("idle-after-ttl", ("cluster", "idle_stop"), message, hint, "warning", related=related)


def check_ends(ensemble: Ensemble) -> Iterator[Problem]:
    """What could keep machines, and their bill, without end. Legal, and rarely meant."""
    cluster = ensemble.cluster
    if not cluster.is_rented:
        return
    if ensemble.worker.timeout is None:
        message = '"worker" has no `timeout`: a job that hangs keeps rented machines busy'
        hint = "say how long one job may take, such as timeout: 1h"
        yield Problem("no-timeout", ("worker",), message, hint, "warning", "key")
    if cluster.ttl is None and cluster.idle_stop is None and cluster.max_cost is None:
        message = "nothing gives these machines back but `cloudburst destroy`"
        hint = "set `max_cost`, `idle_stop`, or a `ttl` such as 7d"
        yield Problem("no-end", ("cluster", "ttl"), message, hint, "warning")
    if cluster.reaper_token is None:
        message = (
            "without `reaper_token` machines cannot give themselves back: they switch off, and are billed on"
        )
        hint = "make a second token that may read and delete droplets, and name its variable: reaper_token: DIGITALOCEAN_REAPER_TOKEN"
        limit = "max_cost" if cluster.max_cost is not None else "provider"
        yield Problem("no-reaper-token", ("cluster", limit), message, hint, "warning", "key")


# ── who may do what ──────────────────────────────────────────────────────────────────────────
def check_reaper(ensemble: Ensemble) -> Iterator[Problem]:
    """The second token is named, and is a second one."""
    given, path = ensemble.cluster.reaper_token, ("cluster", "reaper_token")
    if given is None:
        return
    if fault := judge_variable("reaper_token", given, "DIGITALOCEAN_REAPER_TOKEN"):
        yield Problem(fault.code, path, fault.message, fault.hint)
    elif given in ACCOUNT_TOKENS:
        message = f"{given} holds the token that rents, and the manager would get it"
        hint = (
            "make a second one that may read and delete droplets and nothing else, in a variable of its own"
        )
        yield Problem("whole-token", path, message, hint, "warning")


def check_keys(ensemble: Ensemble) -> Iterator[Problem]:
    for index, key in enumerate(ensemble.cluster.ssh_keys or ()):
        if fault := judge_key(key):
            yield Problem(fault.code, ("cluster", "ssh_keys", index), fault.message, fault.hint)


def check_callers(ensemble: Ensemble) -> Iterator[Problem]:
    """`ssh_from` are networks, and not all of them."""
    for index, network in enumerate(_listed(ensemble.cluster, "ssh_from")):
        path = (*_DROPLETS, "ssh_from", index)
        if fault := judge_network(network):
            yield Problem(fault.code, path, fault.message, fault.hint)
        elif is_everyone(network):
            message = "every address of the internet may knock at these machines"
            hint = "only keys open, but leave `ssh_from` out for the address you call from alone"
            yield Problem("open-to-everyone", path, message, hint, "warning")


def check_tags(ensemble: Ensemble) -> Iterator[Problem]:
    """A tag is written once, in whatever case: an account tells none. Ours say which machines are a study's."""
    first: dict[str, Path] = {}
    for index, tag in enumerate(_listed(ensemble.cluster, "tags")):
        path, name = (*_DROPLETS, "tags", index), tag.casefold()
        if name.partition(":")[0] in _OURS:
            message = f"{described(tag)} is a tag by which CloudBurst finds its machines"
            yield Problem("reserved-tag", path, message, "call it otherwise: the study's own are always set")
        elif name in first:
            related = ((first[name], "the first time"),)
            message = f'{described(tag)} stands twice in "tags": upper and lower case are one'
            yield Problem("listed-twice", path, message, "keep one", related=related)
        first.setdefault(name, path)


def _listed(cluster: Cluster, option: str) -> Iterator[str]:
    given: Any = cluster.options.get(option) if cluster.is_rented else None
    return iter(given or ())
