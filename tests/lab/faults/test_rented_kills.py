"""The client is killed at every step of a rented study's life, and the command said again: same end, nothing twice.

`kill -9` between two steps, in the middle of one, while an answer is on its way. Whatever stood then goes on to be
used, or is given back; no machine is rented twice, no job that began begins again, and nothing is left.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from faults.table import RENTED_KILLS, note

from ..lives import BILL, WORKERS, Life, in_words
from .strikes import Asked, Counted, Moment, Said, Struck, strike

pytestmark = [pytest.mark.timeout(900), pytest.mark.faults]

MACHINES = 1 + WORKERS

Tell = Callable[[str, Struck, float], None]


@dataclass(frozen=True)
class Point:
    """`what` as the table says it. `when` makes a moment of its own for each run."""

    name: str
    what: str
    when: Callable[[], Moment]


APPLY = (
    Point("first request", "it asked the account for the first time", lambda: Asked("*", "*")),
    Point("vpc", "the VPC is made, the answer on its way", lambda: Asked("POST", "/v2/vpcs")),
    Point("tags", "two of the four tags are made", lambda: Asked("POST", "/v2/tags", nth=2)),
    Point("key", "the key is made", lambda: Asked("POST", "/v2/account/keys")),
    Point("firewall", "the firewall is made", lambda: Asked("POST", "/v2/firewalls")),
    Point(
        "first machines",
        "one of two requests for machines is granted, the answer on its way",
        lambda: Asked("POST", "/v2/droplets", status=202),
    ),
    Point(
        "all machines",
        "all machines are granted, the answer on its way",
        lambda: Asked("POST", "/v2/droplets", nth=2, status=202),
    ),
    Point("no address", "machines are listed, some still without address", lambda: Said("machines are up")),
    Point("no ssh", "machines are active and do not answer on ssh yet", lambda: Said("waiting for ssh")),
    Point("first boot", "a machine was entered, its first boot goes on", lambda: Said("installing")),
    Point(
        "host key",
        "the first host key is replaced, its fingerprint noted",
        lambda: Asked("POST", "/v2/tags/{tag_id}/resources"),
    ),
    Point(
        "planted key",
        "the first planted key's fingerprint is taken back",
        lambda: Asked("DELETE", "/v2/tags/{tag_id}/resources"),
    ),
    Point("armed", "every switch is armed", lambda: Said("making them one swarm")),
    Point("swarm", "the swarm is being made on the manager", lambda: Said("making a swarm on")),
    Point("half joined", "workers are being taken in", lambda: Said("taking in ")),
    Point("stack", "the stack is being deployed", lambda: Said("deploying ")),
    Point("upload", "code is being uploaded", lambda: Said('"upload"')),
    Point("running", "the first jobs run", lambda: Counted(running=1)),
    Point("half done", "a third of the rows is recorded", lambda: Counted(done=10)),
    Point("home", "series and files are being fetched", lambda: Said("fetching series and files")),
)
DESTROY = (
    Point("first request", "it asked the account for the first time", lambda: Asked("*", "*")),
    Point("connecting", "it connects to the manager", lambda: Said("connecting to cb-")),
    Point("rows", "rows are being fetched", lambda: Said("fetching rows")),
    Point("first droplet", "one machine of four is given back", lambda: Asked("DELETE", "/v2/droplets/*")),
    Point("half", "two machines of four are given back", lambda: Asked("DELETE", "/v2/droplets/*", nth=2)),
    Point("key", "the key is removed", lambda: Asked("DELETE", "/v2/account/keys/*")),
    Point("firewall", "the firewall is removed", lambda: Asked("DELETE", "/v2/firewalls/*")),
    Point("vpc refused", "the VPC refused to go", lambda: Asked("DELETE", "/v2/vpcs/*", status=403)),
    Point("vpc", "the VPC is gone", lambda: Asked("DELETE", "/v2/vpcs/*", status=204)),
    Point("tags", "half of the tags are gone", lambda: Asked("DELETE", "/v2/tags/*", nth=4)),
)


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Remembers a line of the table; called by a test when everything held."""

    def line(what: str, struck: Struck, seconds: float) -> None:
        print(f"\n{what}: {in_words(struck.stood)}; {seconds:.0f} s")
        note(pytestconfig, RENTED_KILLS, (what, in_words(struck.stood), f"{seconds:.0f} s"))

    return line


