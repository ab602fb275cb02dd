"""What the API says, as values; and what it may leave out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cloudburst.run.digitalocean.nouns import (
    DESTINATIONS,
    SOURCES,
    Rule,
    Unreadable,
    read_action,
    read_droplet,
    read_firewall,
    read_moment,
    read_size,
)

NEW: dict[str, Any] = {
    "id": 7,
    "name": "cb-waves-manager",
    "status": "new",
    "created_at": "2026-11-22T10:42:09Z",
    "size": {"slug": "s-1vcpu-1gb", "price_hourly": 0.00893},
    "size_slug": "s-1vcpu-1gb",
    "region": {"slug": "nyc3"},
    "image": {"id": 5, "slug": None},
    "networks": {},
    "tags": ["cloudburst"],
    "locked": True,
}


def test_a_new_droplet_has_no_addresses() -> None:
    droplet = read_droplet(NEW)
    assert (droplet.public, droplet.private, droplet.vpc) == (None, None, None)
    assert droplet.image == "5", "a snapshot has no slug"
    assert droplet.hourly == Decimal("0.00893"), "and not what a binary fraction makes of it"
    assert droplet.created == 1795344129.0


@pytest.mark.parametrize("networks", [None, {}, {"v4": None}, {"v4": [], "v6": []}, {"v6": []}])
def test_networks_may_be_missing_in_every_way(networks: Any) -> None:
    assert read_droplet({**NEW, "networks": networks}).public is None


def test_addresses_are_told_apart_by_their_type() -> None:
    v4 = [
        {"type": "private", "ip_address": "10.0.0.2"},
        {"type": "public", "ip_address": "203.0.113.9"},
    ]
    droplet = read_droplet({**NEW, "networks": {"v4": v4}})
    assert (droplet.public, droplet.private) == ("203.0.113.9", "10.0.0.2")


@pytest.mark.parametrize("key", ["id", "name", "created_at"])
def test_what_a_droplet_must_have(key: str) -> None:
    with pytest.raises(Unreadable, match=key):
        read_droplet({name: value for name, value in NEW.items() if name != key})


@pytest.mark.parametrize("text", ["yesterday", "", "2026-11-22T10:42:09"])
def test_a_moment_needs_a_zone(text: str) -> None:
    with pytest.raises(Unreadable):
        read_moment(text)


def test_moments_with_other_zones_and_fractions() -> None:
    assert read_moment("2026-11-22T11:42:09.5+01:00") == 1795344129.5


def test_prices_are_exact() -> None:
    form = {"slug": "s", "memory": 1, "vcpus": 1, "disk": 1, "price_hourly": 0.07143, "regions": None}
    assert read_size(form).hourly == Decimal("0.07143")


def test_rules_go_there_and_back() -> None:
    inward = Rule("tcp", "22", addresses=("10.0.0.0/8",), tags=("cloudburst:waves",), droplets=(3,))
    outward = Rule("udp", "0", addresses=("0.0.0.0/0",))
    form = {
        "id": "f",
        "name": "cb-waves",
        "status": "waiting",
        "inbound_rules": [inward.to_form(SOURCES)],
        "outbound_rules": [outward.to_form(DESTINATIONS)],
    }
    firewall = read_firewall(form)
    assert (firewall.inbound, firewall.outbound, firewall.tags) == ((inward,), (outward,), ())


def test_a_state_nobody_knows_is_not_yet_an_end() -> None:
    assert read_action({"id": 1, "type": "resize", "status": "queued"}).status == "in-progress"
    assert read_droplet({**NEW, "status": "moving"}).status == "new"
