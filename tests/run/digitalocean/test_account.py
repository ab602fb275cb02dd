"""An account through the imitation: everything is made once, whatever goes wrong on the way."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.errors import ProviderError, Unreachable
from cloudburst.run.digitalocean.account import (
    Account,
    Order,
    md5_fingerprint,
    open_account,
)
from cloudburst.run.digitalocean.errors import Ambiguous, ApiRefused
from cloudburst.run.digitalocean.nouns import Rule
from tests.lab.imitation import FOR_EVER, MILD, PROMPT, Fault, Imitation, Manners

from .clockwork import FAULTS, MANNERS, Clockwork, named, paper, struck
from .scripted import Line, scripted

TAG = "cloudburst:waves"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkzNWQ2YzQ1ZjY3ODlhYmNkZWYwMTIzNDU2Nzg5 cb-waves"
ORDER: Order = {
    "region": "nyc3",
    "size": "s-1vcpu-1gb",
    "image": "ubuntu-24-04-x64",
    "keys": (),
    "tags": ("cloudburst", TAG),
    "user_data": "#cloud-config\n{}",
    "vpc": None,
}
SSH = Rule("tcp", "22", addresses=("198.51.100.7/32",))
OUT = Rule("tcp", "0", addresses=("0.0.0.0/0", "::/0"))


@pytest.fixture
def clockwork() -> Clockwork:
    return Clockwork()


def names(count: int) -> list[str]:
    return [f"cb-waves-worker-{n}" for n in range(1, count + 1)]


def standing(imitation: Imitation) -> Counter[str]:
    return Counter(one.name for one in imitation.account.standing())


# ── a day in the life ────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("manners", MANNERS.values(), ids=MANNERS)
def test_everything_is_made_found_changed_and_removed(manners: Manners, clockwork: Clockwork) -> None:
    with paper(clockwork, manners) as (imitation, account):
        assert account.facts().status == "active"
        assert {size.slug for size in account.sizes()} >= {"s-1vcpu-1gb", "s-4vcpu-8gb"}
        assert next(one for one in account.regions() if one.slug == "nyc3").available
        image = account.image("ubuntu-24-04-x64")
        assert image is not None
        assert account.image(str(image.id)) == image
        assert account.image("no-such-image") is None

        vpc = account.create_vpc("cb-waves-nyc3", "nyc3")
        key = account.create_key("cb-waves", PUBLIC)
        assert account.key(md5_fingerprint(PUBLIC)) == key
        assert account.key("00:" * 15 + "00") is None
        account.create_tag(TAG)
        account.create_tag(TAG)
        firewall = account.create_firewall("cb-waves", [SSH], [OUT], [TAG])
        other = Rule("tcp", "22", addresses=("192.0.2.0/24",))
        account.add_rules(firewall.id, inbound=[other])
        account.add_rules(firewall.id, inbound=[other])
        changed = account.firewall(firewall.id)
        assert changed is not None
        assert {one for rule in changed.inbound for one in rule.addresses} == {
            "198.51.100.7/32",
            "192.0.2.0/24",
        }
        account.update_firewall(replace(changed, inbound=(SSH,)))
        assert [one.inbound for one in account.firewalls()] == [(SSH,)]

        order: Order = {**ORDER, "keys": (key.fingerprint,), "vpc": vpc.id}
        (droplet,) = account.created_or_found(["cb-waves-manager"], TAG, **order)
        while (found := account.droplet(droplet.id)) is None or found.private is None:
            account.droplets(TAG)
        assert found.status == "active"
        assert found.tags == {"cloudburst", TAG}
        assert [one.urn for one in account.vpc_members(vpc.id)] == [f"do:droplet:{droplet.id}"]
        account.tag("cb-host:0a", [droplet.id])
        account.untag("cloudburst", [droplet.id])
        now = account.droplet(droplet.id)
        assert now is not None
        assert now.tags == {"cb-host:0a", TAG}

        account.wait(account.shutdown(droplet.id))
        account.wait(account.resize(droplet.id, "s-2vcpu-4gb"))
        account.wait(account.snapshot(droplet.id, "cb-waves-snapshot-1"))
        account.wait(account.power_on(droplet.id))
        now = account.droplet(droplet.id)
        assert now is not None
        assert (now.size, now.status) == ("s-2vcpu-4gb", "active")
        (snapshot,) = account.images_named("cb-waves-snapshot-1")
        assert account.delete_image(snapshot.id)

        assert account.delete_droplet(droplet.id)
        for _ in range(manners.listed_after + manners.deletes_after + 1):
            there = account.all_droplets()
        assert there == ()
        assert account.delete_key(key.id)
        assert account.delete_firewall(firewall.id)
        assert not account.delete_firewall(firewall.id), "what is gone is gone"
        for _ in range(2 * manners.vpc_lingers):
            with contextlib.suppress(ApiRefused):
                account.delete_vpc(vpc.id)
        account.delete_vpc(vpc.id)
        for tag in account.tags():
            account.delete_tag(tag.name)
        assert imitation.account.left() == []


def test_droplets_with_gpus_are_in_the_list_too(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        account.all_droplets()
        asked = [dict(one.query).get("type") for one in imitation.requests("GET", "/v2/droplets")]
    assert asked == [None, "gpus"]


# ── each request, each fault ─────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class There:
    """What a test finds in the account: ids."""

    account: Account
    firewall: str
    vpc: str
    key: int
    droplet: int
    image: int


Look = Callable[[There], object]
ACTS: dict[str, tuple[str, str, Look]] = {
    "facts": ("GET", "/v2/account", lambda it: it.account.facts()),
    "sizes": ("GET", "/v2/sizes", lambda it: it.account.sizes()),
    "regions": ("GET", "/v2/regions", lambda it: it.account.regions()),
    "image": ("GET", "/v2/images/{image_id}", lambda it: it.account.image("debian-12-x64")),
    "own images": ("GET", "/v2/images", lambda it: it.account.own_images()),
    "tagged": ("GET", "/v2/droplets", lambda it: it.account.droplets(TAG)),
    "all": ("GET", "/v2/droplets", lambda it: it.account.all_droplets()),
    "droplet": ("GET", "/v2/droplets/{droplet_id}", lambda it: it.account.droplet(it.droplet)),
    "actions": ("GET", "/v2/droplets/{droplet_id}/actions", lambda it: it.account.actions(it.droplet)),
    "keys": ("GET", "/v2/account/keys", lambda it: it.account.keys()),
    "key": ("GET", "/v2/account/keys/*", lambda it: it.account.key(md5_fingerprint(PUBLIC))),
    "firewalls": ("GET", "/v2/firewalls", lambda it: it.account.firewalls()),
    "firewall": ("GET", "/v2/firewalls/{firewall_id}", lambda it: it.account.firewall(it.firewall)),
    "vpcs": ("GET", "/v2/vpcs", lambda it: it.account.vpcs()),
    "vpc": ("GET", "/v2/vpcs/{vpc_id}", lambda it: it.account.vpc(it.vpc)),
    "members": ("GET", "/v2/vpcs/{vpc_id}/members", lambda it: it.account.vpc_members(it.vpc)),
    "tags": ("GET", "/v2/tags", lambda it: it.account.tags()),
    "create key": ("POST", "/v2/account/keys", lambda it: it.account.create_key("cb-new", NEW_KEY).name),
    "create firewall": (
        *("POST", "/v2/firewalls"),
        lambda it: it.account.create_firewall("cb-new", [SSH], [OUT], [TAG]).name,
    ),
    "create vpc": ("POST", "/v2/vpcs", lambda it: it.account.create_vpc("cb-new-nyc3", "nyc3").name),
    "create tag": ("POST", "/v2/tags", lambda it: it.account.create_tag("cloudburst:new")),
    "create": (
        *("POST", "/v2/droplets"),
        lambda it: [one.name for one in it.account.created_or_found(names(2), TAG, **ORDER)],
    ),
    "rules": (
        *("POST", "/v2/firewalls/{firewall_id}/rules"),
        lambda it: it.account.add_rules(it.firewall, inbound=[OUT]),
    ),
    "update": (
        *("PUT", "/v2/firewalls/{firewall_id}"),
        lambda it: it.account.update_firewall(replace(it.account.firewalls()[0], inbound=(SSH, OUT))).id,
    ),
    "tag": ("POST", "/v2/tags/{tag_id}/resources", lambda it: it.account.tag("cb-host:0b", [it.droplet])),
    "untag": ("DELETE", "/v2/tags/{tag_id}/resources", lambda it: it.account.untag(TAG, [it.droplet])),
    "act": (
        *("POST", "/v2/droplets/{droplet_id}/actions"),
        lambda it: it.account.wait(it.account.power_off(it.droplet)),
    ),
    "snapshot": (
        *("POST", "/v2/droplets/{droplet_id}/actions"),
        lambda it: it.account.wait(it.account.snapshot(it.droplet, "cb-waves-snapshot-2")),
    ),
    "action": (
        *("GET", "/v2/actions/{action_id}"),
        lambda it: it.account.wait(it.account.actions(it.droplet)[0].id),
    ),
    "delete image": ("DELETE", "/v2/images/{image_id}", lambda it: it.account.delete_image(it.image)),
    "delete droplet": (
        *("DELETE", "/v2/droplets/{droplet_id}"),
        lambda it: it.account.delete_droplet(it.droplet),
    ),
    "delete tagged": ("DELETE", "/v2/droplets", lambda it: it.account.delete_droplets_tagged(TAG)),
    "delete key": ("DELETE", "/v2/account/keys/*", lambda it: it.account.delete_key(it.key)),
    "delete firewall": (
        *("DELETE", "/v2/firewalls/{firewall_id}"),
        lambda it: it.account.delete_firewall(it.firewall),
    ),
    "delete vpc": ("DELETE", "/v2/vpcs/{vpc_id}", lambda it: it.account.delete_vpc(it.vpc)),
    "delete tag": ("DELETE", "/v2/tags/{tag_id}", lambda it: it.account.delete_tag(TAG)),
}
NEW_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2RlZjAxMjM0NTY3ODkzNWQ2YzQ1ZjY3ODlp cb-new"


def furnished(imitation: Imitation, account: Account) -> There:
    key = account.create_key("cb-waves", PUBLIC)
    account.create_tag(TAG)
    firewall = account.create_firewall("cb-waves", [SSH], [OUT], [TAG])
    vpc = account.create_vpc("cb-waves-nyc3", "nyc3")
    (droplet,) = account.created_or_found(["cb-waves-manager"], TAG, **ORDER)
    image = imitation.account.add_snapshot("cb-waves-snapshot-1")
    return There(account, firewall.id, vpc.id, key.id, droplet.id, image.id)


def picture(imitation: Imitation) -> dict[str, object]:
    """The account as it is, without what is counted or made up by chance."""
    it = imitation.account
    return {
        "left": sorted(it.left()),
        "rules": [
            sorted(
                {str((rule["protocol"], who)) for rule in one.inbound for who in rule["sources"]["addresses"]}
            )
            for one in it.firewalls.values()
        ],
        "tags": [sorted(one.tags) for one in it.standing()],
        "actions": sorted((one.kind, one.droplet.name) for one in it.actions.values()),
    }


@pytest.fixture(scope="module")
def undisturbed() -> Callable[[str], tuple[object, dict[str, object]]]:
    """What an act gives and leaves behind when nothing goes wrong."""
    known: dict[str, tuple[object, dict[str, object]]] = {}

    def of(name: str) -> tuple[object, dict[str, object]]:
        if name not in known:
            with paper(Clockwork(), PROMPT) as (imitation, account):
                there = furnished(imitation, account)
                known[name] = (ACTS[name][2](there), picture(imitation))
        return known[name]

    return of


GONE_BEFORE = {"delete image", "delete droplet", "delete key", "delete firewall", "delete vpc", "delete tag"}
"""Said again after it was done, there is nothing to remove any more."""


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=named)
@pytest.mark.parametrize("name", ACTS)
def test_whatever_goes_wrong_the_end_is_the_same(
    name: str,
    fault: Fault,
    clockwork: Clockwork,
    undisturbed: Callable[[str], tuple[object, dict[str, object]]],
) -> None:
    method, path, act = ACTS[name]
    with paper(clockwork, PROMPT, fault) as (imitation, account):
        there = furnished(imitation, account)
        imitation.faults.add(struck(fault, method, path))
        given = act(there)
        wanted, left = undisturbed(name)
        assert imitation.faults.unused() == []
        assert picture(imitation) == left
        if name not in GONE_BEFORE:
            assert _without_ids(given) == _without_ids(wanted)


def _without_ids(given: object) -> object:
    """Ids of some things, and moments, are another account's own."""
    return len(given) if isinstance(given, tuple) else type(given) if hasattr(given, "id") else _plain(given)


