"""The check against the official description catches what is wrong, on both sides, and nothing else."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from . import Fault, Imitation, forms
from .asking import PUBLIC_KEY, Asker
from .description import find

DROPLET = {"name": "web", "region": "nyc3", "size": "s-1vcpu-1gb", "image": "debian-12-x64"}


def _said(*asked: tuple[str, str, Any]) -> list[str]:
    """What is wrong with these requests."""
    with Imitation() as it:
        for method, path, body in asked:
            Asker(it).ask(method, path, body)
        return it.violations()


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("POST", "/droplets", DROPLET | {"vpc_uuid": None}, "$.vpc_uuid: None for not nullable"),
        ("POST", "/droplets", DROPLET | {"names": ["a"]}, "valid under each of"),
        ("POST", "/droplets", {"name": "web"}, "'size' is a required property"),
        ("POST", "/droplets", DROPLET | {"private": True}, "the key $.private is not described"),
        ("POST", "/droplets", DROPLET | {"ipv6": "yes"}, "$.ipv6"),
        ("POST", "/firewalls", {"name": "f", "inbound_rules": []}, "does not match"),
        ("POST", "/firewalls", {"name": "cb-x"}, "'inbound_rules' is a required property"),
        (
            "POST",
            "/firewalls",
            {"name": "cb-x", "outbound_rules": [], "inbound_rules": [{"protocol": "tcp", "ports": 22}]},
            "$.inbound_rules[0]",
        ),
        ("PUT", "/firewalls/no-uuid", {"name": "cb-x", "inbound_rules": []}, "not a 'uuid'"),
        ("POST", "/vpcs", {"name": "a b", "region": "nyc3"}, "$.name"),
        ("POST", "/vpcs", {"name": "mine", "region": "nyc3", "description": None}, "$.description"),
        ("POST", "/tags", {"name": "a b"}, "$.name"),
        ("POST", "/account/keys", {"name": "k"}, "'public_key' is a required property"),
        ("POST", "/droplets/12/actions", {"type": "explode"}, "'explode'"),
        ("GET", "/droplets?per_page=500", None, "500 is greater than the maximum of 200"),
        ("GET", "/droplets?tag=a", None, "the query parameter tag is not described"),
        ("GET", "/droplets/web", None, "droplet_id"),
        ("GET", "/nothing", None, "Path not found"),
        ("PATCH", "/droplets", {}, "Operation patch not found"),
    ],
)
def test_a_bad_request_is_a_violation(method: str, path: str, body: Any, sentence: str) -> None:
    found = _said((method, path, body))
    assert len([one for one in found if sentence in one]) == 1, found
    assert all(one.startswith(f"{method} /v2{path.partition('?')[0]}") for one in found)


def test_a_body_that_is_not_said_to_be_json_is_a_violation() -> None:
    with Imitation() as it:
        headers = {"Authorization": f"Bearer {it.token}", "Content-Type": "text/plain"}
        request = urllib.request.Request(f"{it.end_point}tags", b'{"name": "a"}', headers)
        urllib.request.urlopen(request, timeout=10).close()
        assert "text/plain" in it.violations()[0]


def test_a_request_without_a_token_is_a_violation() -> None:
    with Imitation() as it:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{it.end_point}account", timeout=10)
        refused.value.close()
        assert "Security" in it.violations()[0]


def test_good_requests_are_none() -> None:
    key = ("POST", "/account/keys", {"name": "k", "public_key": PUBLIC_KEY})
    assert _said(("GET", "/account", None), key, ("POST", "/droplets", DROPLET)) == []


def test_a_key_is_asked_for_by_id_and_by_fingerprint() -> None:
    """The description's own schema of this parameter fits nothing: see official.py."""
    assert _said(("GET", "/account/keys/12", None), ("GET", "/account/keys/3b:16:e4:bf", None)) == []


def test_a_trailing_slash_is_as_good_as_none() -> None:
    assert _said(("GET", "/account/", None), ("GET", "/account", None)) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"status": "asleep"}, "'asleep' is not one of"),
        ({"uuid": 12}, "12 is not of type"),
        ({"droplet_limit": None}, "None for not nullable"),
    ],
)
def test_a_bad_answer_is_a_violation(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], sentence: str
) -> None:
    good = forms.account
    monkeypatch.setattr(forms, "account", lambda state: good(state) | change)
    found = _said(("GET", "/account", None))
    assert len(found) == 1
    assert found[0].startswith("GET /v2/account -> 200: answer: ")
    assert sentence in found[0]


def test_an_answer_that_lacks_something_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "region", lambda state, slug: {"slug": slug})
    assert "required property" in _said(("GET", "/regions", None))[0]


def test_answers_that_a_fault_spoilt_are_nobodys_mistake() -> None:
    with Imitation() as it:
        it.faults.add(Fault("GET", "/v2/account", "html"), Fault("GET", "/v2/account", "503"))
        assert [Asker(it).ask("GET", "/account").status for _ in range(2)] == [200, 503]
        assert it.violations() == []


def test_the_same_thing_is_said_once() -> None:
    assert len(_said(*[("GET", "/droplets?tag=a", None)] * 3)) == 1


def test_a_path_has_the_template_with_fewest_braces() -> None:
    for path, template, place in (
        ("/v2/droplets/actions", "/v2/droplets/actions", {}),
        ("/v2/droplets/12", "/v2/droplets/{droplet_id}", {"droplet_id": "12"}),
        ("/v2/tags/a:b/resources", "/v2/tags/{tag_id}/resources", {"tag_id": "a:b"}),
    ):
        assert find(path) == (template, place)
    assert find("/v2/droplets/12/nothing/at/all") is None
