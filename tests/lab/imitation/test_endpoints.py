"""Every endpoint once, as the description has it: each answer is checked against it at the end of the test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from . import UNLIMITED, Imitation, Manners, Paper
from .answers import Call
from .asking import OTHER_KEY, PUBLIC_KEY, Asker
from .description import scopes
from .manners import HARSH, MILD, PROMPT
from .routes import ROUTES

SSH = {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["198.51.100.7"]}}
OUT = {"protocol": "tcp", "ports": "0", "destinations": {"addresses": ["0.0.0.0/0", "::/0"]}}


@pytest.fixture
def asker(imitation: Imitation) -> Asker:
    imitation.account.manners = PROMPT
    return Asker(imitation)


def test_everything_imitated_is_described() -> None:
    assert set(ROUTES) <= set(scopes())


def test_the_account_says_its_limits(asker: Asker) -> None:
    account = asker.get("/account")["account"]
    assert (account["droplet_limit"], account["status"]) == (25, "active")


def test_who_calls_is_told(imitation: Imitation) -> None:
    import urllib.request

    with urllib.request.urlopen(imitation.environment["CLOUDBURST_CALLER_FROM"], timeout=10) as answer:
        assert answer.read() == b"127.0.0.1"
    assert imitation.exchanges == []


def test_offers_fill_more_than_one_page(asker: Asker) -> None:
    assert {one["slug"] for one in asker.every("/regions", "regions")} >= {"nyc3", "fra1"}
    first = asker.get("/sizes")
    assert len(first["sizes"]) == 20 < first["meta"]["total"] == len(asker.every("/sizes", "sizes"))
    assert len(asker.get("/sizes?per_page=200")["sizes"]) == first["meta"]["total"]
    prices = {one["slug"]: one["price_hourly"] for one in asker.every("/sizes", "sizes")}
    assert prices["s-1vcpu-1gb"] < prices["s-2vcpu-4gb"] < prices["s-4vcpu-8gb"]


def test_images_are_found_by_slug_id_and_kind(asker: Asker) -> None:
    image = asker.get("/images/ubuntu-24-04-x64")["image"]
    assert asker.get(f"/images/{image['id']}")["image"] == image
    applications = asker.every("/images?type=application", "images")
    distributions = asker.every("/images?type=distribution", "images")
    assert "docker-20-04" in {one["slug"] for one in applications}
    assert "ubuntu-24-04-x64" in {one["slug"] for one in distributions}
    assert asker.get("/images?private=true")["images"] == []
    assert asker.ask("GET", "/images/ubuntu-99").status == 404
    assert asker.ask("DELETE", f"/images/{image['id']}").status == 403


def test_a_snapshot_made_before_is_the_accounts_own(asker: Asker) -> None:
    image = asker.it.account.add_snapshot("prepared")
    assert asker.named("/images?private=true", "images") == ["prepared"]
    assert asker.ask("PUT", f"/images/{image.id}", {"name": "named"}).body["image"]["name"] == "named"
    assert asker.ask("DELETE", f"/images/{image.id}").status == 204
    assert asker.it.account.left() == []


def test_keys_have_the_fingerprint_that_ssh_keygen_gives(asker: Asker) -> None:
    added = asker.ask("POST", "/account/keys", {"name": "cb-waves", "public_key": PUBLIC_KEY})
    key = added.body["ssh_key"]
    assert added.status == 201
    assert len(key["fingerprint"].split(":")) == 16
    for identifier in (key["id"], key["fingerprint"]):
        assert asker.get(f"/account/keys/{identifier}")["ssh_key"] == key
    again = asker.ask("POST", "/account/keys", {"name": "another", "public_key": PUBLIC_KEY})
    assert (again.status, again.message) == (422, "SSH Key is already in use on your account")
    renamed = asker.ask("PUT", f"/account/keys/{key['id']}", {"name": "cb-tides"})
    assert renamed.body["ssh_key"]["name"] == "cb-tides"
    assert asker.named("/account/keys", "ssh_keys") == ["cb-tides"]
    assert asker.ask("DELETE", f"/account/keys/{key['fingerprint']}").status == 204
    assert asker.ask("GET", f"/account/keys/{key['id']}").status == 404


@pytest.mark.parametrize("public", ["hello", "ssh-ed25519 !!!", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJqs"])
def test_what_is_no_key_is_refused(asker: Asker, public: str) -> None:
    assert asker.ask("POST", "/account/keys", {"name": "k", "public_key": public}).status == 422


def test_a_droplet_from_creation_to_deletion(asker: Asker) -> None:
    made = asker.ask(
        "POST",
        "/droplets",
        {"name": "web", "region": "nyc3", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "tags": ["a"]},
    )
    assert (made.status, made.body["droplet"]["status"]) == (202, "new")
    number = made.body["droplet"]["id"]
    droplet = asker.get(f"/droplets/{number}")["droplet"]
    assert (droplet["status"], droplet["tags"], droplet["size_slug"]) == ("active", ["a"], "s-1vcpu-1gb")
    assert sorted(one["type"] for one in droplet["networks"]["v4"]) == ["private", "public"]
    action = made.body["links"]["actions"][0]["id"]
    assert asker.get(f"/actions/{action}")["action"]["status"] == "completed"
    assert asker.named("/droplets?name=WEB") == ["web"]
    assert asker.named("/droplets?tag_name=a") == ["web"]
    assert asker.named("/droplets?tag_name=nothing") == []
    assert asker.named("/droplets?type=gpus") == []
    assert asker.ask("DELETE", f"/droplets/{number}").status == 204
    assert asker.named() == []
    assert asker.ask("GET", f"/droplets/{number}").status == 404
    assert asker.ask("DELETE", f"/droplets/{number}").status == 404
    assert asker.it.account.left() == ["tag a"]


def test_ten_droplets_have_ten_actions_and_keep_what_was_sent(asker: Asker) -> None:
    key = asker.ask("POST", "/account/keys", {"name": "k", "public_key": PUBLIC_KEY}).body["ssh_key"]
    names = [f"w{number}" for number in range(10)]
    made = asker.create(*names, user_data="#cloud-config\n{}", ssh_keys=[key["fingerprint"]], tags=["x"])
    assert [one["name"] for one in made.body["droplets"]] == names
    assert len({one["id"] for one in made.body["links"]["actions"]}) == 10
    assert asker.it.account.droplet("w7").user_data == "#cloud-config\n{}"
    assert asker.it.account.droplet("w7").keys == (PUBLIC_KEY,)
    assert asker.ask("DELETE", "/droplets?tag_name=x").status == 204
    assert asker.named() == []
    assert asker.ask("DELETE", "/droplets?tag_name=unknown").status == 404


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"names": [f"w{number}" for number in range(11)]}, "up to 10"),
        ({"names": ["under_score"]}, "hostname characters"),
        ({"names": []}, "names is required"),
        ({"size": "s-3vcpu-7gb"}, "invalid size"),
        ({"region": "mars1"}, "invalid region"),
        ({"region": "nyc2"}, "region you selected is not available"),
        ({"image": "ubuntu-99"}, "invalid image"),
        ({"image": 1}, "invalid image"),
        ({"size": "c-60-intel"}, "not available in this region"),
        ({"ssh_keys": ["12:34"]}, "12:34 are invalid key identifiers"),
        ({"vpc_uuid": "4de7ac8b-495b-4884-9a69-1050c6793cd6"}, "VPC"),
        ({"user_data": "x" * (64 * 1024 + 1)}, "64 KiB"),
        ({"tags": ["with space"]}, "Tags may only contain"),
    ],
)
def test_droplets_that_cannot_be_are_refused(change: dict[str, Any], sentence: str) -> None:
    with Imitation() as it:
        refused = Asker(it).create("web", **change)
        assert (refused.status, refused.body["id"]) == (422, "unprocessable_entity")
        assert sentence in refused.message
        assert it.account.left() == []


def test_two_lists_cannot_be_filtered_at_once(asker: Asker) -> None:
    assert asker.ask("GET", "/droplets?tag_name=a&name=b").status == 400
    assert asker.ask("DELETE", "/droplets/12").status == 404


def _settled(asker: Asker, answered: Any) -> Any:
    """The action, completed."""
    assert answered.status == 201, answered
    number, droplet = answered.body["action"]["id"], answered.body["action"]["resource_id"]
    action = asker.get(f"/droplets/{droplet}/actions/{number}")["action"]
    assert action["status"] == "completed"
    return action


def test_power_size_and_snapshot(asker: Asker) -> None:
    number = asker.create("web").body["droplets"][0]["id"]
    asker.get(f"/droplets/{number}")

    def do(**body: Any) -> Any:
        return asker.ask("POST", f"/droplets/{number}/actions", body)

    def status() -> str:
        return str(asker.get(f"/droplets/{number}")["droplet"]["status"])

    assert "powered off" in do(type="resize", size="s-2vcpu-2gb").message
    _settled(asker, do(type="power_off"))
    assert status() == "off"
    assert do(type="power_off").status == 422
    assert "smaller disk" in do(type="resize", size="s-1vcpu-512mb-10gb").message
    assert do(type="resize", size="s-1vcpu-1gb").status == 422
    assert do(type="resize", size="nothing").status == 422
    _settled(asker, do(type="resize", size="s-2vcpu-2gb"))
    droplet = asker.get(f"/droplets/{number}")["droplet"]
    assert (droplet["size_slug"], droplet["disk"]) == ("s-2vcpu-2gb", 25)
    _settled(asker, do(type="resize", size="s-2vcpu-4gb", disk=True))
    assert asker.get(f"/droplets/{number}")["droplet"]["disk"] == 80
    _settled(asker, do(type="power_on"))
    assert status() == "active"
    _settled(asker, do(type="power_cycle"))
    _settled(asker, do(type="shutdown"))
    assert status() == "off"
    _settled(asker, do(type="snapshot", name="kept"))
    kept = asker.get("/images?private=true")["images"][0]
    assert (kept["name"], kept["type"], kept["regions"]) == ("kept", "snapshot", ["nyc3"])
    assert asker.get(f"/droplets/{number}")["droplet"]["snapshot_ids"] == [kept["id"]]
    assert asker.create("copy", image=kept["id"], size="s-2vcpu-4gb").status == 202
    kinds = [one["type"] for one in asker.every(f"/droplets/{number}/actions", "actions")]
    assert kinds[:2] == ["snapshot", "shutdown"]
    assert len(asker.every("/actions", "actions")) == len(kinds) + 1
    assert do(type="enable_backups").status == 422
    assert asker.ask("DELETE", f"/images/{kept['id']}").status == 204


def test_tags_are_put_on_and_taken_off(asker: Asker) -> None:
    number = asker.create("web").body["droplets"][0]["id"]
    snapshot = asker.it.account.add_snapshot("prepared").id
    assert asker.ask("POST", "/tags", {"name": "cb-host:ab12"}).status == 201
    body = {
        "resources": [
            {"resource_id": str(number), "resource_type": "droplet"},
            {"resource_id": str(snapshot), "resource_type": "image"},
        ]
    }
    assert asker.ask("POST", "/tags/cb-host:ab12/resources", body).status == 204
    assert asker.named("/droplets?tag_name=cb-host:ab12") == ["web"]
    assert asker.named("/images?tag_name=cb-host:ab12", "images") == ["prepared"]
    assert asker.get("/tags/cb-host:ab12")["tag"]["resources"]["count"] == 2
    assert asker.ask("DELETE", "/tags/cb-host:ab12/resources", body).status == 204
    assert asker.named("/droplets?tag_name=cb-host:ab12") == []
    unknown = {"resources": [{"resource_id": "7", "resource_type": "droplet"}]}
    assert asker.ask("POST", "/tags/cb-host:ab12/resources", unknown).status == 404
    assert asker.ask("GET", "/tags/CB-HOST:ab12").status == 404  # only as it was first written
    assert asker.ask("POST", "/tags", {"name": "CB-HOST:ab12"}).body["tag"]["name"] == "cb-host:ab12"
    assert asker.named("/tags", "tags") == ["cb-host:ab12"]
    assert asker.ask("DELETE", "/tags/cb-host:ab12").status == 204
    assert asker.ask("DELETE", "/tags/cb-host:ab12").status == 404


def _firewall(**more: Any) -> dict[str, Any]:
    return {"name": "cb-waves", "inbound_rules": [SSH], "outbound_rules": [OUT]} | more


def test_a_firewall_covers_what_its_tag_covers(asker: Asker) -> None:
    paper = asker.it.backend
    assert isinstance(paper, Paper)
    number = asker.create("web", tags=["a"]).body["droplets"][0]["id"]
    other = asker.create("db").body["droplets"][0]["id"]
    assert paper.walls == {number: None, other: None}
    between = {"protocol": "tcp", "ports": "2377-2378", "sources": {"tags": ["a"]}}
    made = asker.ask("POST", "/firewalls", _firewall(inbound_rules=[SSH, between], tags=["a"]))
    assert made.status == 202
    wall = paper.walls[number]
    assert wall is not None
    assert [(one.low, one.high, one.networks, one.droplets) for one in wall.inbound] == [
        (22, 22, ("198.51.100.7",), ()),
        (2377, 2378, (), (number,)),
    ]
    assert [(one.low, one.high) for one in wall.outbound] == [(0, 65535)]
    assert paper.walls[other] is None
    later = asker.create("web-2", tags=["a"]).body["droplets"][0]["id"]
    wall = paper.walls[later]
    assert wall is not None
    assert wall.inbound[1].droplets == (number, later)


def test_rules_tags_and_droplets_of_a_firewall_change(asker: Asker) -> None:
    number = asker.create("web", tags=["a", "b"]).body["droplets"][0]["id"]
    made = asker.ask("POST", "/firewalls", _firewall(tags=["a"])).body["firewall"]
    place = f"/firewalls/{made['id']}"
    elsewhere = SSH | {"sources": {"addresses": ["203.0.113.9"]}}
    for method, what, body in (
        ("POST", "rules", {"inbound_rules": [elsewhere]}),
        ("POST", "rules", {"inbound_rules": [elsewhere]}),  # twice is once
        ("DELETE", "rules", {"inbound_rules": [SSH]}),
        ("POST", "tags", {"tags": ["b"]}),
        ("DELETE", "tags", {"tags": ["a"]}),
        ("POST", "droplets", {"droplet_ids": [number]}),
    ):
        assert asker.ask(method, f"{place}/{what}", body).status == 204, (method, what)
    shown = asker.get(place)["firewall"]
    assert (shown["inbound_rules"], shown["tags"], shown["droplet_ids"]) == ([elsewhere], ["b"], [number])
    assert asker.ask("DELETE", f"{place}/droplets", {"droplet_ids": [number]}).status == 204
    put = asker.ask("PUT", place, _firewall(name="cb-tides", outbound_rules=[]))
    assert (put.body["firewall"]["tags"], put.body["firewall"]["outbound_rules"]) == ([], [])
    assert asker.named("/firewalls", "firewalls") == ["cb-tides"]
    assert asker.ask("DELETE", place).status == 204
    assert asker.ask("GET", place).status == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "cb-waves"}, 409),
        ({"name": "second", "tags": ["nobody-made-it"]}, 400),
        ({"name": "second", "droplet_ids": [12]}, 400),
        ({"name": "second", "inbound_rules": [], "outbound_rules": []}, 400),
        ({"name": "second", "inbound_rules": [SSH | {"ports": "9-8"}]}, 400),
        ({"name": "second", "inbound_rules": [SSH | {"ports": "all"}]}, 400),
        ({"name": "second", "inbound_rules": [SSH | {"sources": {}}]}, 400),
        ({"name": "second", "inbound_rules": [SSH | {"sources": {"addresses": ["here"]}}]}, 400),
    ],
)
def test_firewalls_that_cannot_be_are_refused(asker: Asker, change: dict[str, Any], status: int) -> None:
    assert asker.ask("POST", "/firewalls", _firewall()).status == 202
    assert asker.ask("POST", "/firewalls", _firewall(**change)).status == status
    assert asker.named("/firewalls", "firewalls") == ["cb-waves"]


def test_a_vpc_holds_its_droplets_and_goes_after_them(asker: Asker) -> None:
    made = asker.ask("POST", "/vpcs", {"name": "cb-waves-nyc3", "region": "nyc3"}).body["vpc"]
    place = f"/vpcs/{made['id']}"
    assert made["default"] is False
    number = asker.create("web", vpc_uuid=made["id"]).body["droplets"][0]["id"]
    droplet = asker.get(f"/droplets/{number}")["droplet"]
    private = next(one for one in droplet["networks"]["v4"] if one["type"] == "private")
    network = made["ip_range"].rpartition(".")[0]
    assert private["ip_address"].startswith(network)
    assert asker.named(f"{place}/members", "members") == ["web"]
    assert asker.named(f"{place}/members?resource_type=loadbalancer", "members") == []
    assert asker.ask("DELETE", place).status == 403
    assert asker.ask("PATCH", place, {"description": "mine"}).body["vpc"]["description"] == "mine"
    assert asker.ask("PUT", place, {"name": "other"}).body["vpc"]["name"] == "other"
    assert asker.ask("DELETE", f"/droplets/{number}").status == 204
    assert asker.ask("DELETE", place).status == 204
    assert asker.ask("GET", place).status == 404
    assert asker.it.account.left() == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "default-nyc3"}, "taken"),
        ({"region": "mars1"}, "region is invalid"),
        ({"ip_range": "8.8.8.0/24"}, "private network"),
        ({"ip_range": "10.0.0.0/8"}, "private network"),
        ({"ip_range": "10.1.2.3/20"}, "ip_range is invalid"),
        ({"ip_range": "10.116.0.0/16"}, "overlaps"),
    ],
)
def test_vpcs_that_cannot_be_are_refused(asker: Asker, change: dict[str, Any], sentence: str) -> None:
    refused = asker.ask("POST", "/vpcs", {"name": "mine", "region": "nyc3"} | change)
    assert refused.status == 422
    assert sentence in refused.message


def test_the_default_vpc_cannot_be_removed(asker: Asker) -> None:
    default = next(one for one in asker.every("/vpcs", "vpcs") if one["name"] == "default-nyc3")
    assert asker.ask("DELETE", f"/vpcs/{default['id']}").status == 403
    mine = asker.ask("POST", "/vpcs", {"name": "mine", "region": "nyc3"}).body["vpc"]["id"]
    assert asker.ask("PATCH", f"/vpcs/{mine}", {"default": True}).body["vpc"]["default"] is True
    assert asker.ask("DELETE", f"/vpcs/{default['id']}").status == 204


def test_in_an_untouched_account_the_first_vpc_becomes_the_default() -> None:
    with Imitation(default_vpcs=False) as it:
        asker = Asker(it)
        assert asker.every("/vpcs", "vpcs") == []
        made = asker.ask("POST", "/vpcs", {"name": "cb-waves-nyc3", "region": "nyc3"}).body["vpc"]
        assert made["default"] is True
        assert asker.ask("DELETE", f"/vpcs/{made['id']}").status == 403
        assert it.violations() == []


@pytest.mark.parametrize(
    "manners", [MILD, HARSH, Manners(largest_page=1)], ids=["mild", "harsh", "one by one"]
)
def test_every_list_has_all_of_its_pages(manners: Manners) -> None:
    with Imitation(manners=manners, limits=UNLIMITED) as it:
        asker = Asker(it)
        asker.create("a", "b", "c", tags=["t1", "t2", "t3"])
        for number, key in enumerate((PUBLIC_KEY, OTHER_KEY)):
            asker.ask("POST", "/account/keys", {"name": f"k{number}", "public_key": key})
        for name in ("f1", "f2", "f3"):
            assert asker.ask("POST", "/firewalls", _firewall(name=name)).status == 202
        assert asker.awaited("/droplets", "droplets", ["a", "b", "c"]) == manners.listed_after + 1
        assert len(asker.get("/droplets?per_page=200")["droplets"]) == min(3, manners.largest_page)
        assert asker.named("/account/keys", "ssh_keys") == ["k0", "k1"]
        assert asker.named("/firewalls", "firewalls") == ["f1", "f2", "f3"]
        assert asker.named("/tags", "tags") == ["t1", "t2", "t3"]
        assert len(asker.every("/vpcs", "vpcs")) == len(it.account.regions)
        assert len(asker.every("/actions", "actions")) == 3
        assert it.violations() == []


def test_pages_have_links_and_totals(asker: Asker) -> None:
    asker.it.account.manners = Manners(listed_after=0)
    asker.create("a", "b", "c")
    middle = asker.get("/droplets?per_page=1&page=2")
    pages = middle["links"]["pages"]
    assert set(pages) == {"first", "prev", "next", "last"}
    assert pages["next"].endswith("/v2/droplets?per_page=1&page=3")
    assert (middle["meta"]["total"], middle["droplets"][0]["name"]) == (3, "b")
    assert asker.get("/droplets?page=9")["droplets"] == []
    assert asker.get("/droplets")["links"] == {}


def test_what_the_description_has_and_the_imitation_has_not_is_said() -> None:
    with Imitation() as it:
        asker = Asker(it)
        assert asker.ask("GET", "/volumes").status == 501
        assert asker.ask("GET", "/nothing").status == 404
        assert [one.partition(": ")[2] for one in it.violations()] == [
            "GET /v2/volumes is not imitated",
            "request: PathNotFound: Path not found for https://api.digitalocean.com/v2/nothing",
        ]


def test_a_failure_of_the_imitation_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(call: Call) -> Any:
        raise ZeroDivisionError("oh")

    monkeypatch.setitem(ROUTES, ("GET", "/v2/account"), fail)
    with Imitation() as it:
        assert Asker(it).ask("GET", "/account").status == 500
        assert "ZeroDivisionError: oh" in it.violations()[0]


def test_bodies_that_are_no_objects_are_refused() -> None:
    with Imitation() as it:
        assert Asker(it).ask("POST", "/tags", ["a"]).status == 400
        assert Asker(it).ask("POST", "/tags", {}).status == 422


def test_many_ask_at_once(asker: Asker) -> None:
    names = [f"w{number}" for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        statuses = [one.status for one in pool.map(asker.create, names)]
    assert statuses == [202] * 16
    assert sorted(asker.named()) == sorted(names)
    addresses = {one.addresses for one in asker.it.account.standing()}
    assert len(addresses) == len({one.id for one in asker.it.account.standing()}) == 16
