"""Awkward as the real thing: late, stale, refusing; counted in looks, so that every run sees the same."""

from __future__ import annotations

import pytest

from . import HARSH, PROMPT, Imitation, Manners
from .asking import Asker


def _account(**manners: int | bool) -> Imitation:
    return Imitation(manners=Manners(**{**PROMPT.__dict__, **manners}))


def _created(asker: Asker, name: str = "web") -> int:
    """One droplet with the tag `a`; its id."""
    return int(asker.create(name, tags=["a"]).body["droplets"][0]["id"])


def test_accepted_is_not_yet_listed() -> None:
    with _account(listed_after=2) as it:
        asker = Asker(it)
        number = _created(asker)
        assert asker.ask("GET", f"/droplets/{number}").status == 200
        assert asker.awaited("/droplets?name=web", "droplets", ["web"]) == 3


def test_not_even_found_by_its_id() -> None:
    with _account(found_after=1) as it:
        asker = Asker(it)
        number = _created(asker)
        assert [asker.ask("GET", f"/droplets/{number}").status for _ in range(2)] == [404, 200]


def test_the_list_of_a_tag_is_behind_the_list_of_all() -> None:
    with _account(tagged_after=2) as it:
        asker = Asker(it)
        _created(asker)
        assert asker.named() == ["web"]
        assert asker.awaited("/droplets?tag_name=a", "droplets", ["web"]) == 3


def test_a_droplet_is_new_without_addresses_for_a_while() -> None:
    with _account(boots_after=1, addresses_after=2) as it:
        asker = Asker(it)
        place = f"/droplets/{_created(asker)}"
        seen = [asker.get(place)["droplet"] for _ in range(3)]
        assert [(one["status"], len(one["networks"]["v4"])) for one in seen] == [
            ("new", 0),
            ("active", 0),
            ("active", 2),
        ]
        assert [one["locked"] for one in seen] == [True, False, False]


def test_what_is_deleted_stays_listed_and_its_tag_forgets_it_later() -> None:
    with _account(deletes_after=1, tags_forget_after=2) as it:
        asker = Asker(it)
        number = _created(asker)
        assert asker.ask("DELETE", f"/droplets/{number}").status == 204
        assert it.account.standing() == []
        assert [asker.named(f"/droplets{query}") for query in ("", "", "?tag_name=a")] == [
            ["web"],
            [],
            ["web"],
        ]
        assert asker.ask("GET", f"/droplets/{number}").status == 404
        assert asker.awaited("/droplets?tag_name=a", "droplets", []) == 2


@pytest.mark.parametrize("status", [204, 404, 422])
def test_deleting_again_is_answered_as_it_is_set(status: int) -> None:
    with _account(deletes_after=9, deletes_again=status) as it:
        asker = Asker(it)
        place = f"/droplets/{_created(asker)}"
        assert [asker.ask("DELETE", place).status for _ in range(2)] == [204, status]


def test_a_new_droplet_refuses_to_be_deleted_and_gives_in_after_some_tries() -> None:
    with _account(boots_after=1, new_refuses_delete=True) as it:
        asker = Asker(it)
        place = f"/droplets/{_created(asker)}"
        tries = [asker.ask("DELETE", place) for _ in range(3)]
        assert [one.status for one in tries] == [422, 422, 204]
        assert tries[0].message == "Droplet already has a pending event."


def test_deleting_by_tag_passes_over_what_is_new() -> None:
    with _account(boots_after=1, new_refuses_delete=True) as it:
        asker = Asker(it)
        _created(asker)
        assert [len(_left_after_delete(asker)) for _ in range(3)] == [1, 1, 0]


def _left_after_delete(asker: Asker) -> list[str]:
    assert asker.ask("DELETE", "/droplets?tag_name=a").status == 204
    return [one.name for one in asker.it.account.standing()]