def _plain(given: Any) -> object:
    return None if isinstance(given, str) and "-" in given and len(given) == 36 else given


# ── droplets are created once ────────────────────────────────────────────────────────────────
def test_ten_at_a_time(clockwork: Clockwork) -> None:
    with paper(clockwork) as (imitation, account):
        made = account.created_or_found(names(12), TAG, **ORDER)
        assert [one.name for one in made] == names(12)
        assert [len(one.said["names"]) for one in imitation.requests("POST", "/v2/droplets")] == [10, 2]


def test_what_stands_is_found_and_not_created(clockwork: Clockwork) -> None:
    with paper(clockwork) as (imitation, account):
        first = account.created_or_found(names(2), TAG, **ORDER)
        for _ in range(3):
            account.all_droplets()
        again = account.created_or_found(names(3), TAG, **ORDER)
        assert [one.id for one in again][:2] == [one.id for one in first]
        assert standing(imitation) == dict.fromkeys(names(3), 1)


def test_what_was_just_removed_is_not_what_stands(clockwork: Clockwork) -> None:
    """Lists go on showing it; its successor has its name."""
    with paper(clockwork, replace(MILD, deletes_after=5, tags_forget_after=5)) as (imitation, account):
        (old,) = account.created_or_found(names(1), TAG, **ORDER)
        for _ in range(3):
            account.all_droplets()
        account.delete_droplet(old.id)
        (new,) = account.created_or_found(names(1), TAG, gone=[old.id], **ORDER)
        assert new.id != old.id
        assert standing(imitation) == {names(1)[0]: 1}


