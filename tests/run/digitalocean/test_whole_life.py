"""A study's machines from nothing to nothing, with every kind of trouble on every endpoint: nothing twice, nothing left.

The account's time is made up and its machines are played, so that a life takes a second.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import ProviderError
from tests.lab.imitation import Fault

from .clockwork import FAULTS, named, struck
from .lives import NAMES, living

pytestmark = pytest.mark.slow

ENDPOINTS = (
    ("GET", "/v2/account"),
    ("GET", "/v2/account/keys"),
    ("GET", "/v2/account/keys/{ssh_key_identifier}"),
    ("POST", "/v2/account/keys"),
    ("DELETE", "/v2/account/keys/{ssh_key_identifier}"),
    ("GET", "/v2/droplets"),
    ("GET", "/v2/droplets/{droplet_id}"),
    ("POST", "/v2/droplets"),
    ("DELETE", "/v2/droplets/{droplet_id}"),
    ("GET", "/v2/firewalls"),
    ("POST", "/v2/firewalls"),
    ("DELETE", "/v2/firewalls/{firewall_id}"),
    ("GET", "/v2/images"),
    ("GET", "/v2/images/{image_id}"),
    ("GET", "/v2/regions"),
    ("GET", "/v2/sizes"),
    ("GET", "/v2/tags"),
    ("POST", "/v2/tags"),
    ("DELETE", "/v2/tags/{tag_id}"),
    ("POST", "/v2/tags/{tag_id}/resources"),
    ("DELETE", "/v2/tags/{tag_id}/resources"),
    ("GET", "/v2/vpcs"),
    ("POST", "/v2/vpcs"),
    ("DELETE", "/v2/vpcs/{vpc_id}"),
    ("GET", "/v2/vpcs/{vpc_id}/members"),
)
"""All that a life asks for."""
LISTS = tuple(
    path for method, path in ENDPOINTS if method == "GET" and not path.endswith("}") and path != "/v2/account"
)
"""All of them have a second page."""


def test_a_life_asks_for_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is struck below is all that there is to strike."""
    with living(tmp_path, monkeypatch) as life:
        life.live()
        asked = {(one.method, one.template) for one in life.imitation.exchanges}
        second = {one.template for one in life.imitation.exchanges if ("page", "2") in one.query}
        assert asked == set(ENDPOINTS)
        assert second == set(LISTS)
        assert life.made() == len(NAMES)


class Killed(BaseException):
    """The process is gone: nothing is caught."""


def test_machines_that_were_asked_for_and_are_in_no_list_yet_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`apply` was killed before it saw the answer; the next one begins at once."""
    with living(tmp_path, monkeypatch) as life:
        create = life.account.create_droplets

        def granted_and_killed(*names: Any, **order: Any) -> None:
            create(*names, **order)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(life.account, "create_droplets", granted_and_killed)
            with pytest.raises(Killed):
                life.converge(workers=3)
        life.converge(workers=3)
        assert life.standing() == Counter(NAMES)
        assert life.made() == len(NAMES), "a machine was rented twice"


@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_every_endpoint_fails_once_in_one_life(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(tmp_path, monkeypatch, fault) as life:
        every = [struck(fault, "GET", path, page=2) for path in LISTS]
        every += [struck(fault, method, path) for method, path in ENDPOINTS]
        life.imitation.faults.add(*every)
        life.live()
        assert life.imitation.faults.unused() == []
        assert life.made() == len(NAMES), "a machine was rented twice"


@pytest.mark.faults
@pytest.mark.timeout(60)
@pytest.mark.parametrize("fault", FAULTS, ids=named)
@pytest.mark.parametrize(("method", "path"), ENDPOINTS, ids=lambda one: str(one).rpartition("/v2/")[2])
def test_one_endpoint_fails_again_and_again(
    method: str, path: str, fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of its requests in a row, and for a list the second page as often."""
    with living(tmp_path, monkeypatch, fault) as life:
        times = 1 if fault.status == 404 else 3
        if path in LISTS and method == "GET":
            life.imitation.faults.add(replace(struck(fault, method, path, page=2), times=times))
        life.imitation.faults.add(replace(struck(fault, method, path), times=times, skip=1))
        life.live()
        assert life.made() == len(NAMES), "a machine was rented twice"


@pytest.mark.faults
@pytest.mark.parametrize(("method", "path"), ENDPOINTS, ids=lambda one: str(one).rpartition("/v2/")[2])
def test_one_endpoint_fails_for_good_and_what_stands_is_said(
    method: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands then is named in the end of the command, and goes when the endpoint is mended."""
    fault = Fault(method, path, "503", times=None)
    with living(tmp_path, monkeypatch, fault) as life:
        before = life.imitation.account.left()
        life.imitation.faults.add(fault)
        try:
            life.live()
        except ProviderError as error:
            said = f"{error.message} {error.hint}"
            for one in life.imitation.account.standing():
                assert f"{one.name} (id {one.id})" in said or "is not known" in said, said
        life.imitation.faults.clear()
        assert life.remove() == ""
        assert life.imitation.account.left() == before