def test_deleting_by_tag_may_miss_what_its_list_does_not_show() -> None:
    with _account(tagged_after=1, stale_delete_by_tag=True) as it:
        asker = Asker(it)
        _created(asker)
        assert _left_after_delete(asker) == ["web"]
        assert asker.awaited("/droplets?tag_name=a", "droplets", ["web"]) == 2
        assert _left_after_delete(asker) == []


def test_an_action_takes_a_while_and_holds_the_droplet() -> None:
    with _account(acts_after=1) as it:
        asker = Asker(it)
        place = f"/droplets/{_created(asker)}"
        asker.get(place)
        made = asker.ask("POST", f"{place}/actions", {"type": "reboot"}).body["action"]
        assert made["status"] == "in-progress"
        refused = asker.ask("POST", f"{place}/actions", {"type": "power_off"})
        assert (refused.status, refused.message) == (422, "Droplet already has a pending event.")
        assert asker.get(f"/actions/{made['id']}")["action"]["status"] == "completed"
        assert asker.ask("POST", f"{place}/actions", {"type": "power_off"}).status == 201


def test_a_resize_is_seen_when_it_is_completed() -> None:
    with _account(acts_after=1) as it:
        asker = Asker(it)
        place = f"/droplets/{_created(asker)}"
        asker.get(place)
        asker.ask("POST", f"{place}/actions", {"type": "power_off"})
        asker.get(place)
        asker.get(place)
        assert asker.ask("POST", f"{place}/actions", {"type": "resize", "size": "s-2vcpu-2gb"}).status == 201
        sizes = [asker.get(place)["droplet"]["size_slug"] for _ in range(2)]
        assert sizes == ["s-1vcpu-1gb", "s-2vcpu-2gb"]


def test_a_firewall_waits_before_it_is_in_force() -> None:
    rule = {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["198.51.100.7"]}}
    with _account(firewall_settles_after=1) as it:
        asker = Asker(it)
        number = _created(asker)
        made = asker.ask("POST", "/firewalls", {"name": "cb-x", "inbound_rules": [rule], "tags": ["a"]})
        assert made.body["firewall"]["status"] == "waiting"
        assert made.body["firewall"]["pending_changes"][0]["droplet_id"] == number
        seen = [asker.get("/firewalls")["firewalls"][0] for _ in range(2)]
        assert [(one["status"], len(one["pending_changes"])) for one in seen] == [
            ("waiting", 1),
            ("succeeded", 0),
        ]


@pytest.mark.parametrize("status", [403, 409])
def test_a_vpc_refuses_while_members_linger_and_a_little_longer(status: int) -> None:
    with _account(vpc_lingers=1, vpc_refuses=status) as it:
        asker = Asker(it)
        vpc = asker.ask("POST", "/vpcs", {"name": "mine", "region": "nyc3"}).body["vpc"]["id"]
        number = asker.create("web", vpc_uuid=vpc).body["droplets"][0]["id"]
        assert asker.ask("DELETE", f"/vpcs/{vpc}").status == status
        assert asker.ask("DELETE", f"/droplets/{number}").status == 204
        assert asker.get(f"/vpcs/{vpc}/members")["members"] == []
        assert [asker.ask("DELETE", f"/vpcs/{vpc}").status for _ in range(2)] == [status, 204]


def test_who_asks_for_the_second_page_does_not_look_again() -> None:
    with _account(listed_after=1, largest_page=1) as it:
        asker = Asker(it)
        asker.create("a", "b")
        assert asker.get("/droplets?page=2")["meta"]["total"] == 0
        assert asker.named() == []
        assert asker.named() == ["a", "b"]


def test_harsh_is_within_the_description() -> None:
    with Imitation(manners=HARSH) as it:
        asker = Asker(it)
        asker.create("a", "b", "c", tags=["a"])
        asker.awaited("/droplets?tag_name=a", "droplets", ["a", "b", "c"])
        for _ in range(10):
            asker.ask("DELETE", "/droplets?tag_name=a")
        assert it.account.standing() == []
        asker.awaited("/droplets?tag_name=a", "droplets", [])
        assert it.violations() == []
