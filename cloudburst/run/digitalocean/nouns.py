"""What DigitalOcean's API speaks of, as values: read from its JSON here, and written to it where we send it.

Only what CloudBurst uses is kept. Money is in US dollars, moments are seconds since the epoch, memory is
in MiB and disks are in GiB, as the API has them. A form without what it must have raises `Unreadable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeVar

DropletStatus = Literal["new", "active", "off", "archive"]
ActionStatus = Literal["in-progress", "completed", "errored"]
Form = Mapping[str, Any]


class Unreadable(Exception):
    """An answer is JSON but not what the official description says. Transport and Account translate it."""


@dataclass(frozen=True)
class Droplet:
    """A machine. `image` is a slug, or an id as text; the addresses are None until it has them; `vpc` is an id."""

    id: int
    name: str
    status: DropletStatus
    size: str
    region: str
    image: str
    created: float
    hourly: Decimal
    public: str | None
    private: str | None
    tags: frozenset[str]
    vpc: str | None
    locked: bool


@dataclass(frozen=True)
class Size:
    """`available`: whether new machines can have it at all; `regions`: where."""

    slug: str
    memory: int
    vcpus: int
    disk: int
    hourly: Decimal
    regions: tuple[str, ...]
    available: bool
    description: str


@dataclass(frozen=True)
class Region:
    slug: str
    name: str
    available: bool
    sizes: tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """`slug` is None for snapshots; `public` is False for what belongs to the account. `min_disk` in GiB."""

    id: int
    slug: str | None
    name: str
    distribution: str
    regions: tuple[str, ...]
    public: bool
    min_disk: int
    gigabytes: Decimal
    status: str


Spoken = Literal["tcp", "udp", "icmp"]
Ends = Literal["sources", "destinations"]
SOURCES: Ends = "sources"
DESTINATIONS: Ends = "destinations"
"""What the API calls the other end of a rule, inwards and outwards."""


@dataclass(frozen=True)
class Rule:
    """Who may talk: `addresses` are CIDRs, `tags` those of droplets. For rules inwards they are sources, for
    those outwards destinations. `ports` is `22`, `7000-7100`, or `0` for all (as the API writes it)."""

    protocol: Spoken
    ports: str
    addresses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    droplets: tuple[int, ...] = ()

    def to_form(self, ends: Ends) -> dict[str, Any]:
        who: dict[str, Any] = {}
        if self.addresses:
            who["addresses"] = list(self.addresses)
        if self.tags:
            who["tags"] = list(self.tags)
        if self.droplets:
            who["droplet_ids"] = list(self.droplets)
        return {"protocol": self.protocol, "ports": self.ports, ends: who}


def let_by(rules: Iterable[Rule]) -> frozenset[tuple[str, str, str]]:
    """Each (protocol, ports, who) for itself: the API gives rules back in an order of its own, joined or apart, and
    has more than one way to say "all ports"."""
    return frozenset(
        (rule.protocol, "all" if rule.ports in ("0", "all", "1-65535") else rule.ports, str(who))
        for rule in rules
        for who in (*rule.addresses, *rule.tags, *rule.droplets)
    )


@dataclass(frozen=True)
class Firewall:
    """`status` is `waiting` while changes are on their way, else `succeeded` or `failed`."""

    id: str
    name: str
    status: str
    inbound: tuple[Rule, ...]
    outbound: tuple[Rule, ...]
    tags: tuple[str, ...]
    droplets: tuple[int, ...]


@dataclass(frozen=True)
class Key:
    """A public ssh key of the account. `fingerprint` is the MD5 one, `aa:bb:…`; `public` the whole line."""

    id: int
    fingerprint: str
    name: str
    public: str


@dataclass(frozen=True)
class Vpc:
    """`default`: the region's own, which cannot be removed."""

    id: str
    name: str
    region: str
    ip_range: str
    default: bool


@dataclass(frozen=True)
class VpcMember:
    """`urn` is `do:droplet:123` and the like."""

    name: str
    urn: str


@dataclass(frozen=True)
class Tag:
    """`droplets` is how many carry it, as far as the API has counted."""

    name: str
    droplets: int


@dataclass(frozen=True)
class Action:
    """Something DigitalOcean does to a droplet. `kind` is `power_off`, `resize`, `snapshot` …"""

    id: int
    kind: str
    status: ActionStatus
    droplet: int | None


@dataclass(frozen=True)
class AccountFacts:
    """`status` is `active`, `warning` or `locked`; `droplet_limit` counts all droplets of the account;
    `verified` is whether its owner has confirmed `email`."""

    status: str
    status_message: str
    droplet_limit: int
    email: str
    verified: bool


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


def by_name(found: Iterable[_N], name: str) -> _N | None:
    """The first that is called so."""
    return next((one for one in found if one.name == name), None)


