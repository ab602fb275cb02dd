"""Cloud firewalls: the rules as they are sent, and what they mean for each droplet."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from .answers import bad_request
from .backend import Rule, Wall
from .nouns import Droplet, Firewall, Json

ALL = (0, 65535)
INBOUND, OUTBOUND = "sources", "destinations"
PROTOCOLS = ("tcp", "udp", "icmp")
LISTS = ("addresses", "droplet_ids", "load_balancer_uids", "kubernetes_ids", "tags")


def read_rules(said: object, direction: str) -> list[Json]:
    """Rules of a request's body, checked. Raises Refused (400) for what cannot be one."""
    if said is None:
        return []
    if not isinstance(said, list):
        raise bad_request("rules must be a list")
    return [_read(rule, direction) for rule in said]


def _read(rule: object, direction: str) -> Json:
    if not isinstance(rule, dict) or rule.get("protocol") not in PROTOCOLS:
        raise bad_request("invalid protocol: must be one of tcp, udp, icmp")
    ports = rule.get("ports", "0") if rule["protocol"] == "icmp" else rule.get("ports")
    if not isinstance(ports, str):
        raise bad_request("missing ports")
    span(rule["protocol"], ports)
    target = rule.get(direction)
    if not isinstance(target, dict) or not any(target.get(name) for name in LISTS):
        raise bad_request(f"missing {direction}")
    for address in target.get("addresses") or []:
        _check_address(address)
    kept = {name: target[name] for name in LISTS if target.get(name)}
    return {"protocol": rule["protocol"], "ports": ports, direction: kept}


def _check_address(said: object) -> None:
    try:
        ipaddress.ip_network(str(said), strict=False)
    except ValueError as error:
        raise bad_request(f"invalid address: {said}") from error


def span(protocol: str, ports: str) -> tuple[int, int]:
    """`8000-9000`, `22`, or `0` for all. Raises Refused (400) for anything else."""
    low, dash, high = ports.partition("-")
    try:
        bounds = (int(low), int(high) if dash else int(low))
    except ValueError as error:
        raise bad_request(f"invalid ports: {ports}") from error
    if protocol == "icmp":
        return (0, 0)
    if bounds == (0, 0):
        return ALL
    if not 1 <= bounds[0] <= bounds[1] <= ALL[1]:
        raise bad_request(f"invalid ports: {ports}")
    return bounds


def walls(firewalls: Iterable[Firewall], droplets: Sequence[Droplet]) -> dict[int, Wall | None]:
    """What may pass, by droplet: the rules of all firewalls on it or on one of its tags, together."""
    known = list(firewalls)
    return {droplet.id: _wall(droplet, known, droplets) for droplet in droplets}


def covers(firewall: Firewall, droplet: Droplet) -> bool:
    return droplet.id in firewall.droplets or not set(droplet.tags).isdisjoint(firewall.tags)


def _wall(droplet: Droplet, firewalls: list[Firewall], droplets: Sequence[Droplet]) -> Wall | None:
    on_it = [one for one in firewalls if covers(one, droplet)]
    if not on_it:
        return None
    return Wall(
        tuple(_rule(rule, INBOUND, droplets) for one in on_it for rule in one.inbound),
        tuple(_rule(rule, OUTBOUND, droplets) for one in on_it for rule in one.outbound),
    )


def _rule(rule: Json, direction: str, droplets: Sequence[Droplet]) -> Rule:
    target = rule[direction]
    low, high = span(rule["protocol"], rule["ports"])
    tags, ids = set(target.get("tags", ())), set(target.get("droplet_ids", ()))
    meant = tuple(one.id for one in droplets if one.id in ids or not tags.isdisjoint(one.tags))
    return Rule(rule["protocol"], low, high, tuple(target.get("addresses", ())), meant)
