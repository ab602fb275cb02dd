"""The account: what is in it, and how it changes with every look.

Endpoints and tests work on it; whoever does holds `lock`. Nothing here knows HTTP.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import itertools
import random
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from . import catalogue
from .backend import Backend, Birth, Fate
from .catalogue import Image, Size
from .manners import Manners
from .nouns import Action, Droplet, Firewall, Key, Vpc
from .walls import walls

Kind = Literal["list", "tag", "id"]
Scopes = frozenset[str] | None


@dataclass
class Misfortune:
    """What happens to the next `times` droplets whose name matches."""

    pattern: str
    fate: Fate
    times: int


class State:
    """One account. Tests read it, prepare it and spoil it:

    `status` (`active`, `warning`, `locked`), `droplet_limit`, `email`, `email_verified`, `tokens` (the scopes of each;
    None: all of them), `full` (pairs of region and size of which none is to be had), `regions`, `sizes`, `images`.
    """

    def __init__(
        self, backend: Backend, manners: Manners, clock: Callable[[], float], *, default_vpcs: bool = True
    ) -> None:
        self.backend, self.manners, self.clock = backend, manners, clock
        self.lock = threading.RLock()
        self.status: Literal["active", "warning", "locked"] = "active"
        self.status_message = ""
        self.email = "someone@example.com"
        self.email_verified = True
        self.droplet_limit = 25
        self.tokens: dict[str, Scopes] = {}
        self.full: set[tuple[str, str]] = set()
        self.regions = dict(catalogue.REGIONS)
        self.closed = set(catalogue.CLOSED)
        self.sizes = {size.slug: size for size in catalogue.sizes()}
        self.images = {image.id: image for image in catalogue.images()}
        self.droplets: dict[int, Droplet] = {}
        self.keys: dict[int, Key] = {}
        self.vpcs: dict[str, Vpc] = {}
        self.firewalls: dict[str, Firewall] = {}
        self.tags: list[str] = []
        self.actions: dict[int, Action] = {}
        self.misfortunes: list[Misfortune] = []
        self._random = random.Random(2018)
        self._ids = {kind: itertools.count(start) for kind, start in FIRST_IDS.items()}
        if default_vpcs:
            for region in self.regions:
                self.default_vpc(region)

    # What tests ask for

    def droplet(self, name: str) -> Droplet:
        """The one droplet of that name that stands; its `user_data` is as it was sent. LookupError when none or several do."""
        found = [one for one in self.standing() if one.name == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} droplets are named {name}")
        return found[0]

    def standing(self) -> list[Droplet]:
        """Droplets whose deletion was not accepted yet: those that cost."""
        with self.lock:
            return [one for one in self.droplets.values() if not one.is_deleted]

    def left(self) -> list[str]:
        """Everything somebody made and did not remove, in words; empty for an account as it was found.
        The default VPC of a region is no one's to remove."""
        with self.lock:
            return [
                *(f"droplet {one.name}" for one in self.standing()),
                *(f"key {one.name}" for one in self.keys.values()),
                *(f"firewall {one.name}" for one in self.firewalls.values()),
                *(f"vpc {one.name}" for one in self.vpcs.values() if not one.default),
                *(f"snapshot {one.name}" for one in self.images.values() if not one.public),
                *(f"tag {name}" for name in self.tags),
            ]

    def spoil(self, pattern: str, fate: Fate, times: int = 1) -> None:
        """The next `times` droplets whose name matches the pattern (`*` and `?`) come to grief."""
        self.misfortunes.append(Misfortune(pattern, fate, times))

    def add_key(self, name: str, public: str, fingerprint: str) -> Key:
        key = Key(self.next_id("key"), name, public, fingerprint)
        self.keys[key.id] = key
        return key

    def add_snapshot(self, name: str, regions: tuple[str, ...] = ("nyc3",), gigabytes: float = 2.5) -> Image:
        """A private image, as if somebody had made it before."""
        image = Image(
            *(self.next_id("image"), None, name, "Ubuntu", "snapshot", False, False, regions, 25, gigabytes)
        )
        self.images[image.id] = image
        return image

    # Looks

    def look(self, kind: Kind, among: Iterable[Droplet], *, counts: bool) -> list[Droplet]:
        """Those of the droplets that a list of this kind shows now. `counts`: this is a look of its own,
        not the next page of one."""
        return [one for one in list(among) if self._is_seen(kind, one, counts)]

    def _is_seen(self, kind: Kind, droplet: Droplet, counts: bool) -> bool:
        if counts:
            self._count(kind, droplet)
            self._advance(droplet)
            droplet.tag_listings_since_gone += droplet.gone and kind == "tag"
        if droplet.gone:
            return kind == "tag" and 0 < droplet.tag_listings_since_gone <= self.manners.tags_forget_after
        seen, after = {
            "list": (droplet.listings, self.manners.listed_after),
            "tag": (droplet.tag_listings, self.manners.tagged_after),
            "id": (droplet.finds, self.manners.found_after),
        }[kind]
        return seen > after or after == 0

    def _count(self, kind: Kind, droplet: Droplet) -> None:
        droplet.age += 1
        droplet.listings += kind == "list"
        droplet.tag_listings += kind == "tag"
        droplet.finds += kind == "id"

    def _advance(self, droplet: Droplet) -> None:
        """What has become of a droplet, now that it is looked at once more."""
        for action in self.pending(droplet):
            self.look_at(action)
        if droplet.deleted_at is not None:
            self._bury_in_time(droplet)
        elif not droplet.booted:
            self._boot_in_time(droplet)
        if not droplet.is_deleted:
            self._tell_addresses(droplet)
            droplet.on = self.backend.is_on(droplet.id)

    def _bury_in_time(self, droplet: Droplet) -> None:
        assert droplet.deleted_at is not None
        if droplet.age - droplet.deleted_at > self.manners.deletes_after:
            droplet.gone = True

    def _boot_in_time(self, droplet: Droplet) -> None:
        if droplet.age <= self.manners.boots_after or droplet.fate == "stuck":
            return
        if droplet.fate == "errored":
            self._end(droplet, "errored")
            droplet.gone = True
            self.backend.destroy(droplet.id)
        elif self.backend.addresses(droplet.id) is not None:
            droplet.booted = True
            self._end(droplet, "completed")

    def _tell_addresses(self, droplet: Droplet) -> None:
        if droplet.fate in ("no network", "stuck") or droplet.age <= self.manners.addresses_after:
            return
        droplet.addresses = self.backend.addresses(droplet.id)

    def _end(self, droplet: Droplet, status: Literal["completed", "errored"]) -> None:
        for action in self.pending(droplet):
            action.status, action.completed = status, self.clock()

    # Actions

    def act(self, kind: str, droplet: Droplet, then: Callable[[], None] | None = None) -> Action:
        action = Action(self.next_id("action"), kind, droplet, self.clock(), then=then)
        self.actions[action.id] = action
        return action

    def pending(self, droplet: Droplet) -> list[Action]:
        return [
            one for one in self.actions.values() if one.droplet is droplet and one.status == "in-progress"
        ]

    def look_at(self, action: Action) -> None:
        """One look at an action; a creation is completed by the droplet's becoming active."""
        action.looks += 1
        if action.status != "in-progress" or action.kind == "create":
            return
        if action.looks > self.manners.acts_after:
            action.status, action.completed = "completed", self.clock()
            if action.then is not None:
                action.then()

    # Droplets

    def create(
        self,
        name: str,
        *,
        region: str,
        size: Size,
        image: Image,
        keys: Sequence[Key],
        tags: Sequence[str],
        vpc: Vpc,
        user_data: str,
    ) -> tuple[Droplet, Action]:
        """Accepts one droplet; the backend begins to make it."""
        droplet = Droplet(
            id=self.next_id("droplet"),
            name=name,
            region=region,
            size=size,
            image=image,
            tags=list(dict.fromkeys(self.tag(one) for one in tags)),
            vpc=vpc.id,
            user_data=user_data,
            keys=tuple(one.public for one in keys),
            created=self.clock(),
            disk=size.disk,
            fate=self._fate(name),
        )
        vpc.lingering = self.manners.vpc_lingers
        self.droplets[droplet.id] = droplet
        self.backend.create(_birth(droplet, vpc))
        self.tell_walls()
        return droplet, self.act("create", droplet)

    def _fate(self, name: str) -> Fate | None:
        for one in self.misfortunes:
            if one.times > 0 and fnmatch.fnmatchcase(name, one.pattern):
                one.times -= 1
                return one.fate
        return None

    def delete(self, droplet: Droplet) -> None:
        """Accepts a deletion: the machine goes now, the words after some looks."""
        if droplet.is_deleted:
            return
        self._end(droplet, "completed")
        droplet.deleted_at = droplet.age
        self.backend.destroy(droplet.id)
        droplet.gone = self.manners.deletes_after == 0
        for firewall in self.firewalls.values():
            firewall.droplets = [one for one in firewall.droplets if one != droplet.id]
        self.tell_walls()

    # Tags, firewalls, VPCs

    def tag(self, name: str) -> str:
        """The tag as it was first written; made when there is none."""
        for known in self.tags:
            if known.lower() == name.lower():
                return known
        self.tags.append(name)
        return name

    def tagged(self, name: str) -> Iterator[Droplet]:
        return (one for one in self.droplets.values() if name in one.tags)

    def remove_tag(self, name: str) -> None:
        self.tags.remove(name)
        for droplet in self.droplets.values():
            droplet.tags = [one for one in droplet.tags if one != name]
        for firewall in self.firewalls.values():
            firewall.tags = [one for one in firewall.tags if one != name]
        for image in list(self.images.values()):
            self.tag_image(image, [one for one in image.tags if one != name])
        self.tell_walls()

    def tag_image(self, image: Image, tags: Sequence[str]) -> None:
        self.images[image.id] = replace(image, tags=tuple(tags))

    def tell_walls(self) -> None:
        self.backend.firewall_changed(walls(self.firewalls.values(), self.standing()))

    def default_vpc(self, region: str) -> Vpc:
        """The one that droplets of a region go to when nothing is said; made when there is none."""
        for vpc in self.vpcs.values():
            if vpc.region == region and vpc.default:
                return vpc
        return self.add_vpc(f"default-{region}", region, self.free_range(region), "", default=True)

    def add_vpc(self, name: str, region: str, ip_range: str, description: str, *, default: bool) -> Vpc:
        vpc = Vpc(self.next_uuid(), name, region, ip_range, description, default, self.clock())
        self.vpcs[vpc.id] = vpc
        return vpc

    def free_range(self, region: str) -> str:
        """What a VPC gets when it asks for nothing: the backend's network, or a /20 nobody has."""
        if (given := self.backend.ip_range(region)) is not None:
            return given
        networks = ipaddress.IPv4Network("10.116.0.0/14").subnets(new_prefix=20)
        return next(str(one) for one in networks if not self.overlapping(one))

    def overlapping(self, network: ipaddress.IPv4Network) -> bool:
        return any(network.overlaps(ipaddress.IPv4Network(one.ip_range)) for one in self.vpcs.values())

    def members(self, vpc: Vpc) -> list[Droplet]:
        return [one for one in self.droplets.values() if one.vpc == vpc.id and not one.gone]

    # Numbers

    def next_id(self, kind: str) -> int:
        return next(self._ids[kind])

    def next_uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


FIRST_IDS = {"droplet": 530_000_001, "action": 2_910_000_001, "key": 48_000_001, "image": 190_000_001}


def _birth(droplet: Droplet, vpc: Vpc) -> Birth:
    return Birth(
        id=droplet.id,
        name=droplet.name,
        region=droplet.region,
        size=droplet.size,
        image=droplet.image.slug or str(droplet.image.id),
        keys=droplet.keys,
        user_data=droplet.user_data,
        tags=tuple(droplet.tags),
        vpc=vpc.id,
        ip_range=vpc.ip_range,
        fate=droplet.fate,
    )
