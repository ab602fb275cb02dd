"""What an account holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .backend import Addresses, Fate
from .catalogue import Image, Size

Json = dict[str, Any]
ActionStatus = Literal["in-progress", "completed", "errored"]


@dataclass(eq=False)
class Droplet:
    """One machine, and what has been seen of it: `age` counts every look, the others one kind each
    (manners.py). `addresses` are shown once they are told; `disk` in GiB stays when a resize spares it."""

    id: int
    name: str
    region: str
    size: Size
    image: Image
    tags: list[str]
    vpc: str
    user_data: str
    keys: tuple[str, ...]
    created: float
    disk: int
    fate: Fate | None = None
    booted: bool = False
    on: bool = True
    addresses: Addresses | None = None
    snapshots: list[int] = field(default_factory=list)
    age: int = 0
    listings: int = 0
    tag_listings: int = 0
    finds: int = 0
    deleted_at: int | None = None
    gone: bool = False
    tag_listings_since_gone: int = 0

    @property
    def is_deleted(self) -> bool:
        """Was its deletion accepted? It may still be listed."""
        return self.gone or self.deleted_at is not None

    @property
    def status(self) -> str:
        if not self.booted:
            return "new"
        return "active" if self.on else "off"


@dataclass(eq=False)
class Action:
    """Something done to a droplet, `completed` after some looks; `then` is done at that moment."""

    id: int
    kind: str
    droplet: Droplet
    started: float
    status: ActionStatus = "in-progress"
    completed: float | None = None
    looks: int = 0
    then: Callable[[], None] | None = None


@dataclass
class Key:
    """A public key of the account; `fingerprint` is MD5, sixteen pairs of digits."""

    id: int
    name: str
    public: str
    fingerprint: str


@dataclass(eq=False)
class Vpc:
    """`lingering`: so many attempts to delete it are still refused."""

    id: str
    name: str
    region: str
    ip_range: str
    description: str
    default: bool
    created: float
    lingering: int = 0


@dataclass(eq=False)
class Firewall:
    """Rules as they were sent, completed."""

    id: str
    name: str
    created: float
    inbound: list[Json]
    outbound: list[Json]
    tags: list[str]
    droplets: list[int]
    looks: int = 0