# ── from JSON ────────────────────────────────────────────────────────────────────────────────
def read_droplet(form: Form) -> Droplet:
    networks = form.get("networks") or {}
    v4 = networks.get("v4") or []  # neither is promised: a new droplet may have no networks at all
    image = form.get("image") or {}
    return Droplet(
        id=_int(form, "id"),
        name=_text(form, "name"),
        status=form["status"] if form.get("status") in ("new", "active", "off", "archive") else "new",
        size=str(form.get("size_slug") or (form.get("size") or {}).get("slug") or ""),
        region=str((form.get("region") or {}).get("slug") or ""),
        image=str(image.get("slug") or image.get("id") or ""),
        created=read_moment(_text(form, "created_at")),
        hourly=_money((form.get("size") or {}).get("price_hourly")),
        public=_address(v4, "public"),
        private=_address(v4, "private"),
        tags=frozenset(str(tag) for tag in form.get("tags") or ()),
        vpc=str(form["vpc_uuid"]) if form.get("vpc_uuid") else None,
        locked=bool(form.get("locked")),
    )


def read_size(form: Form) -> Size:
    return Size(
        slug=_text(form, "slug"),
        memory=_int(form, "memory"),
        vcpus=_int(form, "vcpus"),
        disk=_int(form, "disk"),
        hourly=_money(form.get("price_hourly")),
        regions=_texts(form.get("regions")),
        available=bool(form.get("available")),
        description=str(form.get("description") or ""),
    )


def read_region(form: Form) -> Region:
    return Region(
        slug=_text(form, "slug"),
        name=_text(form, "name"),
        available=bool(form.get("available")),
        sizes=_texts(form.get("sizes")),
    )


def read_image(form: Form) -> Image:
    return Image(
        id=_int(form, "id"),
        slug=str(form["slug"]) if form.get("slug") else None,
        name=str(form.get("name") or ""),
        distribution=str(form.get("distribution") or ""),
        regions=_texts(form.get("regions")),
        public=bool(form.get("public")),
        min_disk=int(form.get("min_disk_size") or 0),
        gigabytes=_money(form.get("size_gigabytes")),
        status=str(form.get("status") or "available"),
    )


def read_firewall(form: Form) -> Firewall:
    return Firewall(
        id=_text(form, "id"),
        name=_text(form, "name"),
        status=str(form.get("status") or ""),
        inbound=tuple(_rule(one, "sources") for one in form.get("inbound_rules") or ()),
        outbound=tuple(_rule(one, "destinations") for one in form.get("outbound_rules") or ()),
        tags=_texts(form.get("tags")),
        droplets=tuple(int(one) for one in form.get("droplet_ids") or ()),
    )


def read_key(form: Form) -> Key:
    return Key(
        id=_int(form, "id"),
        fingerprint=str(form.get("fingerprint") or ""),
        name=_text(form, "name"),
        public=_text(form, "public_key"),
    )


def read_vpc(form: Form) -> Vpc:
    return Vpc(
        id=_text(form, "id"),
        name=_text(form, "name"),
        region=str(form.get("region") or ""),
        ip_range=str(form.get("ip_range") or ""),
        default=bool(form.get("default")),
    )


def read_member(form: Form) -> VpcMember:
    return VpcMember(name=str(form.get("name") or ""), urn=_text(form, "urn"))


def read_tag(form: Form) -> Tag:
    droplets = (form.get("resources") or {}).get("droplets") or {}
    return Tag(name=_text(form, "name"), droplets=int(droplets.get("count") or 0))


def read_action(form: Form) -> Action:
    status = form.get("status")
    return Action(
        id=_int(form, "id"),
        kind=str(form.get("type") or ""),
        status=status if status in ("completed", "errored") else "in-progress",
        droplet=int(form["resource_id"]) if form.get("resource_id") else None,
    )


def read_facts(form: Form) -> AccountFacts:
    return AccountFacts(
        status=_text(form, "status"),
        status_message=str(form.get("status_message") or ""),
        droplet_limit=_int(form, "droplet_limit"),
        email=str(form.get("email") or ""),
        verified=form.get("email_verified") is not False,
    )


def read_moment(text: str) -> float:
    """Seconds since the epoch of `2026-11-22T10:42:09Z`."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise Unreadable(f"a moment that is none: {text!r}") from None
    if moment.tzinfo is None:
        raise Unreadable(f"a moment without a time zone: {text!r}")
    return moment.timestamp()


def _rule(form: Form, ends: str) -> Rule:
    who = form.get(ends) or {}
    protocol = form.get("protocol")
    if protocol not in ("tcp", "udp", "icmp"):
        raise Unreadable(f"a firewall rule for the protocol {protocol!r}")
    return Rule(
        protocol=protocol,
        ports=str(form.get("ports") or "0"),
        addresses=_texts(who.get("addresses")),
        tags=_texts(who.get("tags")),
        droplets=tuple(int(one) for one in who.get("droplet_ids") or ()),
    )


def _address(networks: Any, kind: str) -> str | None:
    return next((str(one["ip_address"]) for one in networks if one.get("type") == kind), None)


def _text(form: Form, key: str) -> str:
    value = form.get(key)
    if not isinstance(value, str):
        raise Unreadable(f"{key} is missing or no text")
    return value


def _int(form: Form, key: str) -> int:
    value = form.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unreadable(f"{key} is missing or no whole number")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in values or ())


def _money(value: Any) -> Decimal:
    """By way of text: the shortest one that gives this very number, 0.07143 and not 0.0714299999…"""
    return Decimal(str(value)) if value is not None else Decimal(0)
