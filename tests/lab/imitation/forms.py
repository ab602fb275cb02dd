"""The nouns as JSON, after the schemas of the description."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime

from .catalogue import FEATURES, Image, Size
from .nouns import Action, Droplet, Firewall, Json, Key, Vpc
from .state import State
from .walls import covers

CATALOGUE_DATE = "2026-01-15T09:00:00Z"


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def account(state: State) -> Json:
    return {
        "droplet_limit": state.droplet_limit,
        "floating_ip_limit": 5,
        "email": state.email,
        "name": "Someone",
        "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef",
        "email_verified": state.email_verified,
        "status": state.status,
        "status_message": state.status_message,
        "team": {"uuid": "5df3e3004a17e242b7c20ca6c9fc25b701a47ece", "name": "My Team"},
    }


def region(state: State, slug: str) -> Json:
    sold = [size.slug for size in state.sizes.values() if slug in size.regions]
    return {
        "name": state.regions[slug],
        "slug": slug,
        "features": list(FEATURES),
        "available": slug not in state.closed,
        "sizes": [] if slug in state.closed else sold,
    }


def size(state: State, wanted: Size) -> Json:
    return {
        "slug": wanted.slug,
        "memory": wanted.memory,
        "vcpus": wanted.vcpus,
        "disk": wanted.disk,
        "transfer": wanted.transfer,
        "price_monthly": wanted.monthly,
        "price_hourly": wanted.hourly,
        "regions": [one for one in wanted.regions if one not in state.closed],
        "available": True,
        "description": wanted.description,
    }


def image(wanted: Image) -> Json:
    return {
        "id": wanted.id,
        "name": wanted.name,
        "type": wanted.kind,
        "distribution": wanted.distribution,
        "slug": wanted.slug,
        "public": wanted.public,
        "regions": list(wanted.regions),
        "created_at": CATALOGUE_DATE,
        "min_disk_size": wanted.least_disk,
        "size_gigabytes": wanted.gigabytes,
        "description": f"{wanted.distribution} {wanted.name}",
        "tags": list(wanted.tags),
        "status": "available",
    }


def key(wanted: Key) -> Json:
    return {
        "id": wanted.id,
        "fingerprint": wanted.fingerprint,
        "public_key": wanted.public,
        "name": wanted.name,
    }


def droplet(state: State, shown: Droplet) -> Json:
    return {
        "id": shown.id,
        "name": shown.name,
        "memory": shown.size.memory,
        "vcpus": shown.size.vcpus,
        "disk": shown.disk,
        "locked": bool(state.pending(shown)) or shown.is_deleted,
        "status": shown.status,
        "kernel": None,
        "created_at": moment(shown.created),
        "features": ["droplet_agent", "private_networking"],
        "backup_ids": [],
        "next_backup_window": None,
        "snapshot_ids": list(shown.snapshots),
        "image": image(shown.image),
        "volume_ids": [],
        "size": size(state, shown.size),
        "size_slug": shown.size.slug,
        "networks": {"v4": _networks(state, shown), "v6": []},
        "region": region(state, shown.region),
        "tags": list(shown.tags),
        "vpc_uuid": shown.vpc,
    }


def _networks(state: State, shown: Droplet) -> list[Json]:
    if shown.addresses is None:
        return []
    private = ipaddress.IPv4Network(state.vpcs[shown.vpc].ip_range)
    public = ipaddress.IPv4Network(f"{shown.addresses.public}/24", strict=False)
    return [
        _network("private", shown.addresses.private, private),
        _network("public", shown.addresses.public, public),
    ]


def _network(kind: str, address: str, network: ipaddress.IPv4Network) -> Json:
    return {
        "ip_address": address,
        "netmask": str(network.netmask),
        "gateway": str(network.network_address + 1),
        "type": kind,
    }


def action(state: State, shown: Action) -> Json:
    return {
        "id": shown.id,
        "status": shown.status,
        "type": shown.kind,
        "started_at": moment(shown.started),
        "completed_at": None if shown.completed is None else moment(shown.completed),
        "resource_id": shown.droplet.id,
        "resource_type": "droplet",
        "region": region(state, shown.droplet.region),
        "region_slug": shown.droplet.region,
    }


def vpc(shown: Vpc) -> Json:
    return {
        "id": shown.id,
        "urn": f"do:vpc:{shown.id}",
        "name": shown.name,
        "description": shown.description,
        "region": shown.region,
        "ip_range": shown.ip_range,
        "default": shown.default,
        "created_at": moment(shown.created),
    }


def member(shown: Droplet) -> Json:
    return {
        "name": shown.name,
        "urn": f"do:droplet:{shown.id}",
        "created_at": moment(shown.created),
    }


def firewall(state: State, shown: Firewall) -> Json:
    waiting = shown.looks <= state.manners.firewall_settles_after
    affected = [one.id for one in state.standing() if covers(shown, one)] if waiting else []
    return {
        "id": shown.id,
        "name": shown.name,
        "status": "waiting" if waiting else "succeeded",
        "created_at": moment(shown.created),
        "pending_changes": [{"droplet_id": one, "removing": False, "status": "waiting"} for one in affected],
        "inbound_rules": shown.inbound,
        "outbound_rules": shown.outbound,
        "droplet_ids": list(shown.droplets),
        "tags": list(shown.tags),
    }


def tag(state: State, name: str, base: str) -> Json:
    droplets = [f"{base}/v2/droplets/{one.id}" for one in state.tagged(name) if not one.gone]
    images = [f"{base}/v2/images/{one.id}" for one in state.images.values() if name in one.tags]
    return {
        "name": name,
        "resources": {
            **_count(droplets + images),
            "droplets": _count(droplets),
            "images": _count(images),
            "volumes": _count([]),
            "volume_snapshots": _count([]),
            "databases": _count([]),
        },
    }


def _count(links: list[str]) -> Json:
    return {"count": len(links)} | ({"last_tagged_uri": links[-1]} if links else {})
