"""What a study has in an account, and giving it back until it is gone."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudburst.errors import Unreachable
from cloudburst.run.digitalocean.account import Account, Order
from cloudburst.run.digitalocean.errors import ApiRefused
from cloudburst.run.digitalocean.estate import (
    Estate,
    Survey,
    estate_of,
    find_orphans,
    in_words,
    observe,
    remove,
    remove_orphans,
    studies_in,
    studies_of,
)
from cloudburst.run.digitalocean.names import role_tag, study_tag, study_tags
from cloudburst.run.digitalocean.nouns import Droplet, Firewall, Image, Key, Rule, Tag, Vpc
from cloudburst.run.events import Doing, Event
from tests.lab.imitation import FOR_EVER, HARSH, MILD, PROMPT, Fault, Imitation, Manners

from .clockwork import FAULTS, MANNERS, Clockwork, named, paper, struck

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkzNWQ2YzQ1ZjY3ODlhYmNkZWYwMTIzNDU2Nzg5"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2RlZjAxMjM0NTY3ODkzNWQ2YzQ1ZjY3ODlp"
PLAIN: dict[str, Any] = {
    "region": "nyc3",
    "size": "s-1vcpu-1gb",
    "image": "ubuntu-24-04-x64",
    "keys": (),
    "user_data": "#cloud-config\n{}",
    "vpc": None,
}
OUT = Rule("tcp", "0", addresses=("0.0.0.0/0", "::/0"))


@pytest.fixture
def clockwork() -> Clockwork:
    return Clockwork()


def ignore(_: Event) -> None:
    pass


def rent(account: Account, study: str = "waves", workers: int = 2, public: str = PUBLIC) -> None:
    """All that `apply` makes in an account, in its order."""
    vpc = account.create_vpc(f"cb-{study}-nyc3", "nyc3")
    for tag in study_tags(study):
        account.create_tag(tag)
    key = account.create_key(f"cb-{study}", f"{public} cb-{study}")
    account.create_firewall(f"cb-{study}", [], [OUT], [study_tag(study)])
    order: Order = {
        "region": "nyc3",
        "size": "s-1vcpu-1gb",
        "image": "ubuntu-24-04-x64",
        "keys": (key.fingerprint,),
        "tags": (),
        "user_data": "#cloud-config\n{}",
        "vpc": vpc.id,
    }
    shared = ("cloudburst", study_tag(study), f"cb-host:{study.encode().hex()}")
    managing: Order = {**order, "tags": (*shared, role_tag(study, "manager"))}
    account.created_or_found([f"cb-{study}-manager"], study_tag(study), **managing)
    working: Order = {**order, "tags": (*shared, role_tag(study, "worker"))}
    names = [f"cb-{study}-worker-{n}" for n in range(1, workers + 1)]
    account.created_or_found(names, study_tag(study), **working)


# ── from nothing to nothing ──────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("manners", MANNERS.values(), ids=MANNERS)
def test_what_was_rented_is_given_back_to_the_last_tag(manners: Manners, clockwork: Clockwork) -> None:
    with paper(clockwork, manners) as (imitation, account):
        rent(account)
        assert not remove(account, "waves", on_event=ignore)
        assert imitation.account.left() == []
        assert observe(account, "waves") == Estate("waves")
        assert not remove(account, "waves", on_event=ignore), "and again"


def test_it_can_be_seen_before(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (_, account):
        rent(account)
        estate = observe(account, "waves")
    assert [one.name for one in estate.droplets] == [
        "cb-waves-manager",
        "cb-waves-worker-1",
        "cb-waves-worker-2",
    ]
    assert estate.hourly == 3 * Decimal("0.00893")
    assert [kind for kind, _ in estate.by_kind()] == ["droplet", "ssh key", "firewall", "VPC", "tag"]
    assert set(estate.tags) == {*study_tags("waves"), "cb-host:7761766573"}
    assert estate.tags[-1] == "cloudburst:waves", "by which the rest is found goes last"
    assert in_words(estate).startswith("the droplets cb-waves-manager (id 530000001), cb-waves-worker-1 (id ")
    assert "0.027 USD an hour" in in_words(estate)
    assert json.dumps(estate.to_json())


def test_what_costs_money_goes_first(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account)
        before = len(imitation.exchanges)
        remove(account, "waves", on_event=ignore)
        gone = [one.template for one in imitation.exchanges[before:] if one.method == "DELETE"]
    kinds = [str(template).split("/")[2] for template in gone]
    assert kinds == ["droplets"] * 3 + ["account", "firewalls", "vpcs"] + ["tags"] * 5


@pytest.mark.parametrize("manners", MANNERS.values(), ids=MANNERS)
def test_droplets_that_are_in_no_list_yet_are_waited_for(manners: Manners, clockwork: Clockwork) -> None:
    """`apply` was killed right after its request; `destroy` begins at once."""
    with paper(clockwork, manners) as (imitation, account):
        rent(account, workers=9)
        remove(account, "waves", on_event=ignore)
        assert imitation.account.left() == []


def test_without_a_vpc_to_show_them_they_are_waited_for_too(clockwork: Clockwork) -> None:
    late = replace(MILD, listed_after=4, tagged_after=4)
    with paper(clockwork, late) as (imitation, account):
        account.create_tag(study_tag("waves"))
        account.create_droplets(["cb-waves-manager"], **PLAIN, tags=("cloudburst", study_tag("waves")))
        assert not remove(account, "waves", on_event=ignore)
        assert imitation.account.left() == []


def test_one_that_appears_late_is_removed_too(clockwork: Clockwork) -> None:
    with paper(clockwork, MILD) as (imitation, account):
        rent(account, workers=0)
        late: list[str] = []

        def another(event: Event) -> None:
            if isinstance(event, Doing) and event.detail.startswith("removing firewall") and not late:
                late.extend(["cb-waves-worker-7"])
                account.create_droplets(late, **PLAIN, tags=("cloudburst", study_tag("waves")))

        assert not remove(account, "waves", on_event=another)
        assert late
        assert imitation.account.left() == []


def test_one_that_lost_its_tags_is_known_by_its_name(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=1)
        imitation.account.droplet("cb-waves-worker-1").tags.clear()
        remove(account, "waves", on_event=ignore)
        assert imitation.account.left() == []


def test_one_that_was_renamed_is_known_by_its_tag(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=1)
        imitation.account.droplet("cb-waves-worker-1").name = "keep-me"
        remove(account, "waves", on_event=ignore)
        assert imitation.account.left() == []


def test_twins_go_both(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=1)
        twin = imitation.account.droplet("cb-waves-worker-1")
        rent(account, workers=0)
        account.create_droplets([twin.name], **PLAIN, tags=("cloudburst:waves",))
        remove(account, "waves", on_event=ignore)
        assert imitation.account.left() == []


def test_a_study_that_has_nothing_is_done_soon(clockwork: Clockwork) -> None:
    with paper(clockwork) as (imitation, account):
        assert not remove(account, "waves", on_event=ignore)
        assert {one.method for one in imitation.exchanges} == {"GET"}
    assert clockwork.seconds < 10


# ── whatever goes wrong ──────────────────────────────────────────────────────────────────────
ENDPOINTS = [
    ("GET", "/v2/droplets"),
    ("GET", "/v2/account/keys"),
    ("GET", "/v2/firewalls"),
    ("GET", "/v2/vpcs"),
    ("GET", "/v2/vpcs/{vpc_id}/members"),
    ("GET", "/v2/tags"),
    ("GET", "/v2/images"),
    ("DELETE", "/v2/droplets/{droplet_id}"),
    ("DELETE", "/v2/account/keys/{ssh_key_identifier}"),
    ("DELETE", "/v2/firewalls/{firewall_id}"),
    ("DELETE", "/v2/vpcs/{vpc_id}"),
    ("DELETE", "/v2/tags/{tag_id}"),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=named)
@pytest.mark.parametrize(("method", "path"), ENDPOINTS, ids=lambda one: str(one).rpartition("/v2/")[2])
def test_no_trouble_leaves_anything(method: str, path: str, fault: Fault, clockwork: Clockwork) -> None:
    with paper(clockwork, HARSH, fault) as (imitation, account):
        rent(account, workers=1)
        imitation.faults.add(struck(fault, method, path))
        if method == "GET" and path not in ("/v2/account/keys", "/v2/images"):
            imitation.faults.add(struck(fault, method, path, page=2))
        assert not remove(account, "waves", on_event=ignore)
        assert imitation.account.left() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 100, 5))
def test_interrupted_anywhere_it_goes_on(
    number: int, clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    with paper(clockwork, HARSH) as (imitation, account):
        rent(account)
        before = len(imitation.exchanges)
        transport = (
            account._transport
        )  # the place where requests leave: as if the process had been killed there
        send = transport._session.request

        def killed(*args: Any, **kwargs: Any) -> Any:
            answer = send(*args, **kwargs)
            if len(imitation.exchanges) - before >= number:
                raise KeyboardInterrupt
            return answer

        monkeypatch.setattr(transport._session, "request", killed)
        with contextlib.suppress(KeyboardInterrupt):
            remove(account, "waves", on_event=ignore)
        with Account(clockwork.transport(imitation.end_point, imitation.token)) as another:
            assert not remove(another, "waves", on_event=ignore)
        assert imitation.account.left() == []


def test_whoever_does_not_want_to_wait_is_told_what_still_stands(
    clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account)
        delete = account.delete_droplet

        def once(number: int) -> bool:
            monkeypatch.setattr(account, "delete_droplet", interrupted)
            return delete(number)

        def interrupted(_: int) -> bool:
            raise KeyboardInterrupt

        monkeypatch.setattr(account, "delete_droplet", once)
        with pytest.raises(KeyboardInterrupt):
            remove(account, "waves", on_event=told.append)
        said = str(told[-1].to_json())
        gone = {one.name for one in imitation.account.droplets.values()} - {
            one.name for one in imitation.account.standing()
        }
        assert len(gone) == 1
        assert all(f"{one.name} (id {one.id})" in said for one in imitation.account.standing())
        assert not any(f"{name} (id" in said for name in gone)
        assert "USD an hour" in said


def test_no_network_in_the_middle_says_what_stood(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=0)
        imitation.faults.add(Fault("DELETE", "/v2/droplets/*", "drop-before", times=FOR_EVER))
        with pytest.raises(
            Unreachable, match="broke; when last seen there stood the droplet cb-waves-manager"
        ):
            remove(account, "waves", on_event=ignore)
        imitation.faults.clear()
        imitation.faults.add(Fault("GET", "/v2/vpcs", "503", times=FOR_EVER))
        with pytest.raises(Unreachable, match="what stands of waves is not known"):
            remove(account, "waves", on_event=ignore)


def test_a_token_that_may_not_remove_leaves_and_says_so(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=1)
        began = clockwork.seconds
        with Account(clockwork.transport(imitation.end_point, imitation.grant_read_only())) as reader:
            left = remove(reader, "waves", on_event=ignore)
        assert left
        assert clockwork.seconds - began < 60, "asking again does not help"
        assert [one.name for one in left.left.droplets] == ["cb-waves-manager", "cb-waves-worker-1"]
        assert left.hourly == 2 * Decimal("0.00893")
        assert "may not remove droplets" in left.why[0]
        assert json.dumps(left.to_json())
        wrong = pytest.raises(ApiRefused, match="does not take the token")
        with Account(clockwork.transport(imitation.end_point, "wrong")) as stranger, wrong:
            remove(stranger, "waves", on_event=ignore)


def test_a_locked_account_says_what_stands(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=0)
        imitation.account.status = "locked"
        left = remove(account, "waves", on_event=ignore)
    assert "DigitalOcean has locked the account" in left.why[0]
    assert "the droplet cb-waves-manager (id 530000001), 0.009 USD an hour" in left.in_words()


def test_a_vpc_that_others_use_is_left_and_said(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=0)
        vpc = next(one for one in account.vpcs() if one.name == "cb-waves-nyc3")
        account.create_droplets(["database"], **{**PLAIN, "vpc": vpc.id}, tags=())
        left = remove(account, "waves", on_event=ignore)
        assert [one.id for one in left.left.vpcs] == [vpc.id]
        assert not left.left.is_billed
        assert any("VPC cb-waves-nyc3" in why and "members" in why for why in left.why)
        assert imitation.account.left() == ["droplet database", "vpc cb-waves-nyc3"]


def test_a_vpc_that_became_the_default_is_kept_and_said(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT, default_vpcs=False) as (_, account):
        rent(account, workers=0)
        left = remove(account, "waves", on_event=ignore)
    assert not left
    assert left.kept[0].startswith("the VPC cb-waves-nyc3: it became the default of nyc3")


def test_the_users_own_vpc_stays(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=0)
        assert not remove(account, "waves", on_event=ignore, keep_vpc=True)
        assert imitation.account.left() == ["vpc cb-waves-nyc3"]


def test_snapshots_go_on_request_and_are_said_else(clockwork: Clockwork) -> None:
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=0)
        imitation.account.add_snapshot("cb-waves-manager-1795367520")
        imitation.account.add_snapshot("cb-waves-2-snapshot-1")
        imitation.account.add_snapshot("my cb-waves-manager-1")
        left = remove(account, "waves", on_event=ignore)
        assert not left
        assert "1 snapshot (cb-waves-manager-1795367520 (id " in left.kept[0]
        remove(account, "waves", on_event=ignore, snapshots=True)
        others = ["snapshot cb-waves-2-snapshot-1", "snapshot my cb-waves-manager-1"]
        assert imitation.account.left() == [*others, "tag cloudburst"], "there is another study"


def test_progress_is_told_and_nothing_twice(clockwork: Clockwork) -> None:
    told: list[Event] = []
    with paper(clockwork, HARSH) as (_, account):
        rent(account, workers=1)
        remove(account, "waves", on_event=told.append)
    details = [one.detail for one in told if isinstance(one, Doing)]
    assert any(one.startswith("removing droplet cb-waves-manager (id ") for one in details)
    assert "waiting for 2 droplets to go" in details
    assert all(one != other for one, other in itertools.pairwise(details))


# ── nobody else's ────────────────────────────────────────────────────────────────────────────
def test_other_studies_and_other_things_are_not_touched(clockwork: Clockwork) -> None:
    with paper(clockwork, MILD) as (imitation, account):
        rent(account, "waves-2", public=OTHER)
        account.create_droplets(
            ["database", "cb-waves", "cb-waves-worker-x", "my-cb-waves-manager"],
            **PLAIN,
            tags=("cloudburst:wavesx", "team"),
        )
        account.create_vpc("cb-wave-nyc3", "nyc3")
        others = sorted(imitation.account.left())
        rent(account)
        remove(account, "waves", on_event=ignore)
        assert sorted(imitation.account.left()) == others


slugs = st.sampled_from(["waves", "waves-2", "waves-worker-1", "waves-manager", "a"])
tags = st.lists(
    st.one_of(
        slugs.map(study_tag),
        slugs.map(lambda one: role_tag(one, "worker")),
        st.sampled_from(
            ["cloudburst", "team", "cloudburst:", "cb-host:00", "cloudburst:waves:x", "Cloudburst:a"]
        ),
    ),
    max_size=3,
)
droplet_names = st.one_of(
    slugs.map(lambda one: f"cb-{one}-manager"),
    slugs.map(lambda one: f"cb-{one}-worker-3"),
    st.sampled_from(["database", "cb-waves", "xcb-waves-manager", "cb-waves-manager-old", "cb--manager"]),
)
droplets = st.builds(
    Droplet,
    id=st.integers(1, 9),
    name=droplet_names,
    tags=tags.map(frozenset),
    **{name: st.just(value) for name, value in {"status": "active", "size": "s", "region": "nyc3"}.items()},
    **{name: st.just(value) for name, value in {"image": "i", "created": 0.0, "hourly": Decimal(1)}.items()},
    **{name: st.none() for name in ("public", "private", "vpc")},
    locked=st.just(False),
)


@given(st.lists(droplets, max_size=8), slugs)
def test_a_droplet_belongs_to_a_study_by_tag_or_else_by_name_and_to_no_other(
    there: list[Droplet], study: str
) -> None:
    mine = estate_of(Survey(droplets=tuple(there)), study).droplets
    for one in there:
        own = {study_tag(study), role_tag(study, "manager"), role_tag(study, "worker")}
        tagged = bool(own & one.tags)
        stranger = bool(one.tags & OTHERS)
        called = one.name in (f"cb-{study}-manager", f"cb-{study}-worker-3")
        assert (one in mine) == (tagged or (called and not stranger))


OTHERS = {
    tag
    for one in ("waves", "waves-2", "waves-worker-1", "waves-manager", "a")
    for tag in (study_tag(one), role_tag(one, "worker"))
}


@given(st.lists(droplets, max_size=8))
def test_each_droplet_of_ours_is_in_the_estate_of_each_of_its_studies(there: list[Droplet]) -> None:
    survey = Survey(droplets=tuple(there))
    found = {study: estate_of(survey, study).droplets for study in studies_in(survey)}
    for one in there:
        assert {study for study, theirs in found.items() if one in theirs} == studies_of(one)


def a_droplet(name: str, *tags: str) -> Droplet:
    plain: dict[str, Any] = {"status": "active", "size": "s", "region": "nyc3", "image": "i", "created": 0.0}
    more: dict[str, Any] = {
        "hourly": Decimal(1),
        "public": None,
        "private": None,
        "vpc": None,
        "locked": False,
    }
    return Droplet(id=len(name), name=name, tags=frozenset(tags), **plain, **more)


@pytest.mark.parametrize(
    "other", [a_droplet("database", "cb-host:00"), a_droplet("x", "cloudburst:tides", "cb-host:00")]
)
def test_a_host_tag_of_another_droplet_stays(other: Droplet) -> None:
    own = a_droplet("cb-waves-manager", study_tag("waves"), "cb-host:00", "cb-host:01")
    names = ("cb-host:00", "cb-host:01", "cb-host:02", "cloudburst:waves")
    survey = Survey(droplets=(own, other), tags=tuple(Tag(name, 0) for name in names))
    unused = ("cb-host:02",) if other.name == "database" else ()  # the last study sweeps
    assert estate_of(survey, "waves").tags == ("cb-host:01", *unused, "cloudburst:waves")


@given(st.lists(droplets, max_size=6), st.lists(tags, max_size=4), slugs)
def test_a_tag_that_somebody_else_uses_stays(there: list[Droplet], more: list[list[str]], study: str) -> None:
    every = {tag for one in there for tag in one.tags} | {tag for some in more for tag in some}
    survey = Survey(droplets=tuple(there), tags=tuple(Tag(name, 0) for name in sorted(every)))
    going = estate_of(survey, study).tags
    others = [one for one in there if study not in studies_of(one)]
    own = {study_tag(study), role_tag(study, "manager"), role_tag(study, "worker")}
    assert not set(going) & {tag for one in others for tag in one.tags}
    assert {tag for tag in going if not tag.startswith("cb-host:")} <= own | {"cloudburst"}


@pytest.mark.parametrize(
    ("survey", "found"),
    [
        (Survey(keys=(Key(1, "f", "cb-waves", f"{PUBLIC} cb-waves"),)), ("waves",)),
        (Survey(keys=(Key(1, "f", "cb-laptop", f"{PUBLIC} me@laptop"),)), ()),
        (Survey(firewalls=(Firewall("f", "cb-waves", "", (), (), ("cloudburst:waves",), ()),)), ("waves",)),
        (Survey(firewalls=(Firewall("f", "cb-office", "", (), (), ("team",), ()),)), ()),
        (Survey(vpcs=(Vpc("v", "cb-waves-nyc3", "nyc3", "", False),)), ("waves",)),
        (Survey(vpcs=(Vpc("v", "cb-waves-nyc3", "ams3", "", False),)), ()),
        (Survey(tags=(Tag("cloudburst:waves:worker", 0),)), ("waves",)),
        (Survey(tags=(Tag("cloudburst", 0), Tag("cb-host:00", 0))), ()),
        (
            Survey(images=(Image(1, None, "cb-waves-worker-1-17", "", (), False, 0, Decimal(1), ""),)),
            ("waves",),
        ),
    ],
    ids=range(9),
)
def test_a_study_is_known_by_what_only_it_can_have_left(survey: Survey, found: tuple[str, ...]) -> None:
    assert studies_in(survey) == found


# ── orphans ──────────────────────────────────────────────────────────────────────────────────
def test_orphans_are_found_and_removed_without_anything_local(
    imitation: Imitation, clockwork: Clockwork
) -> None:
    imitation.account.manners = PROMPT
    with Account(clockwork.transport(imitation.end_point, imitation.token)) as account:
        rent(account, "tides", workers=1)
        rent(account, "waves", public=OTHER)
        found = find_orphans()
        assert [(one.study, len(one.droplets)) for one in found] == [("tides", 2), ("waves", 3)]
        (tides,) = remove_orphans(found[:1], on_event=ignore, account=account)
        assert not tides
        assert [one.study for one in find_orphans(account)] == ["waves"]
        remove_orphans(find_orphans(account), on_event=ignore, account=account)
    assert find_orphans() == ()
    assert imitation.account.left() == []


STAYS_WITH = {"droplets": ("vpcs",), "firewalls": ("tags",)}
"""A VPC with members cannot go; and a firewall is ours by its tag, which DigitalOcean takes off it with the tag."""


@pytest.mark.parametrize("forget", ["droplets", "keys", "firewalls", "vpcs", "tags"])
def test_whatever_remains_alone_is_found(forget: str, clockwork: Clockwork) -> None:
    """Each kind is all that is left of a study once."""
    with paper(clockwork, PROMPT) as (imitation, account):
        rent(account, workers=0)
        estate = observe(account, "waves")
        acts: dict[str, Callable[[], object]] = {
            "droplets": lambda: [account.delete_droplet(one.id) for one in estate.droplets],
            "keys": lambda: [account.delete_key(one.id) for one in estate.keys],
            "firewalls": lambda: [account.delete_firewall(one.id) for one in estate.firewalls],
            "vpcs": lambda: [account.delete_vpc(one.id) for one in estate.vpcs],
            "tags": lambda: [account.delete_tag(one) for one in estate.tags],
        }
        for kind, act in acts.items():
            if kind not in (forget, *STAYS_WITH.get(forget, ())):
                act()
        (found,) = find_orphans(account)
        assert found.study == "waves"
        remove_orphans([found], on_event=ignore, account=account)
        assert imitation.account.left() == []


def test_an_account_without_studies_has_no_orphans(clockwork: Clockwork) -> None:
    with paper(clockwork, MILD) as (imitation, account):
        assert find_orphans(account) == ()
        assert {one.method for one in imitation.exchanges} == {"GET"}


def test_leftovers_in_words() -> None:
    assert in_words(Estate("waves")) == ""
    key, vpc = Key(1, "f", "cb-waves", ""), Vpc("v", "cb-waves-nyc3", "nyc3", "", False)
    assert in_words(Estate("waves", keys=(key,), vpcs=(vpc,), tags=("a", "b"))) == (
        "the ssh key cb-waves (id 1); the VPC cb-waves-nyc3 (id v); 2 tags"
    )
    assert in_words(replace(Estate("waves"), keys=(key, key))) == "2 ssh keys"
