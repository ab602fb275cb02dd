"""What a study has in an account, found there and nowhere else; and giving all of it back, until it is gone.

What belongs to whom is decided by names and tags alone, without the network: `estate_of` and `studies_in`.
Nothing local is needed, so that a study can be found and removed from any machine, or when its directory is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from ...compile.money import price
from ...errors import ProviderError
from ..events import Doing, Note, OnEvent, StopSignal
from ..words import count
from .account import Account, open_account
from .errors import ApiRefused
from .names import HOST_TAG, SHARED_TAG, own_name, study_tag, study_tags, vpc_name
from .nouns import Droplet, Firewall, Image, Key, Tag, Vpc

WITHIN = 900.0
"""Seconds. A droplet that is still being made may refuse to go until it stands, which takes minutes at worst."""
VPC_WITHIN = 300.0
"""Seconds from a VPC's first refusal: its members leave it some time after they have gone."""
LOOK_EVERY = 2.0
QUIET = 2
"""Looks in a row that must find nothing …"""
QUIET_AFTER_SOMETHING = 4
"""… and if there was anything at all: a droplet that was asked for a moment ago may be in no list yet."""
BILLED_BY_SIZE = "snapshots are billed by their size"

_STUDY = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_MACHINE = re.compile(rf"cb-({_STUDY})-(?:manager|worker-[0-9]+)")
_SNAPSHOT = re.compile(rf"cb-({_STUDY})-(?:manager|worker-[0-9]+|snapshot)-[0-9]+")
_OWN_TAG = re.compile(rf"cloudburst:({_STUDY})(?::(?:manager|worker))?")
_WHOLE = re.compile(rf"cb-({_STUDY})")
_MEMBER = re.compile(r"do:droplet:([0-9]+)")