def test_a_tags_list_that_shows_the_dead_does_not_count(clockwork: Clockwork) -> None:
    with paper(clockwork, replace(PROMPT, tags_forget_after=9)) as (_, account):
        (old,) = account.created_or_found(names(1), TAG, **ORDER)
        account.delete_droplet(old.id)
        assert [one.id for one in account.droplets(TAG)] == [old.id]
        (new,) = account.created_or_found(names(1), TAG, **ORDER)
        assert new.id != old.id


def test_of_twins_the_elder_is_meant(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (_, account):
        (elder,) = account.create_droplets(names(1), **ORDER)
        clockwork.sleep(60)
        account.create_droplets(names(1), **ORDER)
        (found,) = account.created_or_found(names(1), TAG, **ORDER)
        assert found.id == elder.id


@pytest.mark.parametrize("manners", MANNERS.values(), ids=MANNERS)
@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_a_lost_answer_makes_no_twin(fault: Fault, manners: Manners, clockwork: Clockwork) -> None:
    with paper(clockwork, manners, fault) as (imitation, account):
        imitation.faults.add(struck(fault, "POST", "/v2/droplets"))
        made = account.created_or_found(names(3), TAG, **ORDER)
        assert [one.name for one in made] == names(3)
        assert standing(imitation) == dict.fromkeys(names(3), 1)
        posts = imitation.requests("POST", "/v2/droplets")
        assert len(posts) == (1 if fault.is_done_first else 1 + (fault.times or 0))


def test_who_waits_for_a_lost_answer_says_so(clockwork: Clockwork) -> None:
    with paper(clockwork) as (imitation, account):
        imitation.faults.add(Fault("POST", "/v2/droplets", "drop-after"))
        account.created_or_found(names(2), TAG, **ORDER)
    assert "an answer of DigitalOcean's was lost: looking for 2 droplets" in clockwork.said


kinds = st.sampled_from([fault for fault in FAULTS if fault.what != "slow"])


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    posts=st.lists(kinds, max_size=3),
    gets=st.lists(kinds, max_size=2),
    count=st.integers(1, 11),
    manners=st.sampled_from(list(MANNERS.values())),
)
def test_no_name_is_there_twice_whatever_happens(
    posts: list[Fault], gets: list[Fault], count: int, manners: Manners
) -> None:
    with paper(Clockwork(), manners) as (imitation, account):
        imitation.faults.add(*(struck(fault, "POST", "/v2/droplets") for fault in posts))
        imitation.faults.add(*(struck(fault, "GET", "/v2/droplets") for fault in gets))
        with contextlib.suppress(Unreachable):  # it may give up, and what stands by then stands
            account.created_or_found(names(count), TAG, **ORDER)
        assert set(standing(imitation).values()) <= {1}
        imitation.faults.clear()
        for _ in range(manners.listed_after):
            account.all_droplets()
        made = account.created_or_found(names(count), TAG, **ORDER)
        assert [one.name for one in made] == names(count)
        assert standing(imitation) == dict.fromkeys(names(count), 1)


