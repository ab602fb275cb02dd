"""The lab in pytest: one for the session, in one process, on whichever machine can have one.

A test that asks for `lab` needs nothing else: it is marked `lab` and `slow`, and runs in the one
worker process that holds what it asked for. The swarm, the rented machines and the bare hosts share
nothing, so each may be held by another.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from . import stock
from .lives import NAME, Life, Table, computed_alone
from .missing import missing
from .rented import RentedLab
from .swarm import Lab

REQUIRED = "CLOUDBURST_REQUIRE_LAB"
ATTACH = "CLOUDBURST_LAB_ATTACH"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A swarm of four hosts, started for this session.

    CLOUDBURST_LAB_ATTACH=DIRECTORY takes one that `make lab` started instead, and leaves it standing.
    """
    if chosen := os.environ.get(ATTACH):
        yield Lab.attach(Path(chosen).resolve())
        return
    _require()
    with _only_here("lab"):
        started = Lab.start()
        yield started
        started.stop()


@pytest.fixture(scope="session")
def rented_lab() -> Iterator[RentedLab]:
    """An account at the imitation of DigitalOcean whose droplets are hosts; what was said has to be as described.

    The account is the session's: a test takes back what it made, or asks for `rented`.
    """
    _require()
    with _only_here("rented"):
        started = RentedLab()
        with started:
            yield started
            assert started.imitation.violations() == []


@pytest.fixture
def rented(rented_lab: RentedLab) -> Iterator[RentedLab]:
    """The same, with an account that is empty before the test and after it."""
    yield rented_lab
    rented_lab.clear()


@pytest.fixture(scope="session")
def alone(rented_lab: RentedLab, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """What a life's jobs come to, as this machine computes them by itself."""
    return computed_alone(rented_lab, tmp_path_factory.mktemp("alone"))


@pytest.fixture
def life(rented: RentedLab, tmp_path: Path, alone: Table) -> Iterator[Life]:
    """A study that rents, in an account that is empty before and after it; nobody asked for anything in it yet."""
    rented.imitation.exchanges.clear()
    project = rented.project(tmp_path, NAME)
    yield Life(rented, project, alone)
    project.end()


@pytest.fixture
def fragile(lab: Lab) -> Iterator[Lab]:
    """The lab for a test that breaks something: every fault is taken back after it."""
    yield lab
    lab.mend()


def _require() -> None:
    """Skips where the machine lacks something; fails where it is said that it must not."""
    lacking = missing()
    if not lacking:
        return
    reason = "; ".join(lacking)
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED}=1, and {reason}", pytrace=False)
    pytest.skip(reason)


@contextlib.contextmanager
def _only_here(what: str) -> Iterator[None]:
    """Fails in the second process of one session that wants a lab: the tests were spread over several."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if session is None:
        yield
        return
    stock.runs().mkdir(parents=True, exist_ok=True)
    place = stock.runs() / f"session-{session}-{what}.lock"
    with place.open("w") as file:
        if not _locked(file):
            pytest.fail(
                "another process of this session holds the lab: -n takes --dist loadgroup", pytrace=False
            )
        yield
        place.unlink()


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that use the lab, before anything selects by mark or by group."""
    for item in items:
        if ground := _ground(item):
            item.add_marker("lab")
            item.add_marker("slow")
            item.add_marker(pytest.mark.xdist_group(ground))
            item.add_marker(_timeout(item), append=False)


def _ground(item: pytest.Item) -> str | None:
    """Which of these fixtures a test asks for, and not for one that takes its name. Who wants both runs with `lab`."""
    definitions = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    for name in ("lab", "rented_lab"):
        if name in definitions and definitions[name][-1].func.__module__ == __name__:
            return name
    return None


def _timeout(item: pytest.Item) -> pytest.MarkDecorator:
    """The test's time, or the usual one, for the test alone: the first one also waits for the lab."""
    own = item.get_closest_marker("timeout")
    seconds = own.args[0] if own and own.args else float(item.config.getini("timeout") or 0)
    return pytest.mark.timeout(seconds, func_only=True)
