"""Real machines that come up badly: named, with the way out; what stands is said; `apply` repairs, `destroy` removes.

The client waits for minutes here, as it would for a machine that is only slow.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from faults.table import RENTED_WORLDS, note

from ..imitation import Fate
from ..lives import Life, machines

pytestmark = [pytest.mark.timeout(1800), pytest.mark.faults]

MANAGER, WORKER = machines(1)

WAITS = 900.0
"""Seconds: more than the client's own patience."""

Tell = Callable[[str, str, float], None]


@dataclass(frozen=True)
class World:
    """What becomes of a machine, as the table says it and as the imitation does it; and what has to be said of it."""

    what: str
    fate: Fate
    said: str


WORLDS = (
    World(
        "its sshd shows another host key",
        "impostor",
        r"shows the host key SHA256:\S+, and only SHA256:\S+ is its own",
    ),
    World("nothing answers there", "silent", r"does not answer|cannot be reached|no answer"),
    World("it boots without network", "no network", r"has no address"),
    World("it never becomes active", "stuck", r"is new"),
)


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Remembers a line of the table; called by a test when everything held."""

    def line(what: str, said: str, seconds: float) -> None:
        print(f"\n{what} | {said} | {seconds:.0f} s")
        note(pytestconfig, RENTED_WORLDS, (what, said, f"{seconds:.0f} s"))

    return line


def refused(life: Life) -> str:
    """What an `apply` says that waits in vain."""
    process = life.project.start("apply", "--yes")
    said = "".join(process.communicate(timeout=WAITS))
    assert process.returncode == 1, said
    return said


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.fate)
def test_a_worker_that_comes_up_badly_is_named_and_replaced(world: World, life: Life, tell: Tell) -> None:
    account = life.lab.imitation.account
    account.spoil(WORKER, world.fate)
    life.write(jobs=6, workers=1)
    began = time.monotonic()
    said = refused(life)
    seconds = time.monotonic() - began
    error = said.partition("error: ")[2]
    bad = account.droplet(WORKER)
    assert f"{WORKER} (id {bad.id})" in error
    assert re.search(world.said, error), error
    for one in account.standing():
        assert f"{one.name} (id {one.id})" in error, "what is billed is said"
    assert "USD an hour" in error
    manager = account.droplet(MANAGER).id
    life.apply()
    assert account.droplet(WORKER).id != bad.id, "another one takes its place"
    assert account.droplet(MANAGER).id == manager
    life.destroy()
    tell(f"a worker: {world.what}", _first_sentence(error), seconds)


def test_a_manager_with_another_host_key_is_refused_and_given_back(life: Life, tell: Tell) -> None:
    account = life.lab.imitation.account
    account.spoil(MANAGER, "impostor")
    life.write(jobs=6, workers=1)
    began = time.monotonic()
    said = refused(life)
    seconds = time.monotonic() - began
    error = said.partition("error: ")[2]
    assert f"{MANAGER} (id {account.droplet(MANAGER).id})" in error
    host = life.lab.host(MANAGER)
    assert "Accepted publickey" not in host.sh("cat /var/log/*ssh* /var/log/auth.log 2>/dev/null || true")
    assert host.sh("ls /var/lib/cloudburst").find("reaper-token") == -1
    life.project.run("destroy", "--yes")
    assert account.left() == []
    tell("the manager: its sshd shows another host key", _first_sentence(error), seconds)


def _first_sentence(error: str) -> str:
    """Without ids, fingerprints and addresses, which are another machine's next time."""
    plain = re.sub(
        r"\(id \d+\)|SHA256:\S+|\d+\.\d+\.\d+\.\d+|https://\S+", "…", error.strip().splitlines()[0]
    )
    return plain.replace("|", "/")
