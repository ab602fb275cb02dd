"""What an account can lack, and what can become of a droplet that was accepted."""

from __future__ import annotations

import pytest

from . import PROMPT, UNLIMITED, Imitation, Limits
from .asking import PUBLIC_KEY, Asker

RULE = {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["198.51.100.7"]}}


@pytest.fixture
def asker(imitation: Imitation) -> Asker:
    imitation.account.manners = PROMPT
    return Asker(imitation)


def test_a_wrong_token_is_not_known(imitation: Imitation) -> None:
    refused = Asker(imitation, token="dop_v1_wrong").ask("GET", "/account")
    assert (refused.status, refused.body["id"]) == (401, "unauthorized")


def test_a_token_is_kept_nowhere(asker: Asker) -> None:
    asker.get("/account")
    assert asker.it.token not in repr(asker.it.exchanges)


def test_a_read_only_token_reads_and_makes_nothing(imitation: Imitation) -> None:
    asker = Asker(imitation, token=imitation.grant_read_only())
    assert asker.named() == []
    refused = asker.create("web")
    assert (refused.status, refused.body["id"]) == (403, "forbidden")
    assert asker.ask("POST", "/account/keys", {"name": "k", "public_key": PUBLIC_KEY}).status == 403


def test_filtering_by_tag_needs_a_scope_more(asker: Asker) -> None:
    asker.create("web", tags=["a"])
    without = Asker(asker.it, token=asker.it.grant("droplet:read", "droplet:delete"))
    assert without.named() == ["web"]
    assert without.ask("GET", "/droplets?tag_name=a").status == 403
    assert without.ask("DELETE", "/droplets?tag_name=a").status == 403
    reaper = Asker(asker.it, token=asker.it.grant("droplet:read", "droplet:delete", "tag:read"))
    assert reaper.named("/droplets?tag_name=a") == ["web"]
    assert reaper.ask("DELETE", "/droplets?tag_name=a").status == 204
    assert reaper.ask("DELETE", "/tags/a").status == 403
    assert reaper.create("other").status == 403


def test_a_locked_account_can_be_read_and_nothing_else(asker: Asker) -> None:
    asker.it.account.status = "locked"
    asker.it.account.status_message = "Please contact support."
    assert asker.get("/account")["account"]["status"] == "locked"
    refused = asker.create("web")
    assert (refused.status, refused.message) == (403, "Your account is locked. Please contact support.")


def test_the_droplet_limit_holds_for_the_whole_request(asker: Asker) -> None:
    asker.it.account.droplet_limit = 3
    assert asker.create("a", "b").status == 202
    refused = asker.create("c", "d")
    assert (refused.status, refused.message) == (
        422,
        "creating this/these droplet(s) will exceed your droplet limit",
    )
    assert asker.named() == ["a", "b"]
    assert asker.create("c").status == 202


def test_a_region_may_have_none_left_of_a_size(asker: Asker) -> None:
    asker.it.account.full.add(("nyc3", "s-4vcpu-8gb"))
    assert "s-4vcpu-8gb" in {one["slug"] for one in asker.every("/sizes", "sizes")}
    refused = asker.create("web", size="s-4vcpu-8gb")
    assert (refused.status, refused.message) == (422, "Size is not available in this region.")
    assert asker.create("web", size="s-2vcpu-4gb").status == 202


def test_one_of_several_never_boots(asker: Asker) -> None:
    asker.it.account.spoil("w2", "stuck")
    asker.create("w1", "w2", "w3")
    for _ in range(5):
        seen = {one["name"]: one["status"] for one in asker.every("/droplets", "droplets")}
    assert seen == {"w1": "active", "w2": "new", "w3": "active"}
    again = asker.create("w2").body["droplets"][0]["id"]
    assert asker.get(f"/droplets/{again}")["droplet"]["status"] == "active"


def test_one_of_several_ends_in_an_error_and_vanishes(asker: Asker) -> None:
    asker.it.account.spoil("w?", "errored", times=2)
    made = asker.create("w1", "w2", "w3").body
    assert asker.named() == ["w3"]
    statuses = [asker.get(f"/actions/{one['id']}")["action"]["status"] for one in made["links"]["actions"]]
    assert statuses == ["errored", "errored", "completed"]


