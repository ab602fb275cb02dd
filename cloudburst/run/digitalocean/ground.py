"""What a study's machines stand on: their private network, their tags, the key they open to, their firewall.

All of it is there before the first machine is, so that no machine is ever open to others; and each thing is
looked for by its name before it is made, so that nothing is made twice.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ...errors import ProviderError, Unreachable
from ...spec.ensemble import Ensemble
from .account import Account
from .caller import callers_network
from .errors import ApiRefused
from .keys import PublicKey
from .names import own_name, study_tag, vpc_name
from .nouns import Firewall, Rule, Vpc, by_name, let_by

EVERYWHERE = ("0.0.0.0/0", "::/0")
SSH = "22"
BETWEEN: tuple[tuple[Any, str], ...] = (("tcp", "2377"), ("tcp", "7946"), ("udp", "7946"), ("udp", "4789"))
"""What a swarm needs between its members, and no more: management, gossip, the overlay networks."""

OUTWARDS = (
    Rule("tcp", "0", addresses=EVERYWHERE),
    Rule("udp", "0", addresses=EVERYWHERE),
    Rule("icmp", "0", addresses=EVERYWHERE),
)


# ── the private network ──────────────────────────────────────────────────────────────────────
def own_vpc(account: Account, ensemble: Ensemble) -> Vpc:
    """The one the file names, or else the study's own, found or made. Raises ProviderError."""
    named = ensemble.cluster.options.get("vpc")
    if named is None:
        region = str(ensemble.cluster.options["region"])
        return account.create_vpc(vpc_name(ensemble.name, region), region)
    found = next((one for one in account.vpcs() if named in (one.id, one.name)), None)
    if found is None:
        raise ProviderError(f"the account has no VPC {named}", "name one that it has, or leave `vpc` out")
    return found


# ── the key ──────────────────────────────────────────────────────────────────────────────────
def own_key(account: Account, study: str, public: PublicKey) -> None:
    """The deployment's key is in the account, marked as ours (estate.py). Raises ProviderError."""
    account.create_key(own_name(study), f"{public} {own_name(study)}")


# ── the firewall ─────────────────────────────────────────────────────────────────────────────
def find_firewall(account: Account, study: str) -> Firewall | None:
    return by_name(account.firewalls(), own_name(study))


def own_firewall(account: Account, ensemble: Ensemble, caller: str | None) -> Firewall:
    """The study's firewall as it shall be: found or made, put right where somebody changed it.

    `caller` is the network to let in (None: `ssh_from` says who may come); others that were let in before
    stay. Raises ProviderError.
    """
    study = ensemble.name
    found = find_firewall(account, study)
    if found is None:
        wanted = _wanted(ensemble, _sources(ensemble, (), caller))
        found = account.create_firewall(wanted.name, wanted.inbound, wanted.outbound, wanted.tags)
    wanted = _wanted(ensemble, _sources(ensemble, ssh_sources(found), caller))
    if _same(found, wanted):
        return found
    return account.update_firewall(replace(wanted, id=found.id, droplets=found.droplets))


def let_in(account: Account, firewall: Firewall, network: str) -> bool:
    """Let ssh in from there, if it is not yet; whether that was necessary. Raises ProviderError."""
    if is_let_in(network, ssh_sources(firewall)):
        return False
    account.add_rules(firewall.id, inbound=(Rule("tcp", SSH, addresses=(network,)),))
    return True


def admit_caller(account: Account, ensemble: Ensemble) -> None:
    """For commands that only look: the caller's address is let in, where the file does not say who is.

    Nothing is made; what cannot be found out or changed is the business of whoever connects then.
    """
    if ensemble.cluster.options.get("ssh_from") is not None:
        return
    firewall = find_firewall(account, ensemble.name)
    if firewall is None:
        return
    try:
        let_in(account, firewall, callers_network())
    except (Unreachable, ApiRefused):
        return


def ssh_sources(firewall: Firewall) -> tuple[str, ...]:
    """The networks that may come in by ssh."""
    rules = (rule for rule in firewall.inbound if (rule.protocol, rule.ports) == ("tcp", SSH))
    return tuple(dict.fromkeys(address for rule in rules for address in rule.addresses))


def is_let_in(network: str, sources: Iterable[str]) -> bool:
    """Whether one of the sources holds all of that network."""
    wanted = ipaddress.ip_network(network, strict=False)
    for source in sources:
        try:
            allowed = ipaddress.ip_network(source, strict=False)
        except ValueError:
            continue
        if wanted.version == allowed.version and _holds(allowed, wanted):
            return True
    return False


def _holds(allowed: Any, wanted: Any) -> bool:
    return bool(wanted.subnet_of(allowed))


def _sources(ensemble: Ensemble, there: Sequence[str], caller: str | None) -> tuple[str, ...]:
    given = ensemble.cluster.options.get("ssh_from")
    if isinstance(given, list):
        return tuple(str(one) for one in given)
    if caller is None or is_let_in(caller, there):
        return tuple(there)
    return (*there, caller)


def _wanted(ensemble: Ensemble, sources: Sequence[str]) -> Firewall:
    tag = study_tag(ensemble.name)
    ssh = (Rule("tcp", SSH, addresses=tuple(sources)),) if sources else ()
    between = tuple(Rule(protocol, ports, tags=(tag,)) for protocol, ports in BETWEEN)
    return Firewall("", own_name(ensemble.name), "", (*ssh, *between), OUTWARDS, (tag,), ())


def _same(found: Firewall, wanted: Firewall) -> bool:
    return (
        let_by(found.inbound) == let_by(wanted.inbound)
        and let_by(found.outbound) == let_by(wanted.outbound)
        and set(wanted.tags) <= set(found.tags)
    )
