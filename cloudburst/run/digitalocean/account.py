"""One DigitalOcean account: its things as values, and the acts on them. HTTP and its troubles are transport.py's.

Whatever is made is looked for first, by the name that is its alone, and again when the answer was lost: the API has
no other way to say a request twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from ...errors import ProviderError, Unreachable
from ...secret import Secret
from ...spec.rented import ACCOUNT_TOKENS
from ..events import StopSignal
from ..words import count, duration
from . import nouns
from .errors import AGAIN, Ambiguous, ApiRefused
from .keys import read_public_key
from .nouns import (
    AccountFacts,
    Action,
    Droplet,
    Firewall,
    Image,
    Key,
    Region,
    Rule,
    Size,
    Tag,
    Unreadable,
    Vpc,
    VpcMember,
    by_name,
    let_by,
)

if TYPE_CHECKING:
    from .transport import OnWait, Transport

A_REQUEST = 10
"""Droplets that one request may create."""
LOST = "an answer of DigitalOcean's was lost"
CUT_OFF = "machines were asked for before, and what came of it is not known"

SETTLE = 30.0
"""Seconds without change after which a list counts as settled, when an answer was lost."""
LOOK_EVERY = 3.0
WITHIN = 120.0
"""Seconds that making one thing may take, with all its repetitions."""
ACTION_WITHIN = 600.0

T = TypeVar("T")
Form = Mapping[str, Any]
Look = Callable[[Iterable[str]], dict[str, Droplet]]
"""Droplets of these names, by name."""


class Order(TypedDict):
    """What is asked for when droplets are created; the same for all of a request.

    `image` is a slug, or an id as text; `keys` are fingerprints (MD5) or ids as text; `vpc` is an id.
    """

    region: str
    size: str
    image: str
    keys: Sequence[str]
    tags: Sequence[str]
    user_data: str
    vpc: str | None


class Account:
    """Everything may raise ProviderError (ApiRefused, Unreachable, Ambiguous) and KeyboardInterrupt."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def pause(self, seconds: float, why: str = "") -> None:
        """Waits; says why when it is long. Woken and ended by the stop signal."""
        self._transport.pause(seconds, why)

    def now(self) -> float:
        """Seconds of a clock that only goes forward: what `pause` waits by."""
        return self._transport.now()

    # ── what there is to rent ────────────────────────────────────────────────────────────────
    def facts(self) -> AccountFacts:
        return _one(nouns.read_facts, self._must("account"), "account")

    def sizes(self) -> tuple[Size, ...]:
        return _each(nouns.read_size, self._library("get_all_sizes"))

    def regions(self) -> tuple[Region, ...]:
        return _each(nouns.read_region, self._library("get_all_regions"))

    def image(self, slug_or_id: str) -> Image | None:
        form = self._transport.fetch(f"images/{slug_or_id}")
        return None if form is None else _one(nouns.read_image, form, "image")

    def images_named(self, name: str) -> tuple[Image, ...]:
        """The account's own images of that name: snapshots may share one."""
        return tuple(image for image in self.own_images() if image.name == name)

    def own_images(self) -> tuple[Image, ...]:
        return _each(nouns.read_image, self._library("get_my_images"))

    def delete_image(self, id: int) -> bool:
        """Whether it was there."""
        return self._transport.delete(f"images/{id}")

    # ── droplets ─────────────────────────────────────────────────────────────────────────────
    def droplets(self, tag: str) -> tuple[Droplet, ...]:
        """As the tag's list has them. It may lag behind, both ways: new ones missing, removed ones still there."""
        return _each(nouns.read_droplet, self._transport.listed("droplets", "droplets", tag_name=tag))

    def all_droplets(self) -> tuple[Droplet, ...]:
        """Those with GPUs too, which are in a list of their own."""
        plain = self._transport.listed("droplets", "droplets")
        gpus = self._transport.listed("droplets", "droplets", type="gpus")
        return _each(nouns.read_droplet, {form.get("id"): form for form in (*plain, *gpus)}.values())

    def droplet(self, id: int) -> Droplet | None:
        """None is no proof: one that was just created may not be found for a moment."""
        form = self._transport.fetch(f"droplets/{id}")
        return None if form is None else _one(nouns.read_droplet, form, "droplet")

    def create_droplets(self, names: Sequence[str], **order: Unpack[Order]) -> tuple[Droplet, ...]:
        """One request, up to ten names. Blind: for those who have looked; Ambiguous when its answer is lost."""
        if not 1 <= len(names) <= A_REQUEST or len(set(names)) != len(names):
            raise ValueError(f"{len(names)} names; a request creates 1 to {A_REQUEST}, each once")
        form = self._transport.send("droplets", _order_form(names, order))
        return _each(nouns.read_droplet, form.get("droplets") or ())

    def created_or_found(
        self,
        names: Sequence[str],
        tag: str,
        *,
        gone: Collection[int] = (),
        asked_before: bool = False,
        settle: float = SETTLE,
        **order: Unpack[Order],
    ) -> tuple[Droplet, ...]:
        """A droplet for each name, in their order: those that stand, and new ones for the missing.

        `gone` are ids that were just removed: lists go on showing them for a while, and a new droplet may
        have the name of one. `asked_before`: a command that did not live to see the answer may have asked for
        them a moment ago, and they are looked for as when an answer was lost.

        Never blind. Names are looked for before every request, and when an answer was lost, until they are found or
        nothing has changed for `settle` seconds. What remains: a droplet that shows up in no list for longer
        than that, after an answer that was lost, gets a twin. compile.fleet.decide sees two of one name and
        removes the younger; until then both are billed. `tag` is one of the order's `tags`, the study's own.
        Raises ApiRefused when DigitalOcean wants to create no more; what stands by then stands.
        """
        look = partial(self._named, tag=tag, gone=frozenset(gone))
        found = self._looked_for(names, look, settle, CUT_OFF) if asked_before else look(names)
        for some in _chunks([name for name in names if name not in found], A_REQUEST):
            found |= self._created(some, look, settle, order)
        return tuple(found[name] for name in names)

    def _created(self, names: Sequence[str], look: Look, settle: float, order: Order) -> dict[str, Droplet]:
        """None of them was found a moment ago."""
        found: dict[str, Droplet] = {}
        deadline = self.now() + WITHIN + settle
        while missing := [name for name in names if name not in found]:
            patience = settle
            try:
                made = self.create_droplets(missing, **order)
                lost: ProviderError = Unreachable("DigitalOcean did not create every droplet", AGAIN)
                found |= {one.name: one for one in made if one.name in missing}
            except Ambiguous as error:
                lost = error
            except ApiRefused as error:
                if error.status != 429:
                    raise
                lost, patience = error, 0.0
                self._wait_as_asked(error)
            if missing := [name for name in names if name not in found]:
                found |= self._looked_for(missing, look, patience)
                if len(found) < len(names) and self.now() > deadline:
                    raise lost
        return found

    def _looked_for(
        self, names: Sequence[str], look: Look, settle: float, why: str = LOST
    ) -> dict[str, Droplet]:
        """Those that are found, all of them or after `settle` seconds without another."""
        found = look(names)
        since = self.now()
        while len(found) < len(names) and self.now() < since + settle:
            missing = [name for name in names if name not in found]
            what = missing[0] if len(missing) == 1 else count(len(missing), "droplet")
            self.pause(LOOK_EVERY, f"{why}: looking for {what}")
            more = look(missing)
            if more:
                since = self.now()
            found |= more
        return found

    def _named(self, names: Iterable[str], *, tag: str, gone: frozenset[int]) -> dict[str, Droplet]:
        """By both lists, because either may lag behind. Of twins the elder, as compile.fleet decides."""
        wanted = set(names)
        listed = {one.id: one for one in self.all_droplets() if one.name in wanted}
        for one in self.droplets(tag):
            # What only the tag's list shows may be gone: then it is not found by its id.
            if one.name in wanted and one.id not in listed and self.droplet(one.id) is not None:
                listed[one.id] = one
        there = [one for one in listed.values() if one.id not in gone and one.status != "archive"]
        elders = sorted(there, key=lambda one: (one.created, one.id), reverse=True)
        return {one.name: one for one in elders}

    def delete_droplet(self, id: int) -> bool:
        """Whether it was there. It may go on being listed for a while; ApiRefused when it cannot go yet."""
        return self._transport.delete(f"droplets/{id}")

    def delete_droplets_tagged(self, tag: str) -> None:
        self._transport.delete("droplets", tag_name=tag)

    # ── acts on a droplet ────────────────────────────────────────────────────────────────────
    def power_on(self, droplet: int) -> int:
        return self._act(droplet, {"type": "power_on"})

    def power_off(self, droplet: int) -> int:
        """As pulling the plug; `shutdown` asks its system."""
        return self._act(droplet, {"type": "power_off"})

    def shutdown(self, droplet: int) -> int:
        return self._act(droplet, {"type": "shutdown"})

    def resize(self, droplet: int, size: str) -> int:
        """CPUs and memory, not the disk: that way it can become smaller again. It has to be off."""
        return self._act(droplet, {"type": "resize", "size": size, "disk": False})

    def snapshot(self, droplet: int, name: str) -> int:
        return self._act(droplet, {"type": "snapshot", "name": name})

    def actions(self, droplet: int) -> tuple[Action, ...]:
        return _each(nouns.read_action, self._transport.listed(f"droplets/{droplet}/actions", "actions"))

    def action(self, id: int) -> Action | None:
        form = self._transport.fetch(f"actions/{id}")
        return None if form is None else _one(nouns.read_action, form, "action")

    def wait(self, action: int, within: float = ACTION_WITHIN) -> None:
        """Until it is completed. Raises ProviderError when it fails or takes longer than `within` seconds."""
        deadline = self.now() + within
        while True:
            now = self.action(action)
            if now is not None and now.status == "completed":
                return
            words = "an act on a droplet" if now is None else f"{now.kind} of droplet {now.droplet}"
            if now is not None and now.status == "errored":
                raise ProviderError(f"DigitalOcean could not finish {words} (action {action})", AGAIN)
            if self.now() >= deadline:
                raise ProviderError(
                    f"DigitalOcean has not finished {words} within {duration(within)} (action {action})",
                    AGAIN,
                )
            self.pause(LOOK_EVERY, f"waiting for {words}")

    def _act(self, droplet: int, form: Form) -> int:
        """The action's id. What was begun before is told from ours by its id, whatever clocks say."""
        before: frozenset[int] | None = None

        def ours() -> int | None:
            nonlocal before
            known = {one.id: one for one in self.actions(droplet)}
            if before is None:
                before = frozenset(known)
            fresh = [one.id for one in known.values() if one.id not in before and one.kind == form["type"]]
            return max(fresh, default=None)

        def begin() -> int:
            answer = self._transport.send(f"droplets/{droplet}/actions", dict(form))
            return _one(nouns.read_action, answer, "action").id

        return self._made(ours, begin)

    # ── ssh keys ─────────────────────────────────────────────────────────────────────────────
    def keys(self) -> tuple[Key, ...]:
        """Ten times a minute at most, for all programs that use the account: `key` is the better way."""
        return _each(nouns.read_key, self._library("get_all_sshkeys"))

    def key(self, fingerprint: str) -> Key | None:
        form = self._transport.fetch(f"account/keys/{fingerprint}")
        return None if form is None else _one(nouns.read_key, form, "ssh_key")

    def create_key(self, name: str, public: str) -> Key:
        """Found when the account has this very key, whatever its name there."""
        fingerprint = md5_fingerprint(public)
        body = {"name": name, "public_key": public}
        return self._made(
            lambda: self.key(fingerprint),
            lambda: _one(nouns.read_key, self._transport.send("account/keys", body), "ssh_key"),
        )

    def delete_key(self, id: int) -> bool:
        return self._transport.delete(f"account/keys/{id}")

    # ── firewalls ────────────────────────────────────────────────────────────────────────────
    def firewalls(self) -> tuple[Firewall, ...]:
        return _each(nouns.read_firewall, self._transport.listed("firewalls", "firewalls"))

    def firewall(self, id: str) -> Firewall | None:
        form = self._transport.fetch(f"firewalls/{id}")
        return None if form is None else _one(nouns.read_firewall, form, "firewall")

    def create_firewall(
        self, name: str, inbound: Sequence[Rule], outbound: Sequence[Rule], tags: Sequence[str]
    ) -> Firewall:
        """Found when there is one of that name, whatever its rules. Its tags have to be there already."""
        wanted = Firewall("", name, "", tuple(inbound), tuple(outbound), tuple(tags), ())
        return self._made(
            lambda: by_name(self.firewalls(), name),
            lambda: _one(
                nouns.read_firewall, self._transport.send("firewalls", _firewall_form(wanted)), "firewall"
            ),
        )

    def update_firewall(self, firewall: Firewall) -> Firewall:
        """All of it: what is left out is reset."""
        form = self._transport.put(f"firewalls/{firewall.id}", _firewall_form(firewall))
        return _one(nouns.read_firewall, form, "firewall")

    def add_rules(self, id: str, *, inbound: Sequence[Rule] = (), outbound: Sequence[Rule] = ()) -> None:
        """Said twice it is as once: rules are a set. Should the API mind that one is there, it is there."""
        body = {
            name: [rule.to_form(ends) for rule in rules]
            for name, ends, rules in (
                ("inbound_rules", nouns.SOURCES, inbound),
                ("outbound_rules", nouns.DESTINATIONS, outbound),
            )
            if rules
        }
        try:
            self._transport.send(f"firewalls/{id}/rules", body, repeatable=True)
        except ApiRefused as error:
            now = self.firewall(id) if error.status in (400, 409, 422) else None
            if now is None or not _lets_by(now, inbound, outbound):
                raise

    def delete_firewall(self, id: str) -> bool:
        return self._transport.delete(f"firewalls/{id}")

    # ── VPCs ─────────────────────────────────────────────────────────────────────────────────
    def vpcs(self) -> tuple[Vpc, ...]:
        return _each(nouns.read_vpc, self._library("get_all_vpcs"))

    def vpc(self, id: str) -> Vpc | None:
        form = self._transport.fetch(f"vpcs/{id}")
        return None if form is None else _one(nouns.read_vpc, form, "vpc")

    def create_vpc(self, name: str, region: str, ip_range: str | None = None) -> Vpc:
        """Found when there is one of that name. DigitalOcean chooses the addresses unless `ip_range` does.

        The first VPC of an account in a region becomes that region's default, which can never be removed.
        """
        body = {"name": name, "region": region, **({} if ip_range is None else {"ip_range": ip_range})}
        return self._made(
            lambda: by_name(self.vpcs(), name),
            lambda: _one(nouns.read_vpc, self._transport.send("vpcs", body), "vpc"),
        )

    def vpc_members(self, id: str) -> tuple[VpcMember, ...]:
        try:
            forms = self._transport.listed(f"vpcs/{id}/members", "members")
        except ApiRefused as error:
            if error.status != 404:
                raise
            return ()
        return _each(nouns.read_member, forms)

    def delete_vpc(self, id: str) -> bool:
        """ApiRefused (403 or 409) while it has members, and for a region's default."""
        return self._transport.delete(f"vpcs/{id}")

    # ── tags ─────────────────────────────────────────────────────────────────────────────────
    def tags(self) -> tuple[Tag, ...]:
        return _each(nouns.read_tag, self._library("get_all_tags"))

    def create_tag(self, name: str) -> None:
        """Said twice it is as once: a tag is its name."""
        try:
            self._transport.send("tags", {"name": name}, repeatable=True)
        except ApiRefused as error:
            if error.status not in (400, 409, 422) or by_name(self.tags(), name) is None:
                raise

    def delete_tag(self, name: str) -> bool:
        return self._transport.delete(f"tags/{name}")

    def tag(self, name: str, droplets: Sequence[int]) -> None:
        """Said twice it is as once. A tag that is not there, or not any more, is made."""
        try:
            self._tag(name, droplets)
        except ApiRefused as error:
            if error.status != 404:
                raise
            self.create_tag(name)
            self._tag(name, droplets)

    def untag(self, name: str, droplets: Sequence[int]) -> None:
        self._transport.delete(f"tags/{name}/resources", _resources(droplets))

    def _tag(self, name: str, droplets: Sequence[int]) -> None:
        self._transport.send(f"tags/{name}/resources", _resources(droplets), repeatable=True)

    # ── finding before making ────────────────────────────────────────────────────────────────
    def _made(self, find: Callable[[], T | None], make: Callable[[], T]) -> T:
        """What is there, or else what is made: asked for again only after it was looked for and not found."""
        found = find()
        deadline = self.now() + WITHIN
        in_doubt = False
        while found is None:
            try:
                return make()
            except Ambiguous as error:
                lost: ProviderError = error
                in_doubt = True
            except ApiRefused as error:
                # "That is there already": somebody was faster, or a request whose answer was lost was done after all.
                if error.status not in (409, 422, 429):
                    raise
                lost = error
                if error.status == 429:
                    self._wait_as_asked(error)
            found = self._found_within(find, SETTLE / 2 if in_doubt else 0.0)
            final = isinstance(lost, ApiRefused) and lost.status != 429
            if found is None and (final or self.now() > deadline):
                raise lost
        return found

    def _found_within(self, find: Callable[[], T | None], seconds: float) -> T | None:
        deadline = self.now() + seconds
        while (found := find()) is None and self.now() < deadline:
            self.pause(LOOK_EVERY, "an answer of DigitalOcean's was lost: looking whether it was done")
        return found

    def _wait_as_asked(self, error: ApiRefused) -> None:
        seconds = min(error.retry_after if error.retry_after is not None else 2 * LOOK_EVERY, WITHIN / 2)
        self.pause(seconds, f"DigitalOcean asks to wait {duration(seconds)}")

    # ── reading ──────────────────────────────────────────────────────────────────────────────
    def _must(self, path: str) -> Form:
        form = self._transport.fetch(path)
        if form is None:
            raise _strange(f"nothing at /v2/{path}")
        return form

    def _library(self, name: str) -> Iterable[Form]:
        """A list by python-digitalocean: its objects have the API's own keys as attributes."""
        try:
            return [vars(one) for one in getattr(self._transport, name)()]
        except (KeyError, TypeError, AttributeError) as error:
            raise _strange(f"a list that cannot be read ({error})") from None