def test_the_droplet_limit_is_a_sentence_and_what_stands_stands(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        imitation.account.droplet_limit = 10
        with pytest.raises(ApiRefused, match="limit") as raised:
            account.created_or_found(names(12), TAG, **ORDER)
        assert "cloudburst orphans" in raised.value.hint
        assert standing(imitation) == dict.fromkeys(names(10), 1)
        imitation.account.droplet_limit = 25
        account.created_or_found(names(12), TAG, **ORDER)
        assert standing(imitation) == dict.fromkeys(names(12), 1)


def test_trouble_without_end_is_an_error_in_bounded_time(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        imitation.faults.add(Fault("POST", "/v2/droplets", "503", times=FOR_EVER))
        with pytest.raises(Ambiguous, match="it is open whether it did create droplets"):
            account.created_or_found(names(1), TAG, **ORDER)
        imitation.faults.add(Fault("POST", "/v2/vpcs", "429", times=FOR_EVER, retry_after=9))
        with pytest.raises(ApiRefused, match="takes no more requests"):
            account.create_vpc("cb-waves-nyc3", "nyc3")
        assert standing(imitation) == {}
    assert clockwork.seconds < 600


def test_a_request_for_more_than_ten_or_twice_the_same_is_a_mistake_of_ours(clockwork: Clockwork) -> None:
    with paper(clockwork) as (_, account):
        for wrong in ([], names(11), ["a", "a"]):
            with pytest.raises(ValueError, match="a request creates 1 to 10"):
                account.create_droplets(wrong, **ORDER)


# ── acts ─────────────────────────────────────────────────────────────────────────────────────
def test_an_act_that_does_not_end_is_an_error(clockwork: Clockwork) -> None:
    with paper(clockwork, replace(PROMPT, acts_after=10**6)) as (_, account):
        (droplet,) = account.created_or_found(names(1), TAG, **ORDER)
        action = account.power_off(droplet.id)
        with pytest.raises(
            ProviderError, match=r"has not finished power_off of droplet .* within 1 min 00 s"
        ):
            account.wait(action, within=60)


def test_a_lost_act_is_told_from_the_one_before(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        (droplet,) = account.created_or_found(names(1), TAG, **ORDER)
        first = account.snapshot(droplet.id, "cb-waves-snapshot-1")
        imitation.faults.add(Fault("POST", "/v2/droplets/*/actions", "drop-after"))
        second = account.snapshot(droplet.id, "cb-waves-snapshot-2")
        assert second > first
        assert len(account.own_images()) == 2


# ── who may ──────────────────────────────────────────────────────────────────────────────────
def test_the_first_token_in_the_environment_counts(imitation: Imitation) -> None:
    variables = {"DOTOKEN": "old", "DIGITALOCEAN_ACCESS_TOKEN": imitation.token, "DIGITALOCEAN_TOKEN": " "}
    with open_account(environment=variables) as account:
        assert account.facts().email


def test_without_a_token_there_is_a_way_out() -> None:
    with pytest.raises(ProviderError, match="there is no token for DigitalOcean") as raised:
        open_account(environment={})
    assert "DIGITALOCEAN_TOKEN" in raised.value.hint


def test_a_wrong_token_is_named_by_its_variable(imitation: Imitation) -> None:
    wrong = pytest.raises(ApiRefused, match="does not take the token in DOTOKEN")
    with open_account(environment={"DOTOKEN": "wrong"}) as account, wrong:
        account.facts()


def test_a_scope_that_is_missing_is_named(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, _):
        account = Account(clockwork.transport(imitation.end_point, imitation.grant_read_only()))
        account.all_droplets()
        with pytest.raises(ApiRefused, match="may not create a VPC") as raised:
            account.create_vpc("cb-waves-nyc3", "nyc3")
        account.close()
    assert "vpc:create" in raised.value.hint


def test_a_vpc_with_members_is_no_matter_of_the_tokens_scopes(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (_, account):
        vpc = account.create_vpc("cb-waves-nyc3", "nyc3")
        order: Order = {**ORDER, "vpc": vpc.id}
        account.created_or_found(names(1), TAG, **order)
        with pytest.raises(ApiRefused, match=r"cannot remove the VPC now: .* members") as raised:
            account.delete_vpc(vpc.id)
        assert not raised.value.lasting


def test_a_locked_account_is_said(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        imitation.account.status = "locked"
        with pytest.raises(ApiRefused, match="DigitalOcean has locked the account"):
            account.created_or_found(names(1), TAG, **ORDER)


def test_an_answer_that_is_not_as_described_is_a_sentence(clockwork: Clockwork) -> None:
    broken = b'{"droplets": [{"id": "seven"}], "links": {}, "meta": {"total": 1}}'
    sentence = "is not as its own description says: id is missing"
    with scripted([Line(body=broken)]) as server, pytest.raises(Unreachable, match=sentence):
        Account(clockwork.transport(server.end_point)).droplets(TAG)


@pytest.mark.parametrize("text", ["", "ssh-ed25519", "ssh-ed25519 %%%", "no key at all"])
def test_what_is_no_key_has_no_fingerprint(text: str) -> None:
    with pytest.raises(ProviderError, match="no public ssh key"):
        md5_fingerprint(text)


def test_fingerprints_are_those_of_ssh_keygen() -> None:
    assert md5_fingerprint(PUBLIC) == "60:01:75:67:3e:c6:5c:f4:e5:95:2e:01:0a:83:1c:ad"
