"""What goes wrong on the way: struck where it is put, so many times, before or after the thing was done."""

from __future__ import annotations

import http.client
import time
from typing import get_args

import pytest

from . import FOR_EVER, PROMPT, Exchange, Fault, Imitation
from .asking import Asker
from .faults import What

BROKEN = (ConnectionError, http.client.HTTPException)
CREATE = ("POST", "/v2/droplets")


@pytest.fixture
def asker(imitation: Imitation) -> Asker:
    imitation.account.manners = PROMPT
    return Asker(imitation)


def _names(asker: Asker) -> list[str]:
    return [one.name for one in asker.it.account.standing()]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_error_instead_of_an_answer(asker: Asker, status: int) -> None:
    asker.it.faults.add(Fault(*CREATE, str(status), retry_after=7))  # type: ignore[arg-type]
    answered = asker.create("web")
    assert (answered.status, answered.headers["retry-after"]) == (status, "7")
    assert set(answered.body) == {"id", "message"}
    assert _names(asker) == []
    assert asker.create("web").status == 202


@pytest.mark.parametrize("what", ["500-after", "502-after", "503-after", "504-after", "html-after"])
def test_an_error_and_yet_it_was_done(asker: Asker, what: What) -> None:
    asker.it.faults.add(Fault(*CREATE, what, status=502))
    assert asker.create("web").status >= 500
    assert _names(asker) == ["web"]


@pytest.mark.parametrize(("status", "title"), [(200, b"Just a moment"), (502, b"502 Bad Gateway")])
def test_a_page_of_html(asker: Asker, status: int, title: bytes) -> None:
    asker.it.faults.add(Fault(*CREATE, "html", status=status))
    answered = asker.create("web")
    assert (answered.status, answered.headers["content-type"]) == (status, "text/html")
    assert title in answered.body
    assert _names(asker) == []


@pytest.mark.parametrize(("what", "names"), [("drop-before", []), ("drop-after", ["web"])])
def test_a_connection_that_breaks(asker: Asker, what: What, names: list[str]) -> None:
    asker.it.faults.add(Fault(*CREATE, what))
    with pytest.raises(BROKEN):
        asker.create("web")
    assert _names(asker) == names
    assert asker.it.exchanges[-1].status is None


def test_half_an_answer(asker: Asker) -> None:
    asker.it.faults.add(Fault(*CREATE, "truncated"))
    with pytest.raises(http.client.IncompleteRead):
        asker.create("web")
    assert _names(asker) == ["web"]


def test_an_answer_that_takes_too_long(asker: Asker) -> None:
    asker.it.faults.add(Fault(*CREATE, "slow", seconds=60))
    with pytest.raises(TimeoutError):
        Asker(asker.it, timeout=0.2).create("web")
    assert _names(asker) == ["web"]


def test_a_slow_answer_does_not_hold_the_others_nor_the_end(imitation: Imitation) -> None:
    imitation.faults.add(Fault("GET", "/v2/account", "slow", seconds=60))
    with pytest.raises(TimeoutError):
        Asker(imitation, timeout=0.2).ask("GET", "/account")
    assert Asker(imitation).ask("GET", "/account").status == 200
    started = time.monotonic()
    imitation.close()
    assert time.monotonic() - started < 30


def test_a_fault_on_one_page_of_a_list(asker: Asker) -> None:
    asker.it.faults.add(Fault("GET", "/v2/sizes", "503", page=2, times=2))
    assert asker.ask("GET", "/sizes").status == 200
    assert [asker.ask("GET", "/sizes?page=2").status for _ in range(3)] == [503, 503, 200]


def test_a_fault_for_ever_until_it_is_taken_away(asker: Asker) -> None:
    asker.it.faults.add(Fault("*", "/v2/account*", "500", times=FOR_EVER))
    assert {asker.ask("GET", path).status for path in ("/account", "/account/keys", "/account")} == {500}
    assert asker.ask("GET", "/regions").status == 200
    asker.it.faults.clear()
    assert asker.ask("GET", "/account").status == 200


def test_a_fault_by_the_path_of_the_description(asker: Asker) -> None:
    asker.it.faults.add(Fault("GET", "/v2/droplets/{droplet_id}", "503", times=FOR_EVER))
    number = asker.create("web").body["droplets"][0]["id"]
    assert asker.ask("GET", "/droplets").status == 200
    assert asker.ask("GET", f"/droplets/{number}").status == 503
    assert asker.ask("GET", f"/droplets/{number}/actions").status == 200
    assert asker.ask("DELETE", f"/droplets/{number}").status == 204


def test_a_fault_that_lets_some_pass(asker: Asker) -> None:
    asker.it.faults.add(Fault("GET", "/v2/account", "429", skip=2))
    assert [asker.ask("GET", "/account").status for _ in range(4)] == [200, 200, 429, 200]


def test_faults_strike_in_order_and_what_never_struck_is_known(asker: Asker) -> None:
    never = Fault("PUT", "/v2/vpcs", "500")
    asker.it.faults.add(Fault("GET", "/v2/account", "500"), Fault("GET", "/v2/account", "503"), never)
    assert [asker.ask("GET", "/account").status for _ in range(3)] == [500, 503, 200]
    assert asker.it.faults.unused() == [never]
    assert [one.fault.what if one.fault else None for one in asker.it.exchanges] == ["500", "503", None]


@pytest.mark.parametrize("what", get_args(What))
def test_every_kind_strikes_once_and_is_over(asker: Asker, what: What) -> None:
    asker.it.faults.add(Fault("GET", "/v2/account", what, seconds=0.01, status=502))
    try:
        struck = asker.ask("GET", "/account").status
    except BROKEN:
        struck = 0
    assert struck != 200 or what == "slow"
    assert asker.it.faults.unused() == []
    assert asker.ask("GET", "/account").status == 200


def test_a_watcher_is_told_before_the_answer_leaves(asker: Asker) -> None:
    """What it changes is what the next request meets; the one it was told of is done."""
    account, seen = asker.it.account, list[str]()

    def close(exchange: Exchange) -> None:
        seen.append(f"{exchange.method} {exchange.path} {exchange.status}")
        account.droplet_limit = 1

    asker.it.watchers.append(close)
    assert asker.create("web").status == 202
    assert asker.create("more").status == 422
    assert seen == ["POST /v2/droplets 202", "POST /v2/droplets 422"]
    assert _names(asker) == ["web"]