def open_account(
    stop: StopSignal | None = None,
    on_wait: OnWait | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Account:
    """The account whose token is in the environment; no request is made yet. Raises ProviderError without one.

    `on_wait` gets a sentence whenever it takes longer; `stop` ends waiting (at its second level).
    """
    from .transport import Transport

    variables = os.environ if environment is None else environment
    for origin in ACCOUNT_TOKENS:
        text = variables.get(origin, "").strip()
        if text:
            return Account(Transport(Secret(text), origin=origin, stop=stop, on_wait=on_wait))
    raise ProviderError(
        "there is no token for DigitalOcean",
        f"put one into the environment as {ACCOUNT_TOKENS[0]}; docs/digitalocean.md says how to make it",
    )


def md5_fingerprint(public: str) -> str:
    """`aa:bb:…`, by which the API finds a key, of a line as in `id_ed25519.pub`."""
    key = read_public_key(public)
    if key is None:
        raise ProviderError(f"this is no public ssh key: {public[:40]!r}")
    return key.md5


def _order_form(names: Sequence[str], order: Order) -> dict[str, Any]:
    form: dict[str, Any] = {
        "names": list(names),
        "region": order["region"],
        "size": order["size"],
        "image": _number_or_text(order["image"]),
        "ssh_keys": [_number_or_text(key) for key in order["keys"]],
        "tags": list(order["tags"]),
        "user_data": order["user_data"],
        # DigitalOcean's own agent would add keys to authorized_keys, for its web console.
        "with_droplet_agent": False,
    }
    return form if order["vpc"] is None else {**form, "vpc_uuid": order["vpc"]}


def _firewall_form(firewall: Firewall) -> dict[str, Any]:
    form: dict[str, Any] = {
        "name": firewall.name,
        "inbound_rules": [rule.to_form(nouns.SOURCES) for rule in firewall.inbound],
        "outbound_rules": [rule.to_form(nouns.DESTINATIONS) for rule in firewall.outbound],
        "tags": list(firewall.tags),
    }
    return {**form, "droplet_ids": list(firewall.droplets)} if firewall.droplets else form


def _lets_by(firewall: Firewall, inbound: Iterable[Rule], outbound: Iterable[Rule]) -> bool:
    return let_by(inbound) <= let_by(firewall.inbound) and let_by(outbound) <= let_by(firewall.outbound)


def _resources(droplets: Sequence[int]) -> dict[str, Any]:
    return {"resources": [{"resource_id": str(one), "resource_type": "droplet"} for one in droplets]}


def _number_or_text(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def _chunks(names: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (names[at : at + size] for at in range(0, len(names), size))


def _each(read: Callable[[Form], T], forms: Iterable[Form]) -> tuple[T, ...]:
    return tuple(_read(read, form) for form in forms)


def _one(read: Callable[[Form], T], form: Form, key: str) -> T:
    inner = form.get(key)
    if not isinstance(inner, dict):
        raise _strange(f"no {key} in it")
    return _read(read, inner)


def _read(read: Callable[[Form], T], form: Form) -> T:
    try:
        return read(form)
    except (Unreadable, KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise _strange(str(error)) from None


def _strange(what: str) -> Unreachable:
    return Unreachable(
        f"an answer of DigitalOcean's is not as its own description says: {what}",
        "is there a newer CloudBurst? If not, please report it",
    )