@pytest.mark.parametrize("point", APPLY, ids=lambda point: point.name)
def test_apply_is_killed_and_applied_again(point: Point, life: Life, tell: Tell) -> None:
    life.write()
    struck = strike(life.lab, life.project, point.when(), "apply", "--yes", "--json")
    assert struck.code == -signal.SIGKILL
    standing = {one.id for one in life.lab.imitation.account.standing()}
    assert life.orphans() == standing, "what is billed is found without anything local"
    began = time.monotonic()
    life.apply()
    life.each_began_once()
    seconds = time.monotonic() - began
    assert life.rented() == MACHINES, "no machine was rented twice"
    assert standing <= {one.id for one in life.lab.imitation.account.standing()}
    assert _billed(life.destroy()) == MACHINES
    tell(f"`apply`: {point.what}", struck, seconds)


@pytest.mark.parametrize("point", DESTROY, ids=lambda point: point.name)
def test_destroy_is_killed_and_said_again(point: Point, life: Life, tell: Tell) -> None:
    life.write()
    life.apply()
    life.each_began_once()
    struck = strike(life.lab, life.project, point.when(), "destroy", "--yes")
    assert struck.code == -signal.SIGKILL
    assert life.orphans() >= {one.id for one in life.lab.imitation.account.standing()}
    began = time.monotonic()
    said = life.destroy()
    seconds = time.monotonic() - began
    assert life.rented() == MACHINES
    assert _billed(said) == MACHINES, "what is gone stays on the bill"
    tell(f"`destroy`: {point.what}", struck, seconds)


@pytest.mark.parametrize("first", ["all machines", "swarm", "half done"])
def test_apply_is_killed_and_the_machines_are_given_back(first: str, life: Life, tell: Tell) -> None:
    """Nobody applies again: `destroy` alone leaves nothing."""
    life.write()
    point = next(one for one in APPLY if one.name == first)
    struck = strike(life.lab, life.project, point.when(), "apply", "--yes", "--json")
    began = time.monotonic()
    said = life.project.said("destroy", "--yes")
    seconds = time.monotonic() - began
    assert _billed(said) == life.rented()
    assert life.lab.imitation.account.left() == []
    if first == "half done":
        assert len(life.project.recorded()) >= 10, "what was recorded came home"
    tell(f"`apply`, and then only `destroy`: {point.what}", struck, seconds)


INTERRUPTED = (
    Point("no ssh", "machines are active and do not answer on ssh yet", lambda: Said("waiting for ssh")),
    Point("running", "the first jobs run", lambda: Counted(running=1)),
)


@pytest.mark.parametrize("point", INTERRUPTED, ids=lambda point: point.name)
def test_apply_is_interrupted_and_says_what_is_billed(point: Point, life: Life, tell: Tell) -> None:
    life.write()
    struck = strike(life.lab, life.project, point.when(), "apply", "--yes", "--json", sign=signal.SIGINT)
    assert struck.code == 130, struck.said
    assert "billed" in struck.said
    standing = life.lab.imitation.account.standing()
    if point.name == "no ssh":
        assert all(f"{one.name} (id {one.id})" in struck.said for one in standing)
        assert "USD an hour" in struck.said
    began = time.monotonic()
    life.apply()
    life.each_began_once()
    seconds = time.monotonic() - began
    assert {one.id for one in standing} == {one.id for one in life.lab.imitation.account.standing()}
    assert _billed(life.destroy()) == MACHINES
    tell(f"Ctrl-C in `apply`: {point.what}", struck, seconds)


def test_destroy_is_interrupted_and_says_what_still_stands(life: Life, tell: Tell) -> None:
    life.write()
    life.apply()
    life.each_began_once()
    moment = Asked("DELETE", "/v2/droplets/*", nth=2)
    struck = strike(life.lab, life.project, moment, "destroy", "--yes", sign=signal.SIGINT)
    assert struck.code == 130, struck.said
    for one in life.lab.imitation.account.standing():
        assert f"{one.name} (id {one.id})" in struck.said
    began = time.monotonic()
    said = life.destroy()
    assert _billed(said) == MACHINES
    tell("Ctrl-C in `destroy`: two machines of four are given back", struck, time.monotonic() - began)


def _billed(said: str) -> int:
    """For how many machines the last bill is."""
    found = BILL.findall(said)
    assert found, f"nothing is said of what it cost: {said}"
    return int(found[-1])