def test_one_becomes_active_without_network(asker: Asker) -> None:
    asker.it.account.spoil("w1", "no network")
    place = f"/droplets/{asker.create('w1').body['droplets'][0]['id']}"
    seen = [asker.get(place)["droplet"] for _ in range(4)][-1]
    assert (seen["status"], seen["networks"]["v4"]) == ("active", [])


def test_one_does_not_listen_to_a_shutdown(asker: Asker) -> None:
    asker.it.account.spoil("w1", "silent")
    place = f"/droplets/{asker.create('w1').body['droplets'][0]['id']}"
    assert len(asker.get(place)["droplet"]["networks"]["v4"]) == 2
    asker.ask("POST", f"{place}/actions", {"type": "shutdown"})
    asker.get(place)
    assert asker.get(place)["droplet"]["status"] == "active"
    asker.ask("POST", f"{place}/actions", {"type": "power_off"})
    assert asker.get(place)["droplet"]["status"] == "off"


def test_all_that_somebody_left_is_named(asker: Asker) -> None:
    asker.create("web", tags=["a"])
    asker.ask("POST", "/account/keys", {"name": "k", "public_key": PUBLIC_KEY})
    asker.ask("POST", "/firewalls", {"name": "cb-x", "inbound_rules": [RULE]})
    asker.ask("POST", "/vpcs", {"name": "mine", "region": "nyc3"})
    asker.it.account.add_snapshot("prepared")
    assert asker.it.account.left() == [
        "droplet web",
        "key k",
        "firewall cb-x",
        "vpc mine",
        "snapshot prepared",
        "tag a",
    ]


class Clock:
    """Stands still until it is told."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_too_many_requests_a_minute() -> None:
    clock = Clock()
    with Imitation(clock=clock, limits=Limits(minute=3)) as it:
        asker = Asker(it)
        answers = [asker.ask("GET", "/account") for _ in range(4)]
        assert [one.status for one in answers] == [200, 200, 200, 429]
        assert answers[3].body["id"] == "too_many_requests"
        assert answers[3].headers["retry-after"] == "60"
        assert [one.headers["ratelimit-remaining"] for one in answers] == ["4999", "4998", "4997", "4997"]
        assert answers[0].headers["ratelimit-reset"] == str(int(clock.now) + 3600)
        clock.now += 59
        assert asker.ask("GET", "/account").headers["retry-after"] == "1"
        clock.now += 1
        assert asker.ask("GET", "/account").status == 200
        assert it.violations() == []


def test_too_many_requests_an_hour() -> None:
    clock = Clock()
    with Imitation(clock=clock, limits=Limits(hour=2)) as it:
        asker = Asker(it)
        assert [asker.ask("GET", "/account").status for _ in range(3)] == [200, 200, 429]
        clock.now += 600
        assert asker.ask("GET", "/account").headers["retry-after"] == "3000"


def test_the_list_of_keys_may_be_asked_for_ten_times_a_minute() -> None:
    clock = Clock()
    with Imitation(clock=clock) as it:
        asker = Asker(it)
        statuses = [asker.ask("GET", "/account/keys").status for _ in range(11)]
        assert statuses == [200] * 10 + [429]
        assert asker.ask("GET", "/account/keys/1").status == 404
        clock.now += 60
        assert asker.ask("GET", "/account/keys").status == 200


def test_limits_are_by_token() -> None:
    with Imitation(limits=Limits(minute=1), clock=Clock()) as it:
        other = Asker(it, token=it.grant_read_only())
        assert [Asker(it).ask("GET", "/account").status for _ in range(2)] == [200, 429]
        assert other.ask("GET", "/account").status == 200


def test_without_limits_nobody_is_refused() -> None:
    with Imitation(limits=UNLIMITED, clock=Clock()) as it:
        assert {Asker(it).ask("GET", "/account/keys").status for _ in range(20)} == {200}
