"""One kind of trouble on every endpoint of the API in turn, while a study is rented, computed and given back.

The first request that `apply` makes to each endpoint is struck, and the first that `destroy` makes; so is the second
page of every list, which are of two objects. Nothing is made twice, nothing is left, and waiting is explained.
Every endpoint by itself with every kind of trouble is in tests/run/digitalocean/test_whole_life.py, without hosts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from faults.table import RENTED_API, note

from ..imitation import MILD, Fault
from ..imitation.description import scopes
from ..lives import BILL, WORKERS, Life

pytestmark = [pytest.mark.timeout(900), pytest.mark.faults]

MACHINES = 1 + WORKERS
LISTS = (
    "droplets",
    "account/keys",
    "firewalls",
    "vpcs",
    "vpcs/{vpc_id}/members",
    "tags",
    "images",
    "sizes",
    "regions",
)

KINDS = {
    "429": Fault("*", "*", "429", retry_after=2),
    "500": Fault("*", "*", "500"),
    "500, and yet it was done": Fault("*", "*", "500-after"),
    "503": Fault("*", "*", "503", retry_after=2),
    "the connection breaks before it is done": Fault("*", "*", "drop-before"),
    "the connection breaks after it is done": Fault("*", "*", "drop-after"),
    "half an answer": Fault("*", "*", "truncated"),
    "an answer after 40 s, to what makes machines": Fault("*", "*", "slow", seconds=40),
    "an answer after 3 s": Fault("*", "*", "slow", seconds=3),
    "a page of HTML": Fault("*", "*", "html"),
}
TOO_SLOW = 30.0
"""Seconds the client waits for an answer."""

Tell = Callable[[str, int, int, float, float], None]


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Remembers a line of the table; called by a test when everything held."""

    def line(what: str, endpoints: int, struck: int, applied: float, destroyed: float) -> None:
        cells = (what, str(endpoints), str(struck), f"{applied:.0f} s", f"{destroyed:.0f} s")
        print(f"\n{' | '.join(cells)}")
        note(pytestconfig, RENTED_API, cells)

    return line


@pytest.mark.parametrize("kind", KINDS)
def test_every_endpoint_fails_once_and_the_end_is_the_same(kind: str, life: Life, tell: Tell) -> None:
    imitation = life.lab.imitation
    life.write()
    imitation.account.manners = replace(MILD, largest_page=2)
    try:
        applied = _timed(lambda: _trouble(life, KINDS[kind], life.apply))
        life.each_began_once()
        assert life.rented() == MACHINES, "no machine was rented twice"
        destroyed = _timed(lambda: _billed(_trouble(life, KINDS[kind], life.destroy)))
    finally:
        imitation.account.manners = MILD
    assert life.rented() == MACHINES
    struck = [one for one in imitation.exchanges if one.fault is not None]
    tell(kind, len({(one.method, one.template) for one in struck}), len(struck), applied, destroyed)


def _trouble(life: Life, fault: Fault, act: Callable[[], str]) -> str:
    """What a command says that meets this trouble everywhere once."""
    life.lab.imitation.faults.add(*_everywhere(fault))
    try:
        return act()
    finally:
        life.lab.imitation.faults.clear()


def _everywhere(fault: Fault) -> Iterator[Fault]:
    """This fault, once on each endpoint, and once on the second page of each list."""
    if fault.what == "slow" and fault.seconds > TOO_SLOW:
        yield replace(fault, method="POST", path="/v2/droplets", times=2)
        return
    for name in LISTS:
        yield replace(fault, method="GET", path=f"/v2/{name}", page=2)
    for method, path in sorted(scopes()):
        yield replace(fault, method=method, path=path)


def _billed(said: str) -> None:
    assert BILL.findall(said)[-1:] == [str(MACHINES)], said


def _timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began