@dataclass(frozen=True)
class Estate:
    """All that a study has in the account. `tags` are those that nobody else uses."""

    study: str
    droplets: tuple[Droplet, ...] = ()
    keys: tuple[Key, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    vpcs: tuple[Vpc, ...] = ()
    tags: tuple[str, ...] = ()
    snapshots: tuple[Image, ...] = ()

    def __bool__(self) -> bool:
        return any(names for _, names in self.by_kind())

    @property
    def hourly(self) -> Decimal:
        """US dollars an hour for its droplets, those that are switched off among them."""
        return sum((one.hourly for one in self.droplets), Decimal(0))

    @property
    def is_billed(self) -> bool:
        return bool(self.droplets or self.snapshots)

    def by_kind(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """`("droplet", ("cb-waves-manager (id 17)", …))` and so on; kinds without any are left out."""
        kinds: tuple[tuple[str, Iterable[Droplet | Key | Firewall | Vpc | Image]], ...] = (
            ("droplet", self.droplets),
            ("snapshot", self.snapshots),
            ("ssh key", self.keys),
            ("firewall", self.firewalls),
            ("VPC", self.vpcs),
        )
        for kind, things in kinds:
            if names := tuple(_named(one) for one in things):
                yield kind, names
        if self.tags:
            yield "tag", self.tags

    def to_json(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "hourly": str(self.hourly),
            "droplets": [
                {
                    "id": one.id,
                    "name": one.name,
                    "size": one.size,
                    "region": one.region,
                    "status": one.status,
                    "hourly": str(one.hourly),
                    "created": one.created,
                }
                for one in self.droplets
            ],
            "keys": [{"id": one.id, "name": one.name} for one in self.keys],
            "firewalls": [{"id": one.id, "name": one.name} for one in self.firewalls],
            "vpcs": [{"id": one.id, "name": one.name, "region": one.region} for one in self.vpcs],
            "tags": list(self.tags),
            "snapshots": [{"id": one.id, "name": one.name} for one in self.snapshots],
        }


@dataclass(frozen=True)
class Leftovers:
    """How a removal ended: what is `left` against our will and `why`, and in sentences what is `kept` on purpose."""

    left: Estate
    why: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is left that should have gone."""
        return bool(self.left)

    @property
    def hourly(self) -> Decimal:
        return self.left.hourly

    def in_words(self) -> str:
        """`the droplet cb-waves-manager (id 17), 0.036 USD an hour; the VPC cb-waves-nyc3 (id …)`; "" for nothing."""
        return in_words(self.left)

    def to_json(self) -> dict[str, Any]:
        return {"left": self.left.to_json(), "why": list(self.why), "kept": list(self.kept)}


@dataclass(frozen=True)
class Survey:
    """Everything in an account that could be some study's, as it looks at one moment."""

    droplets: tuple[Droplet, ...] = ()
    keys: tuple[Key, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    vpcs: tuple[Vpc, ...] = ()
    tags: tuple[Tag, ...] = ()
    images: tuple[Image, ...] = ()


# ── what belongs to whom ─────────────────────────────────────────────────────────────────────
def studies_of(droplet: Droplet) -> frozenset[str]:
    """By its tags; by its name only when it has none of them, because it may have lost them."""
    tagged = (_OWN_TAG.fullmatch(tag) for tag in droplet.tags)
    found = frozenset(match[1] for match in tagged if match)
    named = _MACHINE.fullmatch(droplet.name)
    return found or (frozenset({named[1]}) if named else frozenset())


def studies_in(survey: Survey) -> tuple[str, ...]:
    """Every study that has something in the account, by name. A key or firewall needs a mark besides its name:
    others, too, may call one `cb-laptop`."""
    found: set[str] = set()
    for droplet in survey.droplets:
        found |= studies_of(droplet)
    found |= {match[1] for tag in survey.tags if (match := _OWN_TAG.fullmatch(tag.name))}
    found |= {match[1] for image in survey.images if (match := _SNAPSHOT.fullmatch(image.name))}
    for firewall in survey.firewalls:
        match = _WHOLE.fullmatch(firewall.name)
        if match and study_tag(match[1]) in firewall.tags:
            found.add(match[1])
    for key in survey.keys:
        match = _WHOLE.fullmatch(key.name)
        if match and key.public.split()[2:] == [key.name]:
            found.add(match[1])
    for vpc in survey.vpcs:
        match = _WHOLE.fullmatch(vpc.name.removesuffix(f"-{vpc.region}"))
        if match and vpc.name.endswith(f"-{vpc.region}"):
            found.add(match[1])
    return tuple(sorted(found))


def estate_of(survey: Survey, study: str) -> Estate:
    """What of it is that study's. Never anything that carries another's tag or name."""
    name = own_name(study)
    droplets = tuple(one for one in survey.droplets if study in studies_of(one))
    return Estate(
        study=study,
        droplets=tuple(sorted(droplets, key=lambda one: (one.created, one.id))),
        keys=tuple(one for one in survey.keys if one.name == name),
        firewalls=tuple(one for one in survey.firewalls if one.name == name),
        vpcs=tuple(one for one in survey.vpcs if one.name == vpc_name(study, one.region)),
        tags=_tags_of(survey, study),
        snapshots=tuple(
            one
            for one in survey.images
            if not one.public and (match := _SNAPSHOT.fullmatch(one.name)) and match[1] == study
        ),
    )


def _tags_of(survey: Survey, study: str) -> tuple[str, ...]:
    """Its own, in the order they can go: the study's own last, by which it is still found when we are interrupted.

    The tag that all studies share and host tags that no droplet carries go with the last study: any of them may
    be what another one is just about to use.
    """
    there = {tag.name for tag in survey.tags}
    others = [one for one in survey.droplets if study not in studies_of(one)]
    used = {tag for one in others for tag in one.tags}
    own = [tag for tag in reversed(study_tags(study)) if tag != SHARED_TAG]
    hosts = {tag for tag in there if tag.startswith(HOST_TAG)} - used
    if any(other != study for other in studies_in(survey)):
        ours = {tag for one in survey.droplets if study in studies_of(one) for tag in one.tags}
        return tuple(one for one in (*sorted(hosts & ours), *own) if one in there)
    shared = [SHARED_TAG] if SHARED_TAG not in used else []
    return tuple(one for one in (*sorted(hosts), *shared, *own) if one in there)


# ── looking ──────────────────────────────────────────────────────────────────────────────────
def observe(account: Account, study: str) -> Estate:
    """By tag and by name. Raises ProviderError."""
    return estate_of(take_survey(account, [study]), study)


def find_orphans(
    account: Account | None = None,
    *,
    stop: StopSignal | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> tuple[Estate, ...]:
    """What any study has in the account, those that still compute among them. Raises ProviderError."""
    if account is None:
        with open_account(stop, on_wait) as opened:
            return find_orphans(opened)
    first = take_survey(account)
    studies = studies_in(first)
    survey = replace(first, droplets=_droplets(account, studies, first.vpcs)) if studies else first
    return tuple(filter(None, (estate_of(survey, study) for study in studies_in(survey))))


def take_survey(
    account: Account, studies: Sequence[str] = (), *, keys: Sequence[Key] | None = None
) -> Survey:
    """`studies` are looked for more closely. `keys` spares the list of keys, which is rationed."""
    vpcs = account.vpcs()
    return Survey(
        droplets=_droplets(account, studies, vpcs),
        keys=account.keys() if keys is None else tuple(keys),
        firewalls=account.firewalls(),
        vpcs=vpcs,
        tags=account.tags(),
        images=account.own_images(),
    )


def _droplets(account: Account, studies: Sequence[str], vpcs: Iterable[Vpc]) -> tuple[Droplet, ...]:
    """From the list of all, the lists of tags, and the members of the studies' own VPCs: each may lag behind."""
    found = {one.id: one for one in account.all_droplets()}
    suspects: dict[int, None] = {}
    for study in studies:
        suspects |= dict.fromkeys(one.id for one in account.droplets(study_tag(study)))
        for vpc in vpcs:
            if vpc.name == vpc_name(study, vpc.region):
                urns = (_MEMBER.fullmatch(one.urn) for one in account.vpc_members(vpc.id))
                suspects |= dict.fromkeys(int(match[1]) for match in urns if match)
    for id_ in suspects.keys() - found.keys():
        # A tag's list goes on showing what has gone; that it cannot be found by its id tells.
        one = account.droplet(id_)
        if one is not None:
            found[id_] = one
    return tuple(found.values())


# ── removing ─────────────────────────────────────────────────────────────────────────────────
def remove(
    account: Account,
    study: str,
    *,
    on_event: OnEvent,
    keep_vpc: bool = False,
    snapshots: bool = False,
    within: float = WITHIN,
) -> Leftovers:
    """Everything of the study, again and again until looking finds nothing, or `within` seconds are over.

    `keep_vpc` when the VPC is the user's own; `snapshots` to remove those too. It may be interrupted anywhere
    and begun again. Raises ProviderError (no network; a token that is not taken; stopped) that says what was last seen to stand.
    """
    return _Removal(account, study, on_event, keep_vpc=keep_vpc, snapshots=snapshots, within=within).run()


def remove_orphans(
    estates: Iterable[Estate],
    *,
    on_event: OnEvent,
    account: Account | None = None,
    snapshots: bool = False,
    stop: StopSignal | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> tuple[Leftovers, ...]:
    """Each of them, as `remove` does."""
    if account is None:
        with open_account(stop, on_wait) as opened:
            return remove_orphans(estates, on_event=on_event, account=opened, snapshots=snapshots)
    return tuple(remove(account, one.study, on_event=on_event, snapshots=snapshots) for one in estates)


@dataclass
class _Removal:
    """Rounds of looking and removing. What costs money goes first, what others are found by goes last."""

    account: Account
    study: str
    on_event: OnEvent
    keep_vpc: bool
    snapshots: bool
    within: float
    _keys: tuple[Key, ...] | None = None
    _hosts: set[str] = field(default_factory=set)
    _why: dict[str, str] = field(default_factory=dict)
    _given_back: set[str] = field(default_factory=set)
    _hopeless: set[str] = field(default_factory=set)
    _refused_at: dict[str, float] = field(default_factory=dict)
    _quiet: int = 0
    _seen: bool = False
    _last: Estate | None = None
    _said: str = ""

    def run(self) -> Leftovers:
        try:
            return self._run()
        except KeyboardInterrupt:
            self.on_event(Note(self._what_is_still_there()))
            raise
        except ProviderError as error:
            error.message = self._with_what_stands(error)
            error.args = (error.message,)
            raise

    def _run(self) -> Leftovers:
        deadline = self.account.now() + self.within
        while True:
            estate, kept = self._look()
            self._seen = self._seen or bool(estate)
            self._quiet = 0 if estate.droplets else self._quiet + 1
            for droplet in estate.droplets:
                self._delete(f"droplet {_named(droplet)}", self.account.delete_droplet, droplet.id)
            if self._quiet >= (QUIET_AFTER_SOMETHING if self._seen else QUIET):
                if not estate:
                    return Leftovers(estate, (), kept)
                self._remove_the_rest(estate)
            if self._is_over(estate) or self.account.now() >= deadline:
                return self._left(kept)
            self._say(_awaited(estate))
            self.account.pause(LOOK_EVERY)

    def _look(self) -> tuple[Estate, tuple[str, ...]]:
        """What is there to remove, and what stays on purpose."""
        survey = take_survey(self.account, [self.study], keys=self._keys)
        self._keys = survey.keys
        estate = estate_of(survey, self.study)
        for droplet in estate.droplets:
            self._hosts |= {tag for tag in droplet.tags if tag.startswith(HOST_TAG)}
        used = {tag for one in survey.droplets for tag in one.tags}
        there = {tag.name for tag in survey.tags}
        hosts = sorted((self._hosts & there) - used - set(estate.tags))
        estate = replace(estate, tags=(*hosts, *estate.tags))
        self._last = estate
        return self._without_what_stays(estate)

    def _without_what_stays(self, estate: Estate) -> tuple[Estate, tuple[str, ...]]:
        kept: list[str] = []
        for vpc in estate.vpcs:
            if vpc.default and not self.keep_vpc:
                kept.append(
                    f"the VPC {vpc.name}: it became the default of {vpc.region}, which DigitalOcean never removes; "
                    "it costs nothing"
                )
        if estate.snapshots and not self.snapshots:
            names = ", ".join(map(_named, estate.snapshots))
            kept.append(f"{count(len(estate.snapshots), 'snapshot')} ({names}): {BILLED_BY_SIZE}")
        vpcs = () if self.keep_vpc else tuple(vpc for vpc in estate.vpcs if not vpc.default)
        snapshots = estate.snapshots if self.snapshots else ()
        return replace(estate, vpcs=vpcs, snapshots=snapshots), tuple(kept)

    def _remove_the_rest(self, estate: Estate) -> None:
        account = self.account
        for image in estate.snapshots:
            self._delete(f"snapshot {_named(image)}", account.delete_image, image.id)
        for key in estate.keys:
            self._delete(f"ssh key {_named(key)}", account.delete_key, key.id)
            self._keys = None
        for firewall in estate.firewalls:
            self._delete(f"firewall {_named(firewall)}", account.delete_firewall, firewall.id)
        for vpc in estate.vpcs:
            self._delete(f"VPC {_named(vpc)}", account.delete_vpc, vpc.id)
        rest = replace(estate, tags=())
        if not rest or self._is_over(rest):
            for tag in estate.tags:
                self._delete(f"tag {tag}", account.delete_tag, tag)

    def _delete(self, what: str, delete: Callable[[Any], bool], id_: int | str) -> None:
        """A refusal is kept, and said in the end if it was the last word."""
        if what in self._hopeless:
            return
        if what not in self._why:
            self._say(f"removing {what}")
        try:
            delete(id_)
            self._given_back.add(what)
            self._why[what] = f"{what} has been removed but is still listed"
        except ApiRefused as error:
            if error.status == 401:
                raise
            self._why[what] = f"{what}: {error.message}"
            if self._is_final(what, error):
                self._hopeless.add(what)

    def _is_final(self, what: str, error: ApiRefused) -> bool:
        """A VPC refuses while it has members, and some may not be ours."""
        if error.lasting or not what.startswith("VPC "):
            return error.lasting
        now = self.account.now()
        return now > self._refused_at.setdefault(what, now) + VPC_WITHIN

    def _is_over(self, estate: Estate) -> bool:
        """Whether all that is left has refused for good. While a droplet stands, the rest stays as it is: what
        shields it, and what it is found by."""
        kinds = estate.by_kind() if not estate.droplets else [next(estate.by_kind())]
        left = [f"{kind} {name}" for kind, names in kinds for name in names]
        return bool(left) and all(one in self._hopeless for one in left)

    def _left(self, kept: tuple[str, ...]) -> Leftovers:
        left, _ = self._look()
        still = {f"{kind} {name}" for kind, names in left.by_kind() for name in names}
        return Leftovers(left, tuple(why for what, why in self._why.items() if what in still), kept)

    def _what_is_still_there(self) -> str:
        """For whoever does not want to wait: what is billed on."""
        if self._last is None:
            return (
                f"what stands of {self.study} is not known: `cloudburst destroy` again looks, and removes it"
            )
        standing = tuple(
            one for one in self._last.droplets if f"droplet {_named(one)}" not in self._given_back
        )
        words = in_words(replace(self._last, droplets=standing, tags=()))
        billed = words or "nothing that is billed"
        return f"still there: {billed}; `cloudburst destroy` again removes the rest"

    def _with_what_stands(self, error: ProviderError) -> str:
        if self._last is None:
            return f"{error.message}; what stands of {self.study} is not known"
        if not self._last.is_billed:
            return error.message
        return f"{error.message}; when last seen there stood {in_words(replace(self._last, tags=()))}"

    def _say(self, text: str) -> None:
        if text != self._said:
            self.on_event(Doing("digitalocean", text))
            self._said = text


def in_words(estate: Estate) -> str:
    """`the droplet cb-waves-manager (id 17), 0.036 USD an hour; 2 tags`; "" for nothing."""
    parts = []
    for kind, names in estate.by_kind():
        plain = kind not in ("droplet", "snapshot") and len(names) > 1
        listed = count(len(names), kind) if plain else f"the {kind}{'s' if len(names) > 1 else ''} "
        words = listed if plain else listed + ", ".join(names)
        parts.append(f"{words}, {price(estate.hourly)}" if kind == "droplet" else words)
    return "; ".join(parts)


def _awaited(estate: Estate) -> str:
    kind, names = next(estate.by_kind(), ("", ()))
    if kind in ("droplet", "VPC"):
        return f"waiting for {count(len(names), kind)} to go"
    return "looking whether anything is left"


def _named(thing: Droplet | Key | Firewall | Vpc | Image) -> str:
    return f"{thing.name} (id {thing.id})"
